//! Events of a task, and the live feed.

use crate::{ConversationMessage, HistoryEntry};
use makima_model::{EventId, MessageId, TaskEventKind, TaskId, TaskStatus, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// One event of a task, or one piece of its output (specification, §1.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskEvent {
    /// Its id; of output that is a message: the message's.
    pub id: EventId,
    /// The task.
    pub task_id: TaskId,
    /// Its number in the live feed, ascending, with holes.
    pub seq: i64,
    /// The run that it happened in, from 1; 0 outside a run.
    pub run_number: i64,
    /// What happened.
    pub event_type: TaskEventKind,
    /// Of a change of status: the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_status: Option<TaskStatus>,
    /// Of a change of status: the one after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_status: Option<TaskStatus>,
    /// The rest. Of output that is a message: `{"message": …}`, as the conversation has it.
    pub event_data: Value,
    /// When.
    pub created_at: Timestamp,
}

/// A page of events or of output, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskEventList {
    /// The rows.
    pub events: Vec<TaskEvent>,
    /// How many there are in all.
    pub total_count: i64,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// What kind of text streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeltaKind {
    /// What is said.
    Text,
    /// What is thought.
    Thinking,
}

/// A piece of a message that is not complete yet: live only, never stored, may be missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delta {
    /// The task.
    pub task_id: TaskId,
    /// The message that it will be part of. It may never come: an attempt that failed is begun again as another message.
    pub message_id: MessageId,
    /// Whether it is said or thought.
    pub kind: DeltaKind,
    /// The piece.
    pub text: String,
}

/// The `data:` of one event of the live feed; the tag is the `event:` line, so it is not repeated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum FeedData {
    /// `event: history`.
    History(Box<HistoryEntry>),
    /// `event: task`.
    Task(TaskEvent),
    /// `event: message`.
    Message {
        /// The task.
        #[serde(rename = "taskId")]
        task_id: TaskId,
        /// The message.
        message: Box<ConversationMessage>,
    },
    /// `event: delta`, without an `id:`.
    Delta(Delta),
}
