//! Snapshots of conversations: kept positions, each one small row.

use crate::{
    StoreError, Tx,
    columns::{At, Cells, Entity, json, one},
    db::{affected, on},
    error::Act,
    statements::statements,
};
use makima_model::{CheckpointId, OwnerId, Position, SnapshotId, TaskId, Timestamp, UnknownWord};
use serde_json::Value;
use std::str::FromStr;

/// What a snapshot was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotType {
    /// The end of a turn.
    Auto,
    /// Somebody who asked for it.
    Manual,
    /// A checkpoint.
    Checkpoint,
}

impl SnapshotType {
    /// All of them, in order.
    const ALL: [Self; 3] = [Self::Auto, Self::Manual, Self::Checkpoint];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Manual => "manual",
            Self::Checkpoint => "checkpoint",
        }
    }
}

impl FromStr for SnapshotType {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| UnknownWord {
            what: "type of a snapshot",
            text: text.chars().take(64).collect(),
            known: Self::ALL.map(Self::as_str).join(", "),
        })
    }
}

/// A kept position in a task's conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// Whose it is.
    pub owner: OwnerId,
    /// The task.
    pub task: TaskId,
    /// The checkpoint that it was taken with.
    pub checkpoint: Option<CheckpointId>,
    /// What it was taken for.
    pub kind: SnapshotType,
    /// The position.
    pub position: Position,
    /// More about it.
    pub metadata: Option<Value>,
    /// When it was taken.
    pub created_at: Timestamp,
}

impl Entity for Snapshot {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: cells.id("id")?,
            owner: cells.id("owner_id")?,
            task: cells.id("task_id")?,
            checkpoint: cells.maybe_id("checkpoint_id")?,
            kind: cells.word("snapshot_type")?,
            position: Position { branch: cells.id("branch_id")?, seq: cells.int("message_count")? },
            metadata: cells.maybe_json("metadata")?,
            created_at: cells.at("created_at")?,
        })
    }
}

statements! {
    INSERT = "INSERT INTO conversation_snapshots (id, owner_id, task_id, checkpoint_id, snapshot_type, branch_id, \
        message_count, metadata, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    GET = "SELECT * FROM conversation_snapshots WHERE id = $1 AND owner_id = $2";
    LATEST_OF_TASK = "SELECT * FROM conversation_snapshots WHERE task_id = $1 AND owner_id = $2 \
        ORDER BY created_at DESC, id DESC LIMIT 1";
}

/// Keeps a position. Its checkpoint may be made later in the same transaction.
pub async fn insert(tx: &mut Tx, snapshot: &Snapshot) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(INSERT)
        .bind(snapshot.id.uuid())
        .bind(snapshot.owner.uuid())
        .bind(snapshot.task.uuid())
        .bind(snapshot.checkpoint.map(CheckpointId::uuid))
        .bind(snapshot.kind.as_str())
        .bind(snapshot.position.branch.uuid())
        .bind(snapshot.position.seq)
        .bind(snapshot.metadata.clone().map(json))
        .bind(At(snapshot.created_at))
        .execute(c)
        .await
        .map(affected))
    .act("take a snapshot")?;
    Ok(())
}

/// The snapshot with this id.
pub async fn get(tx: &mut Tx, owner: OwnerId, id: SnapshotId) -> Result<Option<Snapshot>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(GET).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("read a snapshot")?))
}

/// The task's newest snapshot.
pub async fn latest_of_task(
    tx: &mut Tx,
    owner: OwnerId,
    task: TaskId,
) -> Result<Option<Snapshot>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(LATEST_OF_TASK)
        .bind(task.uuid())
        .bind(owner.uuid())
        .fetch_optional(c)
        .await);
    Ok(one(row.act("read a task's newest snapshot")?))
}
