//! Operations: changes of history. Each is prepared and committed, carried out, and published with everything that it changes in one
//! transaction; where nothing has to be waited for, that is the same one.
//!
//! [`App::advance`] goes on with an operation from whatever it finds: it is called when it is prepared, when a run ends, when a
//! daemon's command is finished, and for all that are open when a server starts and again and again. So a crash anywhere leaves
//! nothing but an operation that somebody goes on with.

mod abandon;
mod checkpoint;
mod delete;
mod purge;
mod restore;
mod undo;

pub(crate) use checkpoint::Making;
pub(super) use delete::{no_contract, no_task};

use super::{App, Listed, TaskChange, lists, tasks::phase_of};
use crate::{caller::Caller, cursor::ListMark, error::ApiError};
use makima_model::{
    Circumstances, ContractId, EventKind, Operation, OperationId, OperationKind, OperationState, OwnerId,
    StopReason, TaskId,
};
use makima_store::{
    Command as Queued, Run, StoreError, Task, Tx, Wake, commands, contracts,
    operations::{self, Ending, Filter},
    runs, trash,
};
use makima_wire::{
    Code, ListOperations,
    frame::{Command, CommandOutcome},
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How often open operations are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How often an operation is looked at when nothing says that it is finished.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// An operation that somebody asks for.
struct Intent {
    kind: OperationKind,
    task: Option<TaskId>,
    contract: Option<ContractId>,
    request: Value,
    before: Circumstances,
    undoes: Option<OperationId>,
}

impl App {
    /// The operation.
    pub(crate) async fn operation(&self, by: Caller, id: OperationId) -> Result<Operation, ApiError> {
        let mut tx = self.db().read().await?;
        operations::get(&mut tx, by.owner, id).await?.ok_or_else(|| ApiError::not_found("operation"))
    }

    /// A page of operations.
    pub(crate) async fn operations(
        &self,
        by: Caller,
        wanted: &ListOperations,
    ) -> Result<Listed<Operation>, ApiError> {
        let list = wanted.list();
        let filter = Filter {
            task: wanted.task_id,
            contract: wanted.contract_id,
            kind: wanted.kind.0.clone(),
            state: wanted.state.0.clone(),
        };
        let mark = ListMark::new("operations", by.owner, list.order, &[&format!("{filter:?}")]);
        let (seek, total) = lists::seek_counted(&list, mark)?;
        let mut tx = self.db().read().await?;
        Ok(lists::listed_counted(operations::list(&mut tx, by.owner, &filter, seek, total).await?, mark))
    }

    /// Begins the transaction that an operation is prepared in.
    async fn begin_operation(&self) -> Result<Tx, StoreError> {
        self.failpoints().at("operation.begun").await;
        self.db().begin().await
    }

    /// Writes an operation before anything of it is done. 409 where one is open already.
    async fn prepare(&self, tx: &mut Tx, by: Caller, intent: Intent) -> Result<Operation, ApiError> {
        let open = match (intent.task, intent.contract) {
            (Some(task), contract) => operations::open_on(tx, by.owner, task, contract).await?,
            (None, Some(contract)) => operations::open_within(tx, by.owner, contract).await?,
            (None, None) => None,
        };
        if let Some(open) = open {
            return Err(self.open_already(tx, &open).await?);
        }
        let Intent { kind, task, contract, request, before, undoes } = intent;
        let operation = Operation {
            id: self.clock().new_id(),
            owner: by.owner,
            kind,
            state: OperationState::Prepared,
            task,
            contract,
            principal: by.principal,
            origin: by.origin,
            request,
            before,
            after: None,
            undoes,
            undone_by: None,
            error: None,
            created_at: self.clock().now(),
            finished_at: None,
        };
        match operations::insert(tx, &operation).await {
            Ok(()) => {}
            Err(StoreError::OperationOpen) => {
                return Err(in_progress("an operation was begun on it at the same moment".to_owned()));
            }
            Err(error) => return Err(error.into()),
        }
        self.note(tx, by, operation.id).await?;
        Ok(operation)
    }

    /// Commits what was prepared, and waits for its end, as long as a request may wait. 409 if it could not be done.
    async fn carried_out(&self, tx: Tx, operation: Operation, until: Instant) -> Result<Operation, ApiError> {
        tx.commit().await?;
        self.failpoints().at("operation.prepared").await;
        self.come_to(operation.owner, operation.id, until).await
    }

    /// What an operation has come to, as long as a request may wait for it. 409 if it could not be done.
    async fn come_to(&self, owner: OwnerId, id: OperationId, until: Instant) -> Result<Operation, ApiError> {
        let operation = self.finished_operation(owner, id, until).await?;
        // What waited for it may start now.
        self.place_soon(operation.owner);
        match (operation.state, &operation.error) {
            (OperationState::Failed | OperationState::Abandoned, Some(error)) => {
                Err(ApiError::new(Code::Conflict, error.clone()).with(json!({ "operationId": operation.id })))
            }
            _ => Ok(operation),
        }
    }

    /// The operation once it is finished, or as it is at `until`.
    async fn finished_operation(
        &self,
        owner: OwnerId,
        id: OperationId,
        until: Instant,
    ) -> Result<Operation, ApiError> {
        let mut wakes = self.db().wakeups();
        loop {
            let mut tx = self.db().read().await?;
            let found = operations::get(&mut tx, owner, id).await?;
            drop(tx);
            let operation = found.ok_or_else(|| ApiError::not_found("operation"))?;
            if operation.state != OperationState::Prepared || Instant::now() >= until {
                return Ok(operation);
            }
            // Whatever ends the wait, the next look tells.
            let _ = timeout_at((Instant::now() + LOOK_AGAIN).min(until), async {
                loop {
                    match wakes.recv().await {
                        Ok(Wake::Operation(finished)) if finished == id => return,
                        Ok(Wake::Lagged) | Err(_) => return,
                        Ok(_) => {}
                    }
                }
            })
            .await;
        }
    }

    /// Goes on with the operation that is open on a task or its contract, if there is one: its run has ended.
    pub(crate) async fn advance_on(
        &self,
        tx: &mut Tx,
        owner: OwnerId,
        task: TaskId,
        contract: Option<ContractId>,
    ) -> Result<(), StoreError> {
        match operations::open_on(tx, owner, task, contract).await? {
            Some(open) => self.advance(tx, owner, open.id).await,
            None => Ok(()),
        }
    }

    /// Goes on with an operation, if it is open: publishes it if nothing is in its way any more.
    pub(crate) async fn advance(
        &self,
        tx: &mut Tx,
        owner: OwnerId,
        id: OperationId,
    ) -> Result<(), StoreError> {
        let Some(operation) = operations::lock(tx, owner, id).await? else { return Ok(()) };
        if operation.state != OperationState::Prepared {
            return Ok(());
        }
        let ending = match operation.kind {
            OperationKind::Delete => self.delete(tx, &operation).await?,
            OperationKind::Purge => self.purge(tx, &operation).await?,
            OperationKind::Restore => self.restore(tx, &operation).await?,
            OperationKind::Checkpoint => self.checkpoint_made(tx, &operation).await?,
            OperationKind::Undo => self.undo(tx, &operation).await?,
        };
        if let Some(ending) = ending {
            operations::finish(tx, owner, id, &ending, self.clock().now()).await?;
            if let (Ending::Done { .. }, Some(undone)) = (&ending, operation.undoes) {
                operations::set_undone_by(tx, owner, undone, id).await?;
            }
        }
        Ok(())
    }

    /// Goes on with every operation that is open, for as long as the server lives: those that a crash left, first of all.
    pub(crate) async fn watch_operations(self) {
        let app = self.downgrade();
        drop(self);
        loop {
            let Some(going) = app.upgrade() else { return };
            if let Err(error) = going.go_on().await {
                tracing::warn!(
                    "open operations could not be gone on with: {}",
                    crate::error::chain(Some(&error))
                );
            }
            drop(going);
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn go_on(&self) -> Result<(), StoreError> {
        self.failpoints().at("operation.going_on").await;
        let mut tx = self.db().read().await?;
        let open = operations::open(&mut tx).await?;
        drop(tx);
        for (owner, id) in open {
            // One that can't be gone on with keeps no other one waiting.
            if let Err(error) = self.go_on_with(owner, id).await {
                let error = crate::error::chain(Some(&error));
                tracing::warn!(operation = %id, "an open operation could not be gone on with: {error}");
            }
        }
        self.sweep_blobs().await
    }

    async fn go_on_with(&self, owner: OwnerId, id: OperationId) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        self.advance(&mut tx, owner, id).await?;
        tx.commit().await?;
        self.failpoints().at("operation.gone_on").await;
        self.place_soon(owner);
        Ok(())
    }

    /// Whether an agent still works on what the operation changes. Nothing is changed before it has ended; it is told to.
    async fn still_works(&self, tx: &mut Tx, operation: &Operation) -> Result<bool, StoreError> {
        let live = self.at_work(tx, operation.owner, operation.task, operation.contract).await?;
        if live.is_empty() {
            return Ok(false);
        }
        let told = commands::of_operation(tx, operation.owner, operation.id).await?;
        for run in live {
            if !told.iter().any(|command| command.run == Some(run.id)) {
                let stop = Command::Stop { run: run.id, reason: StopReason::Owner };
                self.queue_for(tx, operation, run.daemon, Some(run.id), &stop).await?;
            }
        }
        Ok(true)
    }

    /// The live runs of a task, or of all tasks of a contract. None begins before the end of the transaction.
    async fn at_work(
        &self,
        tx: &mut Tx,
        owner: OwnerId,
        task: Option<TaskId>,
        contract: Option<ContractId>,
    ) -> Result<Vec<Run>, StoreError> {
        if let Some(task) = task {
            trash::lock_task(tx, owner, task).await?;
            return Ok(runs::live_of_task(tx, owner, task).await?.into_iter().collect());
        }
        let Some(contract) = contract else { return Ok(Vec::new()) };
        for task in trash::tasks_of_contract(tx, owner, contract).await? {
            trash::lock_task(tx, owner, task).await?;
        }
        runs::live_of_contract(tx, owner, contract).await
    }

    /// 409 where an agent works, unless it shall be stopped.
    async fn may_begin(
        &self,
        tx: &mut Tx,
        owner: OwnerId,
        (task, contract): (Option<TaskId>, Option<ContractId>),
        stop: bool,
    ) -> Result<(), ApiError> {
        if stop || self.at_work(tx, owner, task, contract).await?.is_empty() {
            return Ok(());
        }
        let whose = if task.is_some() { "its agent is" } else { "an agent of it is" };
        Err(ApiError::new(Code::AlreadyRunning, format!("{whose} at work: stop it first, or say `stop`")))
    }

    /// Notes in the timeline what became of a task.
    async fn note_task(
        &self,
        tx: &mut Tx,
        operation: &Operation,
        task: &Task,
        subtype: &str,
    ) -> Result<(), StoreError> {
        let phase = phase_of(tx, task).await?;
        let change =
            TaskChange { clock: self.clock(), at: self.clock().now(), run_number: task.run_number, phase };
        change.history(tx, task, EventKind::Task, subtype, json!({ "operationId": operation.id }));
        Ok(())
    }

    /// Keeps whoever changes the contract of something, or the contract itself, away until the end of the transaction: what is open on
    /// a contract and on its tasks is seen from both sides.
    async fn hold_contract(
        &self,
        tx: &mut Tx,
        owner: OwnerId,
        contract: Option<ContractId>,
    ) -> Result<(), StoreError> {
        if let Some(contract) = contract {
            contracts::hold(tx, owner, contract).await?;
        }
        Ok(())
    }
}

fn in_progress(message: String) -> ApiError {
    ApiError::new(Code::OperationInProgress, message)
}

/// What came of a daemon's command: why it failed, if it did.
fn refusal(command: &Queued) -> Option<String> {
    let told = command.error.as_deref()?;
    match serde_json::from_str(told) {
        Ok(CommandOutcome::Refused(refusal)) => Some(refusal.message),
        Ok(CommandOutcome::Done(_)) | Err(_) => Some(told.to_owned()),
    }
}
