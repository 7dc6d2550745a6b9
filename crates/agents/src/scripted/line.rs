//! The lines that the scripted agent and its adapter exchange.

use makima_model::{Answer, FailureKind, QuestionKind, ToolCall, Usage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the agent is told: a line of its standard input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Told {
    /// A turn begins with these messages.
    Say { messages: Vec<Said> },
    /// The turn is to end.
    Interrupt,
    /// The answer to a question.
    Answer { ask: String, answer: Answer },
}

/// A user's message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) id: String,
    pub(super) content: String,
}

/// What the agent tells: a line of its standard output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Line {
    /// It is there.
    Ready { session: String, version: String },
    /// It has put a user's message into its record.
    Heard { id: String, native: String },
    /// A piece of its message.
    Text { text: String },
    /// A piece of its thinking.
    Thinking { text: String },
    /// A message of it, or, where it was cut off, what there is of it.
    Message {
        native: String,
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thinking: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<ToolCall>,
        usage: Usage,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        incomplete: bool,
    },
    /// What a tool answered.
    Result { native: String, call: String, tool: String, text: String, error: bool },
    /// It asks its owner.
    Ask {
        ask: String,
        kind: QuestionKind,
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        choices: Option<Vec<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<Value>,
    },
    /// The turn is over.
    Turn {
        outcome: Outcome,
        usage: Usage,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cost_usd: Option<f64>,
    },
}

/// How a turn ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "snake_case")]
pub(super) enum Outcome {
    Completed,
    Interrupted,
    Failed { kind: FailureKind, message: String },
}
