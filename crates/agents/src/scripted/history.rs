//! What the scripted agent remembers of its conversation: its session file, a JSON object a line.

use makima_model::{Message, MessageRole, ToolCall};
use serde::{Deserialize, Serialize};

/// A line of the session file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub(super) enum Remembered {
    User {
        uuid: String,
        text: String,
    },
    Assistant {
        uuid: String,
        text: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<ToolCall>,
    },
    Tool {
        uuid: String,
        call: String,
        tool: String,
        text: String,
        error: bool,
    },
}

impl Remembered {
    /// A message of a conversation, as the agent would have written it down; `None` for what it never said nor heard.
    pub(super) fn of(message: &Message) -> Option<Self> {
        let uuid = message.id.to_string();
        Some(match message.role {
            MessageRole::User => Self::User { uuid, text: message.content.clone() },
            MessageRole::Assistant => {
                Self::Assistant { uuid, text: message.content.clone(), calls: message.tool_calls.clone() }
            }
            MessageRole::Tool => Self::Tool {
                uuid,
                call: message.tool_call_id.clone().unwrap_or_default(),
                tool: message.tool_name.clone().unwrap_or_default(),
                text: message.tool_result.clone().unwrap_or_default(),
                error: message.is_error.unwrap_or_default(),
            },
            MessageRole::System => return None,
        })
    }
}

/// The conversation so far. A line that can't be read is passed over: a file may end in the middle of one.
pub(super) fn read(file: &[u8]) -> Vec<Remembered> {
    file.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}
