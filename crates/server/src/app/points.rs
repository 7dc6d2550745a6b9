//! Points: the one place that says which moment of a task a point names (settled points, §3).
//!
//! A moment is of the task's history if its conversation has had it, on whichever branch: what was rewound away has its address
//! still, and so has what a fork shares with the task that it came from.

use crate::error::ApiError;
use makima_model::{
    Branch, CheckpointId, CommitPrefix, MessageId, Point, Position, SnapshotId, Timestamp,
    branch::{current_at, holder},
};
use makima_store::{
    Checkpoint, StoreError, Task, Tx, checkpoints,
    conversations::{self, Place},
    snapshots,
};
use serde_json::json;
use std::collections::BTreeSet;

/// Commits that are told where digits are the beginning of several.
const TOLD: usize = 10;

/// A moment of a task.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moment {
    /// The conversation.
    pub(crate) position: Position,
    /// The nearest checkpoint at or before it, by lineage.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// The commit of that, else the one that the task began with, once a daemon has prepared it.
    pub(crate) commit: Option<String>,
    /// When it was.
    pub(crate) at: Timestamp,
}

/// The moment of `task` that `point` names, or 404. `now` is when the head is.
pub(super) async fn resolve(
    tx: &mut Tx,
    task: &Task,
    point: &Point,
    now: Timestamp,
) -> Result<Moment, ApiError> {
    match point {
        Point::Head | Point::Back(0) => Ok(near(tx, task, head(task), now).await?),
        Point::Back(count) => {
            let left = i64::try_from(*count).map_or(0, |count| task.message_count.saturating_sub(count));
            Ok(back(tx, task, left.max(0)).await?)
        }
        Point::Time(at) => Ok(at_time(tx, task, *at).await?),
        Point::Message(id) => {
            let place = message(tx, task, *id).await?;
            Ok(near(tx, task, place.after(), place.at).await?)
        }
        Point::Snapshot(id) => snapshot(tx, task, *id).await,
        Point::Number(number) => {
            let found = checkpoints::by_number(tx, task.owner, task.id, *number).await?;
            found.map(of_checkpoint).ok_or_else(no_checkpoint)
        }
        Point::Checkpoint(id) => Ok(of_checkpoint(checkpoint(tx, task, *id).await?)),
        Point::Commit(prefix) => Ok(of_checkpoint(checkpoint_of_commit(tx, task, prefix).await?)),
    }
}

/// The task's newest checkpoint of the one commit whose name begins so.
pub(super) async fn checkpoint_of_commit(
    tx: &mut Tx,
    task: &Task,
    prefix: &CommitPrefix,
) -> Result<Checkpoint, ApiError> {
    let all = checkpoints::of_commit(tx, task.owner, task.id, prefix).await?;
    let (own, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.task == task.id);
    let mut found = own;
    if found.is_empty() {
        for other in others {
            if is_of_history(tx, task, other.position).await? {
                found.push(other);
            }
        }
    }
    let commits: BTreeSet<&str> = found.iter().map(|one| one.commit_sha.as_str()).collect();
    if commits.len() > 1 {
        let message = format!(
            "{} is the beginning of {} commits of this task's checkpoints: say more of it",
            prefix.as_str(),
            commits.len()
        );
        let told: Vec<&str> = commits.into_iter().take(TOLD).collect();
        return Err(ApiError::unprocessable(message).with(json!({ "candidates": told })));
    }
    let newest = found.first().ok_or_else(no_checkpoint)?;
    checkpoints::by_id(tx, task.owner, newest.id).await?.ok_or_else(no_checkpoint)
}

/// Where a message of the task's history stands, or 404.
async fn message(tx: &mut Tx, task: &Task, id: MessageId) -> Result<Place, ApiError> {
    for place in conversations::places(tx, task.owner, id).await? {
        if is_of_history(tx, task, place.after()).await? {
            return Ok(place);
        }
    }
    Err(ApiError::not_found("message of that task"))
}

/// The message of this id, and the conversation that holds it: the one that goes on before those that were left, of these the newest.
pub(super) async fn around(tx: &mut Tx, task: &Task, id: MessageId) -> Result<(Position, Place), ApiError> {
    let history = conversations::history(tx, task.owner, task.id).await?;
    for place in conversations::places(tx, task.owner, id).await? {
        let (current, left): (Vec<&Branch>, Vec<&Branch>) =
            history.own.iter().rev().partition(|branch| branch.id == task.conversation);
        let holder = holder(&history.all, current.into_iter().chain(left), place.after());
        if let Some(branch) = holder.map_err(StoreError::from)? {
            return Ok((branch.head(), place));
        }
    }
    Err(ApiError::not_found("message of that task"))
}

/// Whether the task's conversation has had this moment.
pub(super) async fn is_of_history(tx: &mut Tx, task: &Task, at: Position) -> Result<bool, StoreError> {
    let history = conversations::history(tx, task.owner, task.id).await?;
    Ok(holder(&history.all, &history.own, at)?.is_some())
}

async fn checkpoint(tx: &mut Tx, task: &Task, id: CheckpointId) -> Result<Checkpoint, ApiError> {
    let found = checkpoints::by_id(tx, task.owner, id).await?.ok_or_else(no_checkpoint)?;
    if found.task != task.id && !is_of_history(tx, task, found.position).await? {
        return Err(no_checkpoint());
    }
    Ok(found)
}

fn no_checkpoint() -> ApiError {
    ApiError::not_found("checkpoint of that task")
}

async fn snapshot(tx: &mut Tx, task: &Task, id: SnapshotId) -> Result<Moment, ApiError> {
    let found = snapshots::get(tx, task.owner, id).await?.filter(|found| found.task == task.id);
    let found = found.ok_or_else(|| ApiError::not_found("snapshot of that task"))?;
    if let Some(id) = found.checkpoint
        && let Some(checkpoint) = checkpoints::by_id(tx, task.owner, id).await?
    {
        return Ok(Moment { position: found.position, at: found.created_at, ..of_checkpoint(checkpoint) });
    }
    Ok(near(tx, task, found.position, found.created_at).await?)
}

/// After so many messages of the conversation that goes on.
async fn back(tx: &mut Tx, task: &Task, seq: i64) -> Result<Moment, StoreError> {
    let position = Position { branch: task.conversation, seq };
    let lineage = conversations::lineage(tx, task.owner, position.branch).await?;
    match conversations::place(tx, task.owner, &lineage, position, seq - 1).await? {
        Some(place) => near(tx, task, position, place.at).await,
        None => Ok(beginning(task, position, task.created_at)),
    }
}

/// After the last message at or before this time, of the branch that was the newest then.
async fn at_time(tx: &mut Tx, task: &Task, at: Timestamp) -> Result<Moment, StoreError> {
    let branches = conversations::of_task(tx, task.owner, task.id).await?;
    let end = current_at(&branches, at).map_or(head(task), Branch::head);
    let lineage = conversations::lineage(tx, task.owner, end.branch).await?;
    let seq = conversations::until(tx, task.owner, &lineage, end, at).await?;
    let position = Position { seq, ..end };
    if seq == 0 {
        return Ok(beginning(task, position, at));
    }
    near(tx, task, position, at).await
}

/// Where the task's conversation stands.
pub(super) fn head(task: &Task) -> Position {
    Position { branch: task.conversation, seq: task.message_count }
}

/// Before the first message: the empty conversation, and the commit that the task began with.
fn beginning(task: &Task, position: Position, at: Timestamp) -> Moment {
    Moment { position, checkpoint: None, commit: base_commit(task), at }
}

fn of_checkpoint(checkpoint: Checkpoint) -> Moment {
    Moment {
        position: checkpoint.position,
        at: checkpoint.made.at,
        commit: Some(checkpoint.made.commit_sha.clone()),
        checkpoint: Some(checkpoint),
    }
}

/// A position, with the checkpoint that is nearest to it.
async fn near(tx: &mut Tx, task: &Task, position: Position, at: Timestamp) -> Result<Moment, StoreError> {
    let lineage = conversations::lineage(tx, task.owner, position.branch).await?;
    let checkpoint = checkpoints::nearest(tx, task.owner, &lineage, position).await?;
    let commit = checkpoint.as_ref().map(|nearest| nearest.made.commit_sha.clone());
    Ok(Moment { position, commit: commit.or_else(|| base_commit(task)), checkpoint, at })
}

/// The commit that the task began with. A repository that had none has none here either.
fn base_commit(task: &Task) -> Option<String> {
    task.base_commit.clone().filter(|commit| !commit.is_empty())
}
