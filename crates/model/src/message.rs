//! The neutral form of what an agent and its users said (specification, §2.2).

use crate::{MessageId, Timestamp, text::words};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

words! {
    /// Who speaks.
    MessageRole, "role of a message" {
        /// A person, or another agent on a person's behalf.
        User = "user",
        /// The agent.
        Assistant = "assistant",
        /// The agent's program.
        System = "system",
        /// A tool that the agent called: its result.
        Tool = "tool",
    }
}

/// A tool that the agent calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToolCall {
    /// The agent's id of the call; the result names it.
    pub id: String,
    /// The tool.
    pub name: String,
    /// What it is called with.
    pub input: Value,
}

/// One message: all blocks of one message of the model together, or one tool result (settled points, §4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Who speaks.
    pub role: MessageRole,
    /// What is said. Never holds thinking; empty in a tool's result, which stands in `tool_result`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content: String,
    /// When it was complete.
    pub timestamp: Timestamp,
    /// What the model thought before it spoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<String>,
    /// The tools that the agent calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Of a tool's result: the call that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// Of a tool's result: the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<String>,
    /// Of a tool's result: what the agent was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_result: Option<String>,
    /// Of a tool's result: whether the tool failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_error: Option<bool>,
    /// Of the agent's: the tokens of the model's answer, read and written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_count: Option<i64>,
    /// Of the agent's: its share of the turn's cost, by tokens. Known when the turn has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Of the agent's: the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Whether the agent was cut off in the middle of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
}

impl Message {
    /// A message of `role` that says `content`, and nothing more.
    pub fn said(id: MessageId, role: MessageRole, content: impl Into<String>, timestamp: Timestamp) -> Self {
        Self {
            id,
            role,
            content: content.into(),
            timestamp,
            thinking: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
            tool_name: None,
            tool_result: None,
            is_error: None,
            token_count: None,
            cost_usd: None,
            model: None,
            incomplete: false,
        }
    }
}
