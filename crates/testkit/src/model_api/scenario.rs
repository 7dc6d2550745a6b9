//! What the model says when: steps in scripts, chosen from a conversation alone.

use std::{collections::BTreeMap, fs, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Scripts by the word that starts them.
///
/// The reply to a request is found in its own messages: take the last message a person wrote that contains a key of
/// `scripts` (of several, the key that occurs last in it); as many assistant messages as follow it, so many steps have been
/// played; play the next one, or `default` when none is left or no key was found. A request without tools is not the
/// conversation's (a title, a summary), and gets `side`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Steps by the word in a person's message that starts them.
    #[serde(default)]
    pub scripts: BTreeMap<String, Vec<Step>>,
    /// What is said when no script has anything to say.
    #[serde(default = "ok")]
    pub default: Step,
    /// What is said to requests without tools; without it they are treated as all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Step>,
    /// What `{{NAME}}` in texts and tool inputs stands for, besides `{{cwd}}` and `{{n}}` (messages in the request).
    #[serde(default)]
    pub vars: BTreeMap<String, String>,
}

/// One reply of the model.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Step {
    /// The blocks of the message.
    pub content: Vec<Block>,
    /// Token counts, over the usual ones.
    pub usage: Map<String, Value>,
    /// Why it stops; by default `tool_use` if it calls a tool, else `end_turn`.
    pub stop_reason: Option<String>,
    /// Seconds before anything is answered.
    pub delay_s: f64,
    /// Characters a streamed chunk.
    pub chunk: Option<usize>,
    /// Seconds after each chunk.
    pub chunk_delay_s: f64,
    /// Answers with an error instead.
    pub error: Option<ErrorReply>,
    /// Cuts the connection after so many chunks.
    pub drop_after_chunks: Option<usize>,
    /// Waits at this gate until the test opens it.
    pub gate: Option<String>,
    /// How many chunks are streamed before the gate.
    pub gate_after_chunks: usize,
    /// Headers of the reply.
    pub headers: BTreeMap<String, String>,
}

/// A block of a reply.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Block {
    /// Said to the user.
    Text {
        /// What is said.
        text: String,
    },
    /// Thought before speaking.
    Thinking {
        /// What is thought.
        thinking: String,
        /// The model's seal on it.
        #[serde(default = "signature")]
        signature: String,
    },
    /// A call of a tool.
    ToolUse {
        /// The call's id; by default one that is unique to the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// The tool.
        name: String,
        /// Its arguments.
        input: Value,
    },
}

/// An error of the API.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorReply {
    /// HTTP status.
    pub status: u16,
    /// The API's own name of the error.
    #[serde(rename = "type")]
    pub kind: String,
    /// What a person reads.
    pub message: String,
    /// Tells the client not to try again.
    #[serde(default)]
    pub no_retry: bool,
}

impl Scenario {
    /// A scenario without scripts: everything is answered by "ok", side requests by "side".
    pub fn new() -> Self {
        Self { scripts: BTreeMap::new(), default: ok(), side: Some(Step::say("side")), vars: BTreeMap::new() }
    }

    /// The scenario of a JSON file.
    ///
    /// # Panics
    ///
    /// If the file is absent or not a scenario.
    pub fn from_file(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let text = fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("could not read {}: {error}", path.display()));
        Self::from_json(&text)
    }

    /// The scenario of a JSON text.
    ///
    /// # Panics
    ///
    /// If it is not a scenario.
    pub fn from_json(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("not a scenario: {error}"))
    }

    /// Adds a script.
    #[must_use]
    pub fn script(mut self, key: &str, steps: impl IntoIterator<Item = Step>) -> Self {
        self.scripts.insert(key.to_owned(), steps.into_iter().collect());
        self
    }

    /// Says what `{{name}}` stands for.
    #[must_use]
    pub fn var(mut self, name: &str, value: impl Into<String>) -> Self {
        self.vars.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn pick(&self, history: &[Turn], has_tools: bool) -> Picked {
        if let Some(side) = self.side.as_ref().filter(|_| !has_tools) {
            return Picked { step: side.clone(), name: "side".to_owned() };
        }
        let next = history.iter().enumerate().rev().find_map(|(place, turn)| {
            let Turn::Person(text) = turn else { return None };
            let key = self.last_key_in(text)?;
            let played = history[place..].iter().filter(|turn| matches!(turn, Turn::Assistant)).count();
            Some((key, played))
        });
        let scripted = next.and_then(|(key, played)| {
            let step = self.scripts.get(key)?.get(played)?;
            Some(Picked { step: step.clone(), name: format!("{key}[{played}]") })
        });
        scripted.unwrap_or_else(|| Picked { step: self.default.clone(), name: "default".to_owned() })
    }

    /// The last, since a message may quote older ones; of two at one place the longer.
    fn last_key_in(&self, text: &str) -> Option<&str> {
        let places = self.scripts.keys().filter_map(|key| Some((text.rfind(key.as_str())?, key.len(), key)));
        places.max().map(|(_, _, key)| key.as_str())
    }
}

impl Default for Scenario {
    fn default() -> Self {
        Self::new()
    }
}

impl Step {
    /// Says a text.
    pub fn say(text: impl Into<String>) -> Self {
        Self { content: vec![Block::Text { text: text.into() }], ..Self::default() }
    }

    /// Calls a tool, without a word.
    pub fn call(name: &str, input: Value) -> Self {
        Self::default().tool(name, input)
    }

    /// Answers with an error.
    pub fn fail(status: u16, kind: &str, message: &str) -> Self {
        let error =
            ErrorReply { status, kind: kind.to_owned(), message: message.to_owned(), no_retry: false };
        Self { error: Some(error), ..Self::default() }
    }

    /// Also says a text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.content.push(Block::Text { text: text.into() });
        self
    }

    /// Also calls a tool.
    #[must_use]
    pub fn tool(mut self, name: &str, input: Value) -> Self {
        self.content.push(Block::ToolUse { id: None, name: name.to_owned(), input });
        self
    }

    /// Waits at a gate, after so many chunks.
    #[must_use]
    pub fn gate(mut self, name: &str, after_chunks: usize) -> Self {
        self.gate = Some(name.to_owned());
        self.gate_after_chunks = after_chunks;
        self
    }

    /// Streams so many characters a chunk.
    #[must_use]
    pub fn chunk(mut self, characters: usize) -> Self {
        self.chunk = Some(characters);
        self
    }

    /// Cuts the connection after so many chunks.
    #[must_use]
    pub fn drop_after(mut self, chunks: usize) -> Self {
        self.drop_after_chunks = Some(chunks);
        self
    }

    /// Sets a token count (`input_tokens`, `output_tokens`, `cache_read_input_tokens`, …).
    #[must_use]
    pub fn usage(mut self, name: &str, tokens: u64) -> Self {
        self.usage.insert(name.to_owned(), tokens.into());
        self
    }

    /// Sets a header of the reply.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// This step with each `{{NAME}}` in its texts and tool inputs that `variable` knows replaced.
    pub(super) fn filled(mut self, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        for block in &mut self.content {
            match block {
                Block::Text { text } => *text = filled(text, variable),
                Block::Thinking { thinking, .. } => *thinking = filled(thinking, variable),
                Block::ToolUse { input, .. } => fill(input, variable),
            }
        }
        self
    }
}

/// A message of a request's history, as far as it chooses the reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// A person wrote this.
    Person(String),
    /// A tool's result, which is sent in a person's name.
    Tool,
    /// The model said something.
    Assistant,
}

pub(super) struct Picked {
    pub(super) step: Step,
    pub(super) name: String,
}

fn ok() -> Step {
    Step::say("ok")
}

fn signature() -> String {
    "c2lnbmF0dXJl".to_owned()
}

fn fill(value: &mut Value, variable: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => *text = filled(text, variable),
        Value::Array(values) => values.iter_mut().for_each(|value| fill(value, variable)),
        Value::Object(fields) => fields.values_mut().for_each(|value| fill(value, variable)),
        _ => {}
    }
}

fn filled(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        match after.split_once("}}").and_then(|(name, after)| Some((variable(name)?, after))) {
            Some((value, after)) => {
                out.push_str(&value);
                rest = after;
            }
            None => {
                out.push_str("{{");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario() -> Scenario {
        Scenario::new()
            .script("GO", [Step::say("go 0"), Step::say("go 1")])
            .script("GO-ON", [Step::say("on 0")])
            .script("STOP", [Step::say("stop 0")])
    }

    fn person(text: &str) -> Turn {
        Turn::Person(text.to_owned())
    }

    fn picked(history: &[Turn]) -> String {
        scenario().pick(history, true).name
    }

    #[test]
    fn assistant_messages_since_the_key_count_the_steps() {
        assert_eq!(picked(&[person("please GO")]), "GO[0]");
        assert_eq!(picked(&[person("please GO"), Turn::Assistant, Turn::Tool]), "GO[1]");
        assert_eq!(picked(&[person("please GO"), Turn::Assistant, Turn::Tool, Turn::Assistant]), "default");
    }

    #[test]
    fn the_last_message_with_a_key_decides() {
        assert_eq!(picked(&[person("GO"), Turn::Assistant, person("STOP"), person("a reminder")]), "STOP[0]");
    }

    #[test]
    fn the_last_key_of_a_message_decides_and_the_longer_of_two() {
        assert_eq!(picked(&[person("you said STOP, now GO")]), "GO[0]");
        assert_eq!(picked(&[person("now GO-ON")]), "GO-ON[0]");
    }

    #[test]
    fn requests_without_tools_are_side_requests() {
        assert_eq!(scenario().pick(&[person("GO")], false).name, "side");
    }

    #[test]
    fn known_names_are_filled_in_and_others_left() {
        let fill = |text: &str| filled(text, &|name| (name == "cwd").then(|| "/there".to_owned()));
        assert_eq!(fill("{{cwd}}/a {{other}} {{ {{cwd}}"), "/there/a {{other}} {{ /there");
    }
}
