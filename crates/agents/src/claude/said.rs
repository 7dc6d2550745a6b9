//! What Claude Code's messages say, in the form that it streams them and in the one that it records them.

use makima_model::{Message, MessageId, MessageRole, Timestamp};
use serde_json::Value;

/// How the program marks, in the user's name, that a turn was interrupted.
pub(super) const INTERRUPTED: &str = "[Request interrupted by user";

/// The model that the program names for what it says itself.
pub(super) const SYNTHETIC: &str = "<synthetic>";

/// What the program says where it has nothing to say.
pub(super) const NOTHING: &str = "(no content)";

/// How a message begins that tells of a compaction: what stands before it, the model no longer sees.
pub(super) const COMPACTED: &str = "The conversation was compacted.";

/// What the message says that tells of a compaction.
pub(super) fn compacted(summary: Option<&str>) -> String {
    match summary {
        Some(summary) => format!("{COMPACTED}\n\n{summary}"),
        None => COMPACTED.to_owned(),
    }
}

/// The message of a `tool_result` block.
pub(super) fn tool_result(block: &Value, id: MessageId, tool: Option<String>, at: Timestamp) -> Message {
    let result = match &block["content"] {
        Value::String(result) => result.clone(),
        content => joined(content),
    };
    Message {
        tool_name: tool,
        tool_result: Some(result),
        is_error: Some(block["is_error"] == true),
        tool_call_id: Some(text(&block["tool_use_id"]).to_owned()),
        ..Message::said(id, MessageRole::Tool, "", at)
    }
}

/// The text of a message's content: a string, or the texts of its blocks. What is no text is named.
pub(super) fn joined(content: &Value) -> String {
    if let Value::String(text) = content {
        return text.clone();
    }
    let blocks = content.as_array().into_iter().flatten();
    let texts = blocks.filter_map(|block| match text(&block["type"]) {
        "text" => Some(text(&block["text"]).to_owned()),
        "tool_result" | "" => None,
        kind => Some(format!("[{kind}]")),
    });
    texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The text that a value is; nothing if it is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
