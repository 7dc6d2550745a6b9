//! Snapshots of conversations.

use crate::ConversationMessage;
use makima_model::{CheckpointId, SnapshotId, SnapshotType, TaskId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A kept position in a task's conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// Its task.
    pub task_id: TaskId,
    /// The checkpoint that it was taken with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_id: Option<CheckpointId>,
    /// What it was taken for.
    pub snapshot_type: SnapshotType,
    /// How many messages the conversation had.
    pub message_count: i64,
    /// What was said about it when it was taken.
    pub metadata: Map<String, Value>,
    /// When it was taken.
    pub created_at: Timestamp,
}

/// A snapshot, and the conversation as it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotState {
    /// The snapshot.
    #[serde(flatten)]
    pub snapshot: Snapshot,
    /// The messages, oldest first.
    pub conversation_state: Vec<ConversationMessage>,
}

/// A page of snapshots, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotList {
    /// The rows.
    pub snapshots: Vec<Snapshot>,
    /// How many there are in all.
    pub total_count: i64,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A snapshot to take by hand.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateSnapshot {
    /// What to say about it: any object of at most 64 KiB as JSON, nested at most 32 deep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}
