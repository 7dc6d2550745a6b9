//! Changes of history: written before their effect, finished after it. One is open on a task or a contract at a time; indexes
//! see to it.

use crate::{
    Key, Page, Seek, StoreError, Tx, Wake,
    columns::{At, Cells, Entity, all, json, json_of, maybe_text, one, one_of},
    db::{affected, on},
    error::{Act, is_duplicate},
    statements::statements,
};
use makima_model::{
    Circumstances, ContractId, Operation, OperationId, OperationKind, OperationState, OwnerId, TaskId,
    Timestamp,
};
use sqlx::types::Uuid;

impl Entity for Operation {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: cells.id("id")?,
            owner: cells.id("owner_id")?,
            kind: cells.word("kind")?,
            state: cells.word("state")?,
            task: cells.maybe_id("task_id")?,
            contract: cells.maybe_id("contract_id")?,
            principal: cells.id("principal_id")?,
            origin: cells.word("origin")?,
            request: cells.json("request")?,
            before: cells.json("before")?,
            after: cells.maybe_json("after")?,
            undoes: cells.maybe_id("undoes")?,
            undone_by: cells.maybe_id("undone_by")?,
            error: cells.maybe_text("error")?,
            created_at: cells.at("created_at")?,
            finished_at: cells.maybe_at("finished_at")?,
        })
    }
}

/// An operation of which only this is asked.
struct Named {
    owner: OwnerId,
    id: OperationId,
}

impl Entity for Named {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self { owner: cells.id("owner_id")?, id: cells.id("id")? })
    }
}

/// The conditions of a [`Filter`]; one that is NULL holds of all.
macro_rules! filters {
    ($task:literal, $contract:literal, $kind:literal, $state:literal) => {
        concat!(
            " AND (task_id = ",
            $task,
            " OR ",
            $task,
            " IS NULL) AND (contract_id = ",
            $contract,
            " OR ",
            $contract,
            " IS NULL) AND (', ' || ",
            $kind,
            " LIKE '%, ' || kind || ',%' OR ",
            $kind,
            " IS NULL) AND (', ' || ",
            $state,
            " LIKE '%, ' || state || ',%' OR ",
            $state,
            " IS NULL)",
        )
    };
}

statements! {
    INSERT = "INSERT INTO operations (id, owner_id, kind, state, task_id, contract_id, principal_id, origin, request, \
        before, undoes, created_at) VALUES ($1, $2, $3, 'prepared', $4, $5, $6, $7, $8, $9, $10, $11)";
    GET = "SELECT * FROM operations WHERE id = $1 AND owner_id = $2";
    // Changes nothing: who has the row's lock goes on with the operation, or undoes it.
    LOCK = "UPDATE operations SET state = state WHERE id = $1 AND owner_id = $2 RETURNING *";
    OPEN_ON = "SELECT * FROM operations WHERE owner_id = $1 AND state = 'prepared' \
        AND (task_id = $2 OR (task_id IS NULL AND contract_id = $3)) ORDER BY created_at, id LIMIT 1";
    OPEN_WITHIN = "SELECT * FROM operations WHERE owner_id = $1 AND state = 'prepared' AND contract_id = $2 \
        ORDER BY created_at, id LIMIT 1";
    GIVEN_UP = "SELECT 1 FROM operations WHERE owner_id = $1 AND kind = $2 AND state = 'abandoned' \
        AND (task_id = $3 OR (task_id IS NULL AND contract_id = $4)) LIMIT 1";
    OPEN = "SELECT owner_id, id FROM operations WHERE state = 'prepared' ORDER BY created_at, id";
    FINISH = "UPDATE operations SET state = $3, before = COALESCE($7, before), after = $4, error = $5, finished_at = $6 \
        WHERE id = $1 AND owner_id = $2 AND state = 'prepared'";
    UNDONE_BY = "UPDATE operations SET undone_by = $3 WHERE id = $1 AND owner_id = $2 AND undone_by IS NULL";
    FORGET = "UPDATE operations SET request = $4, before = $4, after = CASE WHEN after IS NULL THEN after ELSE $4 END, \
        error = NULL WHERE owner_id = $1 AND task_id = $2 AND id <> $3";
    FORGET_OF_CONTRACT = "UPDATE operations SET request = $4, before = $4, \
        after = CASE WHEN after IS NULL THEN after ELSE $4 END, error = NULL \
        WHERE owner_id = $1 AND contract_id = $2 AND id <> $3";
    COUNT = concat!("SELECT COUNT(*) FROM operations WHERE owner_id = $1", filters!("$2", "$3", "$4", "$5"));
    @lists {
        FILTERED = concat!("SELECT * FROM operations WHERE owner_id = $4", filters!("$5", "$6", "$7", "$8"));
    }
}

/// Writes an operation that is prepared. [`StoreError::OperationOpen`] if one is open on its task or contract.
pub async fn insert(tx: &mut Tx, operation: &Operation) -> Result<(), StoreError> {
    let act = "prepare an operation";
    let before = json_of(&operation.before, "before").act(act)?;
    let written = on!(tx, |c| sqlx::query(INSERT)
        .bind(operation.id.uuid())
        .bind(operation.owner.uuid())
        .bind(operation.kind.as_str())
        .bind(operation.task.map(TaskId::uuid))
        .bind(operation.contract.map(ContractId::uuid))
        .bind(operation.principal.uuid())
        .bind(operation.origin.as_str())
        .bind(json(operation.request.clone()))
        .bind(before)
        .bind(operation.undoes.map(OperationId::uuid))
        .bind(At(operation.created_at))
        .execute(c)
        .await
        .map(affected));
    match written {
        Err(error) if is_duplicate(&error) => Err(StoreError::OperationOpen),
        written => written.act(act).map(drop),
    }
}

/// The operation with this id.
pub async fn get(tx: &mut Tx, owner: OwnerId, id: OperationId) -> Result<Option<Operation>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(GET).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("read an operation")?))
}

/// The operation with this id, which nobody else goes on with until the end of this transaction.
pub async fn lock(tx: &mut Tx, owner: OwnerId, id: OperationId) -> Result<Option<Operation>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(LOCK).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("take an operation up")?))
}

/// The operation that is open on a task, or on its contract as a whole.
pub async fn open_on(
    tx: &mut Tx,
    owner: OwnerId,
    task: TaskId,
    contract: Option<ContractId>,
) -> Result<Option<Operation>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(OPEN_ON)
        .bind(owner.uuid())
        .bind(task.uuid())
        .bind(contract.map(ContractId::uuid))
        .fetch_optional(c)
        .await);
    Ok(one(row.act("look for an open operation")?))
}

/// The oldest operation that is open on a contract or a task of it.
pub async fn open_within(
    tx: &mut Tx,
    owner: OwnerId,
    contract: ContractId,
) -> Result<Option<Operation>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(OPEN_WITHIN)
        .bind(owner.uuid())
        .bind(contract.uuid())
        .fetch_optional(c)
        .await);
    Ok(one(row.act("look for an open operation")?))
}

/// Whether one of the same kind on the same, or on its contract as a whole, was given up.
pub async fn was_given_up(tx: &mut Tx, like: &Operation) -> Result<bool, StoreError> {
    let row: Option<i32> = on!(tx, |c| sqlx::query_scalar(GIVEN_UP)
        .bind(like.owner.uuid())
        .bind(like.kind.as_str())
        .bind(like.task.map(TaskId::uuid))
        .bind(like.contract.map(ContractId::uuid))
        .fetch_optional(c)
        .await)
    .act("look for an operation that was given up")?;
    Ok(row.is_some())
}

/// All that are open, oldest first: any owner.
pub async fn open(tx: &mut Tx) -> Result<Vec<(OwnerId, OperationId)>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(OPEN).fetch_all(c).await);
    let named: Vec<Named> = all(rows.act("list the open operations")?);
    Ok(named.into_iter().map(|Named { owner, id }| (owner, id)).collect())
}

/// How an operation ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It is done.
    Done {
        /// Things as they were when it was; `None`: as they were when it was prepared.
        before: Option<Circumstances>,
        /// Things as they are now.
        after: Circumstances,
    },
    /// It could not be done.
    Failed(String),
    /// Nobody waits for it any more.
    Abandoned(String),
}

/// Finishes an operation that is prepared, and says whether it was.
pub async fn finish(
    tx: &mut Tx,
    owner: OwnerId,
    id: OperationId,
    ending: &Ending,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let act = "finish an operation";
    let (state, before, after, error) = match ending {
        Ending::Done { before, after } => (OperationState::Done, before.as_ref(), Some(after), None),
        Ending::Failed(why) => (OperationState::Failed, None, None, Some(why.as_str())),
        Ending::Abandoned(why) => (OperationState::Abandoned, None, None, Some(why.as_str())),
    };
    let before = before.map(|before| json_of(before, "before")).transpose().act(act)?;
    let after = after.map(|after| json_of(after, "after")).transpose().act(act)?;
    let finished = on!(tx, |c| sqlx::query(FINISH)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(state.as_str())
        .bind(after)
        .bind(maybe_text(error))
        .bind(At(at))
        .bind(before)
        .execute(c)
        .await
        .map(affected))
    .act(act)?;
    if finished > 0 {
        tx.wake(Wake::Operation(id));
    }
    Ok(finished > 0)
}

/// The operation is undone by another, and says whether it wasn't yet.
pub async fn set_undone_by(
    tx: &mut Tx,
    owner: OwnerId,
    id: OperationId,
    by: OperationId,
) -> Result<bool, StoreError> {
    let undone = on!(tx, |c| sqlx::query(UNDONE_BY)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(by.uuid())
        .execute(c)
        .await
        .map(affected))
    .act("undo an operation")?;
    Ok(undone > 0)
}

/// Forgets what the operations on a task were asked and changed, but for `but`: who did what when stays.
pub(crate) async fn forget_of_task(
    tx: &mut Tx,
    owner: OwnerId,
    task: TaskId,
    but: OperationId,
) -> Result<(), StoreError> {
    forget(tx, FORGET, owner, task.uuid(), but).await
}

/// The same, of the operations on a contract and its tasks.
pub(crate) async fn forget_of_contract(
    tx: &mut Tx,
    owner: OwnerId,
    contract: ContractId,
    but: OperationId,
) -> Result<(), StoreError> {
    forget(tx, FORGET_OF_CONTRACT, owner, contract.uuid(), but).await
}

async fn forget(
    tx: &mut Tx,
    statement: &'static str,
    owner: OwnerId,
    of: Uuid,
    but: OperationId,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(statement)
        .bind(owner.uuid())
        .bind(of)
        .bind(but.uuid())
        .bind(json(serde_json::json!({})))
        .execute(c)
        .await
        .map(affected))
    .act("forget what operations changed")?;
    Ok(())
}

/// Which operations of a list: all conditions hold of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those on this task.
    pub task: Option<TaskId>,
    /// Those on this contract, and on tasks of it.
    pub contract: Option<ContractId>,
    /// Those of one of these kinds; none: of any.
    pub kind: Vec<OperationKind>,
    /// Those that are in one of these states; none: in any.
    pub state: Vec<OperationState>,
}

/// The owner's operations of which a filter holds. They are counted, unless `total` is known from an earlier page.
pub async fn list(
    tx: &mut Tx,
    owner: OwnerId,
    filter: &Filter,
    seek: Seek,
    total: Option<i64>,
) -> Result<Page<Operation>, StoreError> {
    let (at, id) = seek.key();
    let (task, contract) = (filter.task.map(TaskId::uuid), filter.contract.map(ContractId::uuid));
    let kind = one_of(filter.kind.iter().map(|kind| kind.as_str()));
    let state = one_of(filter.state.iter().map(|state| state.as_str()));
    let rows = on!(tx, |c| sqlx::query_as(FILTERED.in_order(seek.order))
        .bind(at)
        .bind(id)
        .bind(seek.rows())
        .bind(owner.uuid())
        .bind(task)
        .bind(contract)
        .bind(kind.as_deref())
        .bind(state.as_deref())
        .fetch_all(c)
        .await);
    let operations = all(rows.act("list the operations")?);
    let total = match total {
        Some(total) => total,
        None => on!(tx, |c| sqlx::query_scalar(COUNT)
            .bind(owner.uuid())
            .bind(task)
            .bind(contract)
            .bind(kind.as_deref())
            .bind(state.as_deref())
            .fetch_one(c)
            .await)
        .act("count the operations")?,
    };
    Ok(seek.page(operations, total, |operation: &Operation| Key {
        at: operation.created_at,
        id: operation.id.uuid(),
    }))
}
