//! Checkpoints.

use crate::shape::{CheckpointMessage, CheckpointName, PointText, WorktreeFile};
use makima_model::{
    CheckpointId, CheckpointKind, FileChange, NotHeld, Point, SnapshotId, TaskId, Timestamp, diff::GitDiff,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A git commit that holds the worktree as it was, and the position in the conversation at that moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// Its id.
    pub id: CheckpointId,
    /// Its task.
    pub task_id: TaskId,
    /// Its number in the task, from 1.
    pub checkpoint_number: i64,
    /// What it was made for.
    pub kind: CheckpointKind,
    /// The commit.
    pub commit_sha: String,
    /// The branch that the worktree was on; empty where its HEAD was detached.
    pub branch_name: String,
    /// What it is called.
    pub message: String,
    /// What changed since the checkpoint before it, or since the base commit.
    pub files_changed: Vec<FileChange>,
    /// Lines added in all files.
    pub lines_added: i64,
    /// Lines removed in all files.
    pub lines_removed: i64,
    /// What the worktree had and the commit hasn't.
    pub not_held: Vec<NotHeld>,
    /// Whether the server has all that is needed to restore it; else it is on its daemon's machine alone.
    pub stored: bool,
    /// The checkpoint that it followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_checkpoint_id: Option<CheckpointId>,
    /// The conversation at that moment; absent once that snapshot is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_snapshot_id: Option<SnapshotId>,
    /// How many messages that was.
    pub message_count: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A page of checkpoints, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointList {
    /// The rows.
    pub checkpoints: Vec<Checkpoint>,
    /// How many there are in all.
    pub total_count: i64,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A checkpoint to make by hand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateCheckpoint {
    /// What to call it: at most 10,000 characters; absent: the task's name.
    #[schema(value_type = Option<CheckpointMessage>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Which checkpoint of which task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub struct CheckpointPath {
    /// The task.
    pub id: TaskId,
    /// The checkpoint: its id, its number, or its commit (7 digits or more).
    #[param(value_type = CheckpointName, inline)]
    pub cid: String,
}

/// How a difference is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DiffQuery {
    /// What to compare it with: a point; absent: the checkpoint before it.
    #[param(value_type = Option<PointText>, inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Point>,
    /// This file alone, by its name now or before, as it is shown.
    #[param(value_type = Option<WorktreeFile>, inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How many lines around a change go with it: 3 unless told.
    #[param(minimum = 0, maximum = 100000)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<u32>,
    /// Whether changes of white space alone are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_whitespace: Option<bool>,
}

/// What differs between a checkpoint and another moment of its task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointDiff {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// What differs.
    pub diff: GitDiff,
    /// The checkpoint that it is compared with: the one before it, or the one that `from` comes to; absent: the commit that the task
    /// began from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_checkpoint: Option<Checkpoint>,
}
