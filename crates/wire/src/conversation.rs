//! Conversations (specification, §2.2).

use crate::shape::PointText;
use makima_model::{
    BranchId, BranchReason, CheckpointId, MessageId, MessageRole, Point, TaskId, TaskStatus, Timestamp,
    ToolCall,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Which of a conversation is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReadConversation {
    /// Whether what tools are called with is part of it: `toolCalls` and `toolInput`; absent: yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_tool_calls: Option<bool>,
    /// Whether tools' results are part of it, the messages of role `tool`; absent: yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_tool_results: Option<bool>,
    /// How many messages at most, 1000 at most: the last ones. Absent: all of them.
    #[param(minimum = 1, maximum = 1000)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// What is older than an answer that was given before: its `cursor`, with the same query but for `limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// As it was at this point, also one on a part that was rewound away; absent: as it is now.
    #[param(value_type = Option<PointText>, inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Point>,
    /// What stands around this message: half of `limit` before it, the rest from it on. Without `at`, of the conversation that holds
    /// it, even where that was rewound away. Not together with `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub around: Option<MessageId>,
}

/// A moment of a task, which a point named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// The branch of the conversation.
    pub branch_id: BranchId,
    /// How many messages the conversation had.
    pub message_count: i64,
    /// The nearest checkpoint at or before it, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_id: Option<CheckpointId>,
    /// The commit of that, else the one that the task began with; absent until a daemon has prepared the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_sha: Option<String>,
    /// When it was.
    pub timestamp: Timestamp,
}

/// A branch of a task's conversation. Rewinding begins one, so that the others have what was rewound away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Branch {
    /// Its id.
    pub id: BranchId,
    /// The branch that it goes on from; absent where it begins with nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_branch_id: Option<BranchId>,
    /// How many messages it has of that: the index of the first of its own.
    pub base_seq: i64,
    /// How many messages the conversation has at its head.
    pub head_seq: i64,
    /// Why it was begun.
    pub reason: BranchReason,
    /// Whether the conversation goes on from it.
    pub current: bool,
    /// When it was begun.
    pub created_at: Timestamp,
}

/// A page of a conversation's branches, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BranchList {
    /// The rows.
    pub branches: Vec<Branch>,
    /// How many there are in all.
    pub total_count: i64,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A task's conversation, or some of it, oldest first.
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
    /// Of a conversation at a point: the moment. Not with a cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moment: Option<Moment>,
    /// Where what is older begins; absent where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
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
