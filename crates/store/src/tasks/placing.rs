//! A task's way from waiting to a daemon, and its status. Every change of status is guarded by the one before it: of two
//! who change it at once, one is told that it didn't.

use super::{Task, tasks};
use crate::{
    StoreError, Tx,
    columns::{At, all, json_of, maybe_text, text},
    db::{affected, on},
    error::Act,
    statements::statements,
};
use makima_model::{DaemonId, OwnerId, TaskId, TaskStatus, Timestamp};
use sqlx::types::Uuid;

statements! {
    SET_STATUS = "UPDATE tasks SET status = $4, status_reason = $5, updated_at = $6, \
        started_at = CASE WHEN $7 THEN COALESCE(started_at, $6) ELSE started_at END, \
        completed_at = CASE WHEN $8 THEN $6 ELSE NULL END \
        WHERE id = $1 AND owner_id = $2 AND status = $3 AND deleted_at IS NULL";
    SET_REASON = "UPDATE tasks SET status_reason = $4, updated_at = $5 WHERE id = $1 AND owner_id = $2 AND status = $3 \
        AND status_reason IS DISTINCT FROM $4";
    SET_WANTED = "UPDATE tasks SET wanted = $3, updated_at = $4 WHERE id = $1 AND owner_id = $2";
    SET_CANCELLING = "UPDATE tasks SET cancelling = $3, updated_at = $4 WHERE id = $1 AND owner_id = $2";
    SET_TARGET = "UPDATE tasks SET target_daemon_id = $3, out_of_reach = $4, updated_at = $5 \
        WHERE id = $1 AND owner_id = $2";
    SET_OUT_OF_REACH = "UPDATE tasks SET out_of_reach = $3 WHERE id = $1 AND owner_id = $2";
    // Change nothing: who has the row's lock changes it by what it reads.
    LOCK = "UPDATE tasks SET updated_at = updated_at WHERE id = $1 AND owner_id = $2";
    // Nothing is started while something is about to change what it would start with.
    PLACEABLE = tasks!("owner_id = $1 AND status = 'pending' AND wanted AND deleted_at IS NULL AND NOT EXISTS \
        (SELECT 1 FROM operations WHERE operations.state = 'prepared' AND operations.kind <> 'checkpoint' \
        AND (operations.task_id = tasks.id \
        OR (operations.task_id IS NULL AND operations.contract_id = tasks.contract_id))) ORDER BY created_at, id");
    OWNERS = "SELECT DISTINCT owner_id FROM tasks WHERE status = 'pending' AND wanted AND deleted_at IS NULL ORDER BY owner_id";
    PLACED = "UPDATE tasks SET daemon_id = $3, run_number = $4, agent = $5, updated_at = $6, completed_at = NULL \
        WHERE id = $1 AND owner_id = $2";
}

/// Changes a task's status, if it still is `from`, and says whether it did. Whether the one may follow the other is the
/// caller's to know.
pub async fn set_status(
    tx: &mut Tx,
    owner: OwnerId,
    id: TaskId,
    from: TaskStatus,
    to: TaskStatus,
    reason: Option<&str>,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(SET_STATUS)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(from.as_str())
        .bind(to.as_str())
        .bind(maybe_text(reason))
        .bind(At(at))
        .bind(to == TaskStatus::Running)
        .bind(to.is_over())
        .execute(c)
        .await
        .map(affected))
    .act("change a task's status")?;
    Ok(changed > 0)
}

/// Changes why a task stands where it stands, if it still stands there, and says whether that is new.
pub async fn set_reason(
    tx: &mut Tx,
    owner: OwnerId,
    id: TaskId,
    status: TaskStatus,
    reason: Option<&str>,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(SET_REASON)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(status.as_str())
        .bind(maybe_text(reason))
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act("change the reason of a task's status")?;
    Ok(changed > 0)
}

/// Whether the task may be placed while it is pending.
pub async fn set_wanted(
    tx: &mut Tx,
    owner: OwnerId,
    id: TaskId,
    wanted: bool,
    at: Timestamp,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(SET_WANTED)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(wanted)
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act("let a task be placed")?;
    Ok(())
}

/// Whether the task shall be cancelled when its run has ended.
pub async fn set_cancelling(
    tx: &mut Tx,
    owner: OwnerId,
    id: TaskId,
    cancelling: bool,
    at: Timestamp,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(SET_CANCELLING)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(cancelling)
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act("cancel a task")?;
    Ok(())
}

/// The only daemon that the task may run on, `None` for any; and which daemons can't reach its repository.
pub async fn set_target(
    tx: &mut Tx,
    owner: OwnerId,
    id: TaskId,
    target: Option<DaemonId>,
    out_of_reach: &[DaemonId],
    at: Timestamp,
) -> Result<(), StoreError> {
    let act = "give a task to another daemon";
    let out_of_reach = json_of(&out_of_reach, "out_of_reach").act(act)?;
    on!(tx, |c| sqlx::query(SET_TARGET)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(target.map(DaemonId::uuid))
        .bind(out_of_reach)
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act(act)?;
    Ok(())
}

/// Keeps which daemons can't reach the task's repository.
pub async fn set_out_of_reach(
    tx: &mut Tx,
    owner: OwnerId,
    id: TaskId,
    daemons: &[DaemonId],
) -> Result<(), StoreError> {
    let act = "keep who can't reach a repository";
    let daemons = json_of(&daemons, "out_of_reach").act(act)?;
    on!(tx, |c| sqlx::query(SET_OUT_OF_REACH)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(daemons)
        .execute(c)
        .await
        .map(affected))
    .act(act)?;
    Ok(())
}

/// The task with this id, whose status, runs and messages nobody else who locks it changes until the end of this transaction.
pub async fn lock(tx: &mut Tx, owner: OwnerId, id: TaskId) -> Result<Option<Task>, StoreError> {
    on!(tx, |c| sqlx::query(LOCK).bind(id.uuid()).bind(owner.uuid()).execute(c).await.map(affected))
        .act("lock a task")?;
    super::get(tx, owner, id).await
}

/// The owner's tasks that wait for a daemon, oldest first.
pub async fn placeable(tx: &mut Tx, owner: OwnerId) -> Result<Vec<Task>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(PLACEABLE).bind(owner.uuid()).fetch_all(c).await);
    Ok(all(rows.act("list the tasks that wait")?))
}

/// Those who have tasks that wait for a daemon: any owner.
pub async fn owners_with_placeable(tx: &mut Tx) -> Result<Vec<OwnerId>, StoreError> {
    let owners: Result<Vec<Uuid>, sqlx::Error> = on!(tx, |c| sqlx::query_scalar(OWNERS).fetch_all(c).await);
    Ok(owners.act("list who has tasks that wait")?.into_iter().map(OwnerId::from).collect())
}

/// The task's newest run: its number, where it is and which agent it starts. That is the task's agent from then on.
pub async fn placed(
    tx: &mut Tx,
    owner: OwnerId,
    id: TaskId,
    run_number: i64,
    (daemon, agent): (DaemonId, &str),
    at: Timestamp,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(PLACED)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(daemon.uuid())
        .bind(run_number)
        .bind(text(agent))
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act("place a task")?;
    Ok(())
}
