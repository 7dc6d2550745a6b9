//! The trash: what lies in it is absent everywhere else. Each thing knows the operation that put it there, so that undoing that
//! takes out exactly what it put in.

use crate::{
    Noun, StoreError, Tx,
    columns::{At, Cells, Entity, all, one},
    db::{affected, on},
    error::Act,
    statements::statements,
};
use makima_model::{Contract, ContractId, OperationId, OwnerId, TaskId, Timestamp};

/// A task, and the contract that it belongs to.
struct Moved {
    task: TaskId,
    contract: Option<ContractId>,
}

impl Entity for Moved {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self { task: cells.id("id")?, contract: cells.maybe_id("contract_id")? })
    }
}

/// The operation that put something there.
struct By(OperationId);

impl Entity for By {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self(cells.id("deleted_by")?))
    }
}

statements! {
    PUT_TASK = "UPDATE tasks SET deleted_at = $4, deleted_by = $3 \
        WHERE id = $1 AND owner_id = $2 AND deleted_at IS NULL RETURNING id, contract_id";
    PUT_TASKS = "UPDATE tasks SET deleted_at = $4, deleted_by = $3 \
        WHERE contract_id = $1 AND owner_id = $2 AND deleted_at IS NULL RETURNING id, contract_id";
    PUT_CONTRACT = "UPDATE contracts SET deleted_at = $4, deleted_by = $3 \
        WHERE id = $1 AND owner_id = $2 AND deleted_at IS NULL RETURNING *";
    TAKE_TASKS = "UPDATE tasks SET deleted_at = NULL, deleted_by = NULL \
        WHERE owner_id = $1 AND deleted_by = $2 RETURNING id, contract_id";
    TAKE_CONTRACT = "UPDATE contracts SET deleted_at = NULL, deleted_by = NULL \
        WHERE owner_id = $1 AND deleted_at IS NOT NULL AND deleted_by = $2 RETURNING *";
    TASK_BY = "SELECT deleted_by FROM tasks WHERE id = $1 AND owner_id = $2 AND deleted_by IS NOT NULL";
    CONTRACT_BY = "SELECT deleted_by FROM contracts WHERE id = $1 AND owner_id = $2 AND deleted_by IS NOT NULL";
    // Changes nothing: who has a task's lock knows whether it has a live run, and keeps it so.
    LOCK_TASK = "UPDATE tasks SET updated_at = updated_at WHERE id = $1 AND owner_id = $2";
    TASKS_OF_CONTRACT = "SELECT id, contract_id FROM tasks WHERE contract_id = $1 AND owner_id = $2 ORDER BY id";
}

/// Puts a task into the trash.
pub async fn put_task(
    tx: &mut Tx,
    owner: OwnerId,
    task: TaskId,
    by: OperationId,
    at: Timestamp,
) -> Result<(), StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(PUT_TASK)
        .bind(task.uuid())
        .bind(owner.uuid())
        .bind(by.uuid())
        .bind(At(at))
        .fetch_all(c)
        .await);
    let moved = all(rows.act("put a task into the trash")?);
    count(tx, owner, &moved, -1);
    Ok(())
}

/// Puts a contract into the trash, and those of its tasks that aren't there yet, which are answered.
pub async fn put_contract(
    tx: &mut Tx,
    owner: OwnerId,
    contract: ContractId,
    by: OperationId,
    at: Timestamp,
) -> Result<Vec<TaskId>, StoreError> {
    let act = "put a contract into the trash";
    let row = on!(tx, |c| sqlx::query_as(PUT_CONTRACT)
        .bind(contract.uuid())
        .bind(owner.uuid())
        .bind(by.uuid())
        .bind(At(at))
        .fetch_optional(c)
        .await);
    let put: Option<Contract> = one(row.act(act)?);
    let Some(put) = put else { return Ok(Vec::new()) };
    tx.outbox.count(owner, owner.uuid(), Noun::Contract, put.status.as_str(), "", -1);
    let rows = on!(tx, |c| sqlx::query_as(PUT_TASKS)
        .bind(contract.uuid())
        .bind(owner.uuid())
        .bind(by.uuid())
        .bind(At(at))
        .fetch_all(c)
        .await);
    let moved = all(rows.act(act)?);
    count(tx, owner, &moved, -1);
    Ok(tasks(moved))
}

/// Takes out of the trash what an operation put there. The tasks are answered.
pub async fn take_out(tx: &mut Tx, owner: OwnerId, by: OperationId) -> Result<Vec<TaskId>, StoreError> {
    let act = "take something out of the trash";
    let row =
        on!(tx, |c| sqlx::query_as(TAKE_CONTRACT).bind(owner.uuid()).bind(by.uuid()).fetch_optional(c).await);
    let taken: Option<Contract> = one(row.act(act)?);
    if let Some(contract) = taken {
        tx.outbox.count(owner, owner.uuid(), Noun::Contract, contract.status.as_str(), "", 1);
    }
    let rows = on!(tx, |c| sqlx::query_as(TAKE_TASKS).bind(owner.uuid()).bind(by.uuid()).fetch_all(c).await);
    let moved = all(rows.act(act)?);
    count(tx, owner, &moved, 1);
    Ok(tasks(moved))
}

fn count(tx: &mut Tx, owner: OwnerId, moved: &[Moved], by: i64) {
    for Moved { contract, .. } in moved {
        for scope in [Some(owner.uuid()), contract.map(ContractId::uuid)].into_iter().flatten() {
            tx.outbox.count(owner, scope, Noun::Task, "", "", by);
        }
    }
}

fn tasks(moved: Vec<Moved>) -> Vec<TaskId> {
    let mut tasks: Vec<TaskId> = moved.into_iter().map(|moved| moved.task).collect();
    tasks.sort();
    tasks
}

/// The operation that put the task into the trash, if it lies there.
pub async fn of_task(tx: &mut Tx, owner: OwnerId, id: TaskId) -> Result<Option<OperationId>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(TASK_BY).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("look into the trash")?).map(|By(by)| by))
}

/// The operation that put the contract into the trash, if it lies there.
pub async fn of_contract(
    tx: &mut Tx,
    owner: OwnerId,
    id: ContractId,
) -> Result<Option<OperationId>, StoreError> {
    let row =
        on!(tx, |c| sqlx::query_as(CONTRACT_BY).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("look into the trash")?).map(|By(by)| by))
}

/// Keeps others from changing a task, in the trash or not, until the end of this transaction: so whether it has a live run stays.
pub async fn lock_task(tx: &mut Tx, owner: OwnerId, id: TaskId) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(LOCK_TASK).bind(id.uuid()).bind(owner.uuid()).execute(c).await.map(affected))
        .act("lock a task")?;
    Ok(())
}

/// All tasks of a contract, those in the trash too.
pub async fn tasks_of_contract(
    tx: &mut Tx,
    owner: OwnerId,
    contract: ContractId,
) -> Result<Vec<TaskId>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(TASKS_OF_CONTRACT)
        .bind(contract.uuid())
        .bind(owner.uuid())
        .fetch_all(c)
        .await);
    Ok(tasks(all(rows.act("list the tasks of a contract")?)))
}
