//! Checkpoints: commits that hold a worktree, with the position of the conversation at that moment.

use crate::{
    Key, Noun, Page, Seek, StoreError, Tx,
    columns::{At, Cells, Entity, all, json_of, maybe_text, one, text},
    db::{affected, on},
    error::Act,
    statements::statements,
};
use makima_model::{
    BlobRef, Branch, CheckpointId, CheckpointMade, CommitPrefix, OperationId, OwnerId, Position, RunId,
    SnapshotId, SnapshotType, TaskId, Timestamp, branch::way,
};

/// A checkpoint of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose it is.
    pub owner: OwnerId,
    /// The task.
    pub task: TaskId,
    /// The run that it was made in.
    pub run: Option<RunId>,
    /// The conversation at that moment.
    pub position: Position,
    /// The snapshot that was taken with it.
    pub snapshot: Option<SnapshotId>,
    /// The checkpoint as the daemon made it, but for its number where that was taken.
    pub made: CheckpointMade,
}

impl Entity for Checkpoint {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        let patch = match (cells.maybe_text("patch_hash")?, cells.maybe_int("patch_bytes")?) {
            (Some(hash), Some(_)) => Some(BlobRef { hash, bytes: cells.size("patch_bytes")? }),
            _ => None,
        };
        let turn = match cells.maybe_int("turn")? {
            Some(_) => Some(cells.size("turn")?),
            None => None,
        };
        Ok(Self {
            owner: cells.id("owner_id")?,
            task: cells.id("task_id")?,
            run: cells.maybe_id("run_id")?,
            position: Position { branch: cells.id("branch_id")?, seq: cells.int("message_count")? },
            snapshot: cells.maybe_id("conversation_snapshot_id")?,
            made: CheckpointMade {
                id: cells.id("id")?,
                number: cells.int("checkpoint_number")?,
                kind: cells.word("kind")?,
                turn,
                at: cells.at("created_at")?,
                commit_sha: cells.text("commit_sha")?,
                branch_name: cells.text("branch_name")?,
                message: cells.text("message")?,
                previous: cells.maybe_id("previous_checkpoint_id")?,
                files_changed: cells.json("files_changed")?,
                lines_added: cells.size("lines_added")?,
                lines_removed: cells.size("lines_removed")?,
                not_held: cells.json("not_held")?,
                patch,
            },
        })
    }
}

statements! {
    // Changes nothing: with the task's row locked, its checkpoints are numbered one after the other.
    LOCK = "UPDATE tasks SET checkpoint_count = checkpoint_count WHERE id = $1 AND owner_id = $2";
    COUNT = "UPDATE tasks SET checkpoint_count = checkpoint_count + 1, last_checkpoint_sha = $3, \
        checkpoint_message = $4, updated_at = $5 WHERE id = $1 AND owner_id = $2";
    NUMBER = "SELECT CASE WHEN EXISTS (SELECT 1 FROM task_checkpoints WHERE task_id = $1 AND checkpoint_number = $2) \
        THEN (SELECT MAX(checkpoint_number) + 1 FROM task_checkpoints WHERE task_id = $1) \
        ELSE CAST($2 AS BIGINT) END";
    INSERT = "INSERT INTO task_checkpoints (id, owner_id, task_id, run_id, checkpoint_number, kind, turn, commit_sha, \
        branch_name, message, previous_checkpoint_id, files_changed, lines_added, lines_removed, not_held, patch_hash, \
        patch_bytes, branch_id, message_count, conversation_snapshot_id, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)";
    BY_ID = "SELECT * FROM task_checkpoints WHERE id = $1 AND owner_id = $2 AND put_away_by IS NULL";
    IS_THERE = "SELECT * FROM task_checkpoints WHERE id = $1 AND owner_id = $2";
    PUT_AWAY = "UPDATE task_checkpoints SET put_away_by = $3 WHERE id = $1 AND owner_id = $2";
    PUT_SNAPSHOT_AWAY = "UPDATE conversation_snapshots SET put_away_by = $3 WHERE id = $1 AND owner_id = $2";
    COUNT_AGAIN = "UPDATE tasks SET checkpoint_count = checkpoint_count + $3, last_checkpoint_sha = $4, \
        checkpoint_message = $5, updated_at = $6 WHERE id = $1 AND owner_id = $2";
    BY_NUMBER = "SELECT * FROM task_checkpoints WHERE task_id = $1 AND owner_id = $2 AND checkpoint_number = $3 \
        AND put_away_by IS NULL";
    // Of several at one place: the one that none there follows.
    NEAREST = "SELECT * FROM task_checkpoints AS nearest WHERE branch_id = $1 AND owner_id = $2 AND message_count <= $3 \
        AND put_away_by IS NULL AND NOT EXISTS (SELECT 1 FROM task_checkpoints AS next WHERE next.branch_id = $1 \
        AND next.message_count = nearest.message_count AND next.previous_checkpoint_id = nearest.id \
        AND next.put_away_by IS NULL) ORDER BY message_count DESC, created_at DESC, id DESC LIMIT 1";
    OF_COMMIT = "SELECT id, task_id, branch_id, message_count, commit_sha FROM task_checkpoints WHERE owner_id = $1 \
        AND commit_sha >= $2 AND commit_sha < $3 AND put_away_by IS NULL \
        ORDER BY CASE WHEN task_id = $4 THEN 0 ELSE 1 END, checkpoint_number DESC LIMIT 1000";
    LATEST = "SELECT * FROM task_checkpoints WHERE task_id = $1 AND owner_id = $2 AND put_away_by IS NULL \
        ORDER BY checkpoint_number DESC LIMIT 1";
    LATEST_BUT = "SELECT * FROM task_checkpoints WHERE task_id = $1 AND owner_id = $2 AND put_away_by IS NULL \
        AND id <> $3 ORDER BY checkpoint_number DESC LIMIT 1";
    KEPT = "SELECT checkpoint_count FROM tasks WHERE id = $1 AND owner_id = $2";
    @lists {
        OF_TASK = "SELECT * FROM task_checkpoints WHERE owner_id = $4 AND task_id = $5 AND put_away_by IS NULL";
    }
}

/// Keeps a checkpoint, and what its task tells of its newest. Where another has its number it gets the next free one. The
/// number is answered; `None` where the checkpoint was there already, and stays as it was.
pub async fn insert(tx: &mut Tx, checkpoint: &Checkpoint) -> Result<Option<i64>, StoreError> {
    let act = "keep a checkpoint";
    let Checkpoint { owner, task, run, position, snapshot, made } = checkpoint;
    on!(tx, |c| sqlx::query(LOCK).bind(task.uuid()).bind(owner.uuid()).execute(c).await.map(affected))
        .act(act)?;
    if even_put_away(tx, *owner, made.id).await?.is_some() {
        return Ok(None);
    }
    let number: i64 =
        on!(tx, |c| sqlx::query_scalar(NUMBER).bind(task.uuid()).bind(made.number).fetch_one(c).await)
            .act(act)?;
    let files_changed = json_of(&made.files_changed, "files_changed").act(act)?;
    let not_held = json_of(&made.not_held, "not_held").act(act)?;
    on!(tx, |c| sqlx::query(INSERT)
        .bind(made.id.uuid())
        .bind(owner.uuid())
        .bind(task.uuid())
        .bind(run.map(RunId::uuid))
        .bind(number)
        .bind(made.kind.as_str())
        .bind(made.turn.map(i64::from))
        .bind(text(&made.commit_sha))
        .bind(text(&made.branch_name))
        .bind(text(&made.message))
        .bind(made.previous.map(CheckpointId::uuid))
        .bind(files_changed)
        .bind(whole(made.lines_added))
        .bind(whole(made.lines_removed))
        .bind(not_held)
        .bind(maybe_text(made.patch.as_ref().map(|patch| patch.hash.as_str())))
        .bind(made.patch.as_ref().map(|patch| whole(patch.bytes)))
        .bind(position.branch.uuid())
        .bind(position.seq)
        .bind(snapshot.map(SnapshotId::uuid))
        .bind(At(made.at))
        .execute(c)
        .await
        .map(affected))
    .act(act)?;
    on!(tx, |c| sqlx::query(COUNT)
        .bind(task.uuid())
        .bind(owner.uuid())
        .bind(text(&made.commit_sha))
        .bind(text(&made.message))
        .bind(At(made.at))
        .execute(c)
        .await
        .map(affected))
    .act(act)?;
    Ok(Some(number))
}

/// A count as the databases have it: none comes near the end of it.
fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The checkpoint with this id.
pub async fn by_id(tx: &mut Tx, owner: OwnerId, id: CheckpointId) -> Result<Option<Checkpoint>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(BY_ID).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("read a checkpoint")?))
}

/// The checkpoint with this id, even one that was put away.
pub async fn even_put_away(
    tx: &mut Tx,
    owner: OwnerId,
    id: CheckpointId,
) -> Result<Option<Checkpoint>, StoreError> {
    let row =
        on!(tx, |c| sqlx::query_as(IS_THERE).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("read a checkpoint")?))
}

/// Puts a checkpoint and the snapshot that was taken with it away for an operation, or has them again (`by`: `None`). It keeps its
/// number either way.
pub async fn put_away(
    tx: &mut Tx,
    checkpoint: &Checkpoint,
    by: Option<OperationId>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let act = "put a checkpoint away";
    let Checkpoint { owner, task, snapshot, made, .. } = checkpoint;
    let both = [(PUT_AWAY, Some(made.id.uuid())), (PUT_SNAPSHOT_AWAY, snapshot.map(SnapshotId::uuid))];
    for (statement, id) in both {
        let Some(id) = id else { continue };
        on!(tx, |c| sqlx::query(statement)
            .bind(id)
            .bind(owner.uuid())
            .bind(by.map(OperationId::uuid))
            .execute(c)
            .await
            .map(affected))
        .act(act)?;
    }
    let change: i64 = if by.is_some() { -1 } else { 1 };
    if snapshot.is_some() {
        let kind = SnapshotType::Checkpoint.as_str();
        tx.outbox.count(*owner, task.uuid(), Noun::Snapshot, kind, "", change);
    }
    let newest = latest(tx, *owner, *task).await?.map(|newest| newest.made);
    on!(tx, |c| sqlx::query(COUNT_AGAIN)
        .bind(task.uuid())
        .bind(owner.uuid())
        .bind(change)
        .bind(maybe_text(newest.as_ref().map(|newest| newest.commit_sha.as_str())))
        .bind(maybe_text(newest.as_ref().map(|newest| newest.message.as_str())))
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act(act)?;
    Ok(())
}

/// The task's checkpoint with this number.
pub async fn by_number(
    tx: &mut Tx,
    owner: OwnerId,
    task: TaskId,
    number: i64,
) -> Result<Option<Checkpoint>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(BY_NUMBER)
        .bind(task.uuid())
        .bind(owner.uuid())
        .bind(number)
        .fetch_optional(c)
        .await);
    Ok(one(row.act("read a checkpoint")?))
}

/// The nearest checkpoint at or before `at`: the last that was made on the way there, on the branches that it leads through.
/// `lineage` is [that](crate::conversations::lineage) of the position's branch.
pub async fn nearest(
    tx: &mut Tx,
    owner: OwnerId,
    lineage: &[Branch],
    at: Position,
) -> Result<Option<Checkpoint>, StoreError> {
    for passed in way(lineage, at)? {
        let row = on!(tx, |c| sqlx::query_as(NEAREST)
            .bind(passed.branch.uuid())
            .bind(owner.uuid())
            .bind(passed.seq)
            .fetch_optional(c)
            .await);
        if let Some(checkpoint) = one(row.act("look for the nearest checkpoint")?) {
            return Ok(Some(checkpoint));
        }
    }
    Ok(None)
}

/// A checkpoint, as its commit finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfCommit {
    /// Its id.
    pub id: CheckpointId,
    /// Its task.
    pub task: TaskId,
    /// The conversation at that moment.
    pub position: Position,
    /// The commit.
    pub commit_sha: String,
}

impl Entity for OfCommit {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: cells.id("id")?,
            task: cells.id("task_id")?,
            position: Position { branch: cells.id("branch_id")?, seq: cells.int("message_count")? },
            commit_sha: cells.text("commit_sha")?,
        })
    }
}

/// The owner's checkpoints whose commit's name begins with these digits, those of `task` before all others, of each task the newest
/// first: a thousand at most.
pub async fn of_commit(
    tx: &mut Tx,
    owner: OwnerId,
    task: TaskId,
    prefix: &CommitPrefix,
) -> Result<Vec<OfCommit>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(OF_COMMIT)
        .bind(owner.uuid())
        .bind(prefix.as_str())
        // What is behind every name that begins so: no digit is a `g`.
        .bind(format!("{}g", prefix.as_str()))
        .bind(task.uuid())
        .fetch_all(c)
        .await);
    Ok(all(rows.act("look for a commit's checkpoint")?))
}

/// The task's checkpoint with the highest number.
pub async fn latest(tx: &mut Tx, owner: OwnerId, task: TaskId) -> Result<Option<Checkpoint>, StoreError> {
    let row =
        on!(tx, |c| sqlx::query_as(LATEST).bind(task.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("read a task's newest checkpoint")?))
}

/// The task's checkpoint with the highest number, besides this one.
pub async fn latest_but(
    tx: &mut Tx,
    owner: OwnerId,
    task: TaskId,
    id: CheckpointId,
) -> Result<Option<Checkpoint>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(LATEST_BUT)
        .bind(task.uuid())
        .bind(owner.uuid())
        .bind(id.uuid())
        .fetch_optional(c)
        .await);
    Ok(one(row.act("read a task's newest checkpoint")?))
}

/// The task's checkpoints.
pub async fn list(
    tx: &mut Tx,
    owner: OwnerId,
    task: TaskId,
    seek: Seek,
) -> Result<Page<Checkpoint>, StoreError> {
    let act = "list the checkpoints";
    let (at, id) = seek.key();
    let rows = on!(tx, |c| sqlx::query_as(OF_TASK.in_order(seek.order))
        .bind(at)
        .bind(id)
        .bind(seek.rows())
        .bind(owner.uuid())
        .bind(task.uuid())
        .fetch_all(c)
        .await);
    let checkpoints = all(rows.act(act)?);
    let total: Option<i64> =
        on!(tx, |c| sqlx::query_scalar(KEPT).bind(task.uuid()).bind(owner.uuid()).fetch_optional(c).await)
            .act(act)?;
    Ok(seek.page(checkpoints, total.unwrap_or(0), |checkpoint: &Checkpoint| Key {
        at: checkpoint.made.at,
        id: checkpoint.made.id.uuid(),
    }))
}
