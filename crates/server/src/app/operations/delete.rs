//! Putting tasks and contracts into the trash.

use super::{App, Intent};
use crate::{
    app::{contracts::note, tasks::existing},
    caller::Caller,
    error::ApiError,
};
use makima_model::{
    Circumstances, ContractId, EventKind, Operation, OperationId, OperationKind, OperationState, OwnerId,
    TaskId,
};
use makima_store::{
    StoreError, Tx, commands, contracts,
    operations::{self, Ending},
    tasks, trash,
};
use makima_wire::{
    Code, Deletion,
    frame::{CommandOutcome, Refusal},
};
use serde_json::json;
use tokio::time::Instant;

impl App {
    /// Puts a task into the trash, or erases it.
    pub(crate) async fn delete_task(
        &self,
        by: Caller,
        id: TaskId,
        how: Deletion,
    ) -> Result<Operation, ApiError> {
        let until = Instant::now() + self.settings().patience;
        if let Some(operation) = by.has_done() {
            return self.come_to(by.owner, operation, until).await;
        }
        let mut tx = self.begin_operation().await?;
        let is_there = existing(&mut tx, by.owner, id).await;
        let task = match (is_there, how.purge) {
            (Ok(task), _) => task,
            (Err(missing), false) => return Err(missing),
            (Err(missing), true) => tasks::kept(&mut tx, by.owner, id).await?.ok_or(missing)?,
        };
        self.hold_contract(&mut tx, by.owner, task.contract).await?;
        let is_deleted = trash::of_task(&mut tx, by.owner, id).await?.is_some();
        let mut before = Circumstances {
            deleted: Some(is_deleted),
            status: Some(task.status),
            ..Circumstances::default()
        };
        if how.purge {
            before.erased = Some(false);
        }
        let intent = Intent {
            kind: kind(how),
            task: Some(id),
            contract: task.contract,
            request: json!(how),
            before,
            undoes: None,
        };
        self.begin_deletion(tx, by, intent, how, until).await
    }

    /// Puts a contract and its tasks into the trash, or erases them.
    pub(crate) async fn delete_contract(
        &self,
        by: Caller,
        id: ContractId,
        how: Deletion,
    ) -> Result<Operation, ApiError> {
        let until = Instant::now() + self.settings().patience;
        if let Some(operation) = by.has_done() {
            return self.come_to(by.owner, operation, until).await;
        }
        let mut tx = self.begin_operation().await?;
        self.hold_contract(&mut tx, by.owner, Some(id)).await?;
        let is_deleted = trash::of_contract(&mut tx, by.owner, id).await?;
        if contracts::get(&mut tx, by.owner, id).await?.is_none() && (is_deleted.is_none() || !how.purge) {
            return Err(no_contract(&mut tx, by.owner, id).await?);
        }
        let before = Circumstances {
            deleted: Some(is_deleted.is_some()),
            erased: how.purge.then_some(false),
            ..Circumstances::default()
        };
        let intent = Intent {
            kind: kind(how),
            task: None,
            contract: Some(id),
            request: json!(how),
            before,
            undoes: None,
        };
        self.begin_deletion(tx, by, intent, how, until).await
    }

    async fn begin_deletion(
        &self,
        mut tx: Tx,
        by: Caller,
        intent: Intent,
        how: Deletion,
        until: Instant,
    ) -> Result<Operation, ApiError> {
        let on = (intent.task, intent.contract);
        let operation = self.prepare(&mut tx, by, intent).await?;
        self.may_begin(&mut tx, by.owner, on, how.stop).await?;
        self.advance(&mut tx, by.owner, operation.id).await?;
        self.carried_out(tx, operation, until).await
    }

    /// Puts into the trash what the operation is on, once no agent works on it.
    pub(super) async fn delete(
        &self,
        tx: &mut Tx,
        operation: &Operation,
    ) -> Result<Option<Ending>, StoreError> {
        if self.still_works(tx, operation).await? {
            return Ok(None);
        }
        let tasks = self.put_into_trash(tx, operation, true).await?;
        let after = Circumstances { deleted: Some(true), tasks, ..Circumstances::default() };
        Ok(Some(Ending::Done { before: None, after }))
    }

    /// Moves a task, or a contract with its tasks, which are then answered. `told`: whether the timeline tells of it.
    pub(super) async fn put_into_trash(
        &self,
        tx: &mut Tx,
        operation: &Operation,
        told: bool,
    ) -> Result<Option<Vec<TaskId>>, StoreError> {
        let (owner, now) = (operation.owner, self.clock().now());
        let (moved, answered) = match (operation.task, operation.contract) {
            (Some(id), _) => {
                if told && let Some(task) = tasks::get(tx, owner, id).await? {
                    self.note_task(tx, operation, &task, "task_deleted").await?;
                }
                trash::put_task(tx, owner, id, operation.id, now).await?;
                (vec![id], None)
            }
            (None, Some(id)) => {
                if told && let Some(contract) = contracts::get(tx, owner, id).await? {
                    let data = json!({ "operationId": operation.id });
                    note(tx, self.clock(), &contract, EventKind::Phase, "contract_deleted", data);
                }
                let moved = trash::put_contract(tx, owner, id, operation.id, now).await?;
                (moved.clone(), Some(moved))
            }
            (None, None) => (Vec::new(), None),
        };
        let why = CommandOutcome::Refused(Refusal {
            code: Code::NotRunning,
            message: "the task was put into the trash".to_owned(),
        });
        let why = serde_json::to_string(&why).unwrap_or_default();
        for task in moved {
            // A run that was given up with its daemon must not begin when that is back.
            commands::withdraw_of_task(tx, owner, task, &why, now).await?;
        }
        Ok(answered)
    }

    /// Takes out of the trash what an operation put there. A contract's tasks are answered.
    pub(super) async fn take_out_of_trash(
        &self,
        tx: &mut Tx,
        operation: &Operation,
        deleted_by: OperationId,
    ) -> Result<Option<Vec<TaskId>>, StoreError> {
        let owner = operation.owner;
        let taken = trash::take_out(tx, owner, deleted_by).await?;
        if let Some(id) = operation.task {
            if let Some(task) = tasks::get(tx, owner, id).await? {
                self.note_task(tx, operation, &task, "task_restored").await?;
            }
            return Ok(None);
        }
        if let Some(id) = operation.contract
            && let Some(contract) = contracts::get(tx, owner, id).await?
        {
            let data = json!({ "operationId": operation.id });
            note(tx, self.clock(), &contract, EventKind::Phase, "contract_restored", data);
        }
        Ok(Some(taken))
    }
}

fn kind(how: Deletion) -> OperationKind {
    if how.purge { OperationKind::Purge } else { OperationKind::Delete }
}

/// 404, and that it lies in the trash if it does.
pub(in crate::app) async fn no_task(tx: &mut Tx, owner: OwnerId, id: TaskId) -> Result<ApiError, StoreError> {
    match trash::of_task(tx, owner, id).await? {
        Some(by) => in_trash(tx, owner, "task", by).await,
        None => Ok(ApiError::not_found("task")),
    }
}

/// 404, and that it lies in the trash if it does.
pub(in crate::app) async fn no_contract(
    tx: &mut Tx,
    owner: OwnerId,
    id: ContractId,
) -> Result<ApiError, StoreError> {
    match trash::of_contract(tx, owner, id).await? {
        Some(by) => in_trash(tx, owner, "contract", by).await,
        None => Ok(ApiError::not_found("contract")),
    }
}

async fn in_trash(tx: &mut Tx, owner: OwnerId, what: &str, by: OperationId) -> Result<ApiError, StoreError> {
    let operation = operations::get(tx, owner, by).await?;
    let message = match operation.map(|operation| (operation.kind, operation.state)) {
        // A daemon may have erased a part of it: it can't come back.
        Some((OperationKind::Purge, OperationState::Failed)) => {
            format!(
                "the {what} is in the trash, and operation {by} could not erase all of it: purge it again"
            )
        }
        Some((OperationKind::Purge, _)) => format!("the {what} is being erased by operation {by}"),
        _ => format!("the {what} is in the trash: undo operation {by} to have it back"),
    };
    Ok(ApiError::new(Code::NotFound, message).with(json!({ "operationId": by })))
}
