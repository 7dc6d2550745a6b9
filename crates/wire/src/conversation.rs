//! Conversations (specification, §2.2).

use makima_model::{MessageId, MessageRole, TaskId, TaskStatus, Timestamp, ToolCall};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A task's conversation, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    /// The task.
    pub task_id: TaskId,
    /// Its name.
    pub task_name: String,
    /// Where it stands.
    pub status: TaskStatus,
    /// Tokens read and written by all its runs.
    pub total_tokens: i64,
    /// What they cost, in US dollars, as far as the agent tells it.
    pub total_cost: f64,
    /// The messages.
    pub messages: Vec<ConversationMessage>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationMessage {
    /// Its id.
    pub id: MessageId,
    /// Who speaks.
    pub role: MessageRole,
    /// What is said; empty for a tool, whose result stands in `toolResult`.
    pub content: String,
    /// When it was complete.
    pub timestamp: Timestamp,
    /// Its index in the conversation, from 0.
    pub index: i64,
    /// The run that it was said in, from 1; 0 in a session that was imported.
    pub run_number: i64,
    /// What the model thought before it spoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<String>,
    /// The tools that the agent calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Vec<ToolCall>>,
    /// Of a tool: the call that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// Of a tool: its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<String>,
    /// Of a tool: what it was called with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_input: Option<Value>,
    /// Of a tool: what the agent was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_result: Option<String>,
    /// Of a tool: whether it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_error: Option<bool>,
    /// Of the agent: tokens of the model's answer, read and written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_count: Option<i64>,
    /// Of the agent: its share of the turn's cost, by tokens. Absent until the turn has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Of the agent: the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Whether the agent was cut off in the middle of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
}
