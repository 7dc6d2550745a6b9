//! What the model API received, in the words that tests ask about.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Method, Uri};
use serde_json::{Map, Value};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// Its place among all requests, from 0.
    pub number: usize,
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// Headers by name, in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body: parsed JSON, else the text as a string.
    pub body: Value,
    /// The step that was chosen as the reply: `GO-MULTI[0]`, `default` or `side`; `None` for what asks for no reply of a model.
    pub picked: Option<String>,
}

/// What an agent told the model of a tool it ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolResult {
    /// The call it answers.
    pub tool_use_id: String,
    /// Whether the tool failed.
    pub is_error: bool,
    /// Its text.
    pub text: String,
}

impl RecordedRequest {
    pub(super) fn new(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        Self {
            number: 0,
            method: method.to_string(),
            path: uri.path().to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| {
                    (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
                })
                .collect(),
            body: parsed(body),
            picked: None,
        }
    }

    /// Whether this asks for the next message of the agent's conversation, not for a title or a count.
    pub fn is_conversation(&self) -> bool {
        self.picked.as_deref().is_some_and(|picked| picked != "side")
    }

    /// The messages sent, oldest first.
    pub fn messages(&self) -> &[Value] {
        self.body["messages"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The texts of all messages of a role (`user`, `assistant`), oldest first; tool calls and results are left out.
    pub fn texts(&self, role: &str) -> Vec<String> {
        let of_role = self.messages().iter().filter(|message| message["role"] == role);
        of_role.flat_map(|message| texts_of(&message["content"])).collect()
    }

    /// The results of tools that the messages tell, oldest first.
    pub fn tool_results(&self) -> Vec<ToolResult> {
        let blocks = self.messages().iter().filter_map(|message| message["content"].as_array()).flatten();
        blocks
            .filter(|block| block["type"] == "tool_result")
            .map(|block| ToolResult {
                tool_use_id: block["tool_use_id"].as_str().unwrap_or_default().to_owned(),
                is_error: block["is_error"].as_bool().unwrap_or(false),
                text: texts_of(&block["content"]).join("\n"),
            })
            .collect()
    }
}

/// An object when there is nothing, so that looking into it needs no care.
fn parsed(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Object(Map::new());
    }
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

/// The texts of a message's content, which is a string or a list of blocks.
pub(super) fn texts_of(content: &Value) -> Vec<String> {
    match content {
        Value::String(text) => vec![text.clone()],
        Value::Array(blocks) => {
            let texts = blocks.iter().filter(|block| block["type"] == "text");
            texts.filter_map(|block| block["text"].as_str()).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
