//! Snapshots of conversations: kept positions, each one small row.

use crate::{
    Key, Noun, Page, Seek, StoreError, Tx,
    columns::{At, Cells, Entity, all, json, one},
    counters::count,
    db::{affected, on},
    error::Act,
    statements::statements,
};
use makima_model::{CheckpointId, OwnerId, Position, SnapshotId, SnapshotType, TaskId, Timestamp};
use serde_json::Value;

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
    GET = "SELECT * FROM conversation_snapshots WHERE id = $1 AND owner_id = $2 AND put_away_by IS NULL";
    LATEST_OF_TASK = "SELECT * FROM conversation_snapshots WHERE task_id = $1 AND owner_id = $2 \
        AND put_away_by IS NULL ORDER BY created_at DESC, id DESC LIMIT 1";
    @lists {
        OF_TASK = "SELECT * FROM conversation_snapshots WHERE owner_id = $4 AND task_id = $5 AND put_away_by IS NULL";
    }
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
    let kind = snapshot.kind.as_str();
    tx.outbox.count(snapshot.owner, snapshot.task.uuid(), Noun::Snapshot, kind, "", 1);
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

/// The task's snapshots.
pub async fn list(
    tx: &mut Tx,
    owner: OwnerId,
    task: TaskId,
    seek: Seek,
) -> Result<Page<Snapshot>, StoreError> {
    let (at, id) = seek.key();
    let rows = on!(tx, |c| sqlx::query_as(OF_TASK.in_order(seek.order))
        .bind(at)
        .bind(id)
        .bind(seek.rows())
        .bind(owner.uuid())
        .bind(task.uuid())
        .fetch_all(c)
        .await);
    let snapshots = all(rows.act("list the snapshots")?);
    let total = count(tx, owner, task.uuid(), Noun::Snapshot, None, None).await?;
    Ok(seek.page(snapshots, total, |snapshot: &Snapshot| Key {
        at: snapshot.created_at,
        id: snapshot.id.uuid(),
    }))
}
