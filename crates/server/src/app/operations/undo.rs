//! Undoing an operation: making things as they were before it.

use super::{App, Intent, checkpoint, refusal, restore::head};
use crate::{
    app::{operations::no_contract, tasks::existing},
    caller::Caller,
    error::ApiError,
};
use makima_model::{
    BranchReason, CheckpointId, Circumstances, Head, NotUndoable, Operation, OperationId, OperationKind,
    OperationState, Reversal,
};
use makima_store::{
    Checkpoint, CommandState, StoreError, Tx, checkpoints, commands, contracts,
    operations::{self, Ending},
    runs, tasks, trash,
};
use makima_wire::{
    Code, UndoOperation,
    frame::{Command, LastCheckpoint},
};
use serde_json::json;
use tokio::time::Instant;

impl App {
    /// Undoes an operation; one that waits for a daemon which is away is given up.
    pub(crate) async fn undo_operation(
        &self,
        by: Caller,
        id: OperationId,
        how: UndoOperation,
    ) -> Result<Operation, ApiError> {
        let until = Instant::now() + self.settings().patience;
        match by.has_done() {
            Some(given_up) if given_up == id => return self.finished_operation(by.owner, id, until).await,
            Some(operation) => return self.come_to(by.owner, operation, until).await,
            None => {}
        }
        let mut tx = self.begin_operation().await?;
        let undone = operations::lock(&mut tx, by.owner, id).await?;
        let undone = undone.ok_or_else(|| ApiError::not_found("operation"))?;
        if undone.state == OperationState::Prepared {
            return self.abandon(tx, by, undone, until).await;
        }
        let reversal = undone.reversal().map_err(not_undoable)?;
        self.hold_contract(&mut tx, by.owner, undone.contract).await?;
        let on = (undone.task, undone.contract);
        self.check(&mut tx, by, &undone, reversal, how).await?;
        let intent = Intent {
            kind: OperationKind::Undo,
            task: undone.task,
            contract: undone.contract,
            request: json!(how),
            before: undone.after.clone().unwrap_or_default(),
            undoes: Some(id),
        };
        let operation = self.prepare(&mut tx, by, intent).await?;
        if matches!(reversal, Reversal::Delete | Reversal::Return { .. }) {
            self.may_begin(&mut tx, by.owner, on, how.stop).await?;
        }
        self.advance(&mut tx, by.owner, operation.id).await?;
        self.carried_out(tx, operation, until).await
    }

    /// Whether what the operation changed is there, and as it left it.
    async fn check(
        &self,
        tx: &mut Tx,
        by: Caller,
        undone: &Operation,
        reversal: Reversal,
        how: UndoOperation,
    ) -> Result<(), ApiError> {
        let task = match (reversal, undone.task) {
            (Reversal::TakeOut, Some(_)) => {
                if let Some(contract) = undone.contract
                    && let Some(by) = trash::of_contract(tx, by.owner, contract).await?
                {
                    let message = format!("its contract is in the trash: undo operation {by} first");
                    return Err(ApiError::new(Code::Conflict, message).with(json!({ "operationId": by })));
                }
                return Ok(());
            }
            (Reversal::TakeOut, None) => return Ok(()),
            (Reversal::Delete, None) => {
                if let Some(contract) = undone.contract
                    && contracts::get(tx, by.owner, contract).await?.is_none()
                {
                    return Err(no_contract(tx, by.owner, contract).await?);
                }
                return Ok(());
            }
            (_, Some(task)) => existing(tx, by.owner, task).await?,
            (_, None) => return Err(ApiError::not_found("task")),
        };
        let newer = match reversal {
            Reversal::Return { from, .. } => went_on(from, head(&task)),
            Reversal::PutAway(id) => {
                let newer = self.newer(tx, undone, id).await?;
                newer.map(|newer| {
                    let files: Vec<String> =
                        newer.made.files_changed.into_iter().map(|file| file.path).collect();
                    (format!("checkpoint {} was made since", newer.made.number), json!({ "files": files }))
                })
            }
            Reversal::Delete | Reversal::TakeOut | Reversal::BringBack(_) => None,
        };
        match newer {
            Some((what, details)) if !how.keep_newer => {
                let message =
                    format!("{what}: say `keepNewer` to undo it all the same; what came after is kept");
                Err(ApiError::new(Code::NewerChanges, message).with(details))
            }
            _ => Ok(()),
        }
    }

    /// Makes things as they were, once no agent works where that matters.
    pub(super) async fn undo(
        &self,
        tx: &mut Tx,
        operation: &Operation,
    ) -> Result<Option<Ending>, StoreError> {
        let undone = match operation.undoes {
            Some(id) => operations::get(tx, operation.owner, id).await?,
            None => None,
        };
        let reversal = match undone.as_ref().map(Operation::reversal) {
            Some(Ok(reversal)) => reversal,
            Some(Err(error)) => return Ok(Some(Ending::Failed(error.to_string()))),
            None => return Ok(Some(Ending::Failed("the operation is gone".to_owned()))),
        };
        match reversal {
            Reversal::Delete => self.delete(tx, operation).await,
            Reversal::TakeOut => {
                let deleted_by = operation.undoes.unwrap_or(operation.id);
                let tasks = self.take_out_of_trash(tx, operation, deleted_by).await?;
                let after = Circumstances { deleted: Some(false), tasks, ..Circumstances::default() };
                Ok(Some(Ending::Done { before: None, after }))
            }
            Reversal::Return { to, from } => {
                if self.still_works(tx, operation).await? {
                    return Ok(None);
                }
                // The agent may have said more while it was stopped.
                if !keeps_newer(operation) && self.went_on_since(tx, operation, from).await? {
                    return Ok(Some(Ending::Failed(
                        "the conversation went on while its agent was stopped: say `keepNewer` to undo it all the same"
                            .to_owned(),
                    )));
                }
                self.move_head(tx, operation, to.into(), BranchReason::Undone).await
            }
            Reversal::PutAway(id) => self.move_checkpoint(tx, operation, id, false).await,
            Reversal::BringBack(id) => self.move_checkpoint(tx, operation, id, true).await,
        }
    }

    async fn went_on_since(
        &self,
        tx: &mut Tx,
        operation: &Operation,
        from: Head,
    ) -> Result<bool, StoreError> {
        let task = match operation.task {
            Some(task) => tasks::get(tx, operation.owner, task).await?,
            None => None,
        };
        Ok(task.is_some_and(|task| went_on(from, head(&task)).is_some()))
    }

    /// Puts a checkpoint away, or has it again. Its daemon knows first, so that its next one follows the right one.
    async fn move_checkpoint(
        &self,
        tx: &mut Tx,
        operation: &Operation,
        id: CheckpointId,
        kept: bool,
    ) -> Result<Option<Ending>, StoreError> {
        let owner = operation.owner;
        let checkpoint = checkpoints::even_put_away(tx, owner, id).await?;
        let Some(checkpoint) = checkpoint else {
            return Ok(Some(Ending::Failed("the checkpoint is gone".to_owned())));
        };
        let told = commands::of_operation(tx, owner, operation.id).await?;
        match told.first() {
            None => {
                if self.tell_daemon(tx, operation, &checkpoint, kept).await? {
                    return Ok(None);
                }
            }
            Some(command) if !command.state.is_finished() => return Ok(None),
            Some(command) if command.state == CommandState::Failed && !keeps_newer(operation) => {
                return Ok(Some(Ending::Failed(refusal(command).unwrap_or_default())));
            }
            Some(_) => {}
        }
        let by = (!kept).then_some(operation.id);
        checkpoints::put_away(tx, &checkpoint, by, self.clock().now()).await?;
        if let Some(task) = tasks::get(tx, owner, checkpoint.task).await? {
            let subtype = if kept { "checkpoint_restored" } else { "checkpoint_undone" };
            self.note_task(tx, operation, &task, subtype).await?;
        }
        Ok(Some(Ending::Done { before: None, after: checkpoint::standing(id, kept) }))
    }

    /// Tells the daemon that has the worktree what its next checkpoint follows. Whether there is one to tell.
    async fn tell_daemon(
        &self,
        tx: &mut Tx,
        operation: &Operation,
        checkpoint: &Checkpoint,
        kept: bool,
    ) -> Result<bool, StoreError> {
        let (task, id) = (checkpoint.task, checkpoint.made.id);
        let Some(run) = runs::latest_of_task(tx, operation.owner, task).await? else { return Ok(false) };
        let command = if kept {
            Command::BringCheckpointBack { task, checkpoint: id }
        } else {
            let before = checkpoints::latest_but(tx, operation.owner, task, id).await?;
            let last = before.map(|before| LastCheckpoint::from(&before.made));
            Command::PutCheckpointAway { task, checkpoint: id, last }
        };
        self.queue_for(tx, operation, run.daemon, Some(run.id), &command).await?;
        Ok(true)
    }

    /// The newest checkpoint of the task, if that isn't the one that the operation made.
    async fn newer(
        &self,
        tx: &mut Tx,
        undone: &Operation,
        id: CheckpointId,
    ) -> Result<Option<Checkpoint>, StoreError> {
        let Some(task) = undone.task else { return Ok(None) };
        let newest = checkpoints::latest(tx, undone.owner, task).await?;
        Ok(newest.filter(|newest| newest.made.id != id))
    }
}

/// What to say of a conversation that does not stand where the operation left it.
fn went_on(left: Head, now: Head) -> Option<(String, serde_json::Value)> {
    if left == now {
        return None;
    }
    let messages = now.message_count.saturating_sub(left.message_count).max(0);
    Some(("the conversation went on since".to_owned(), json!({ "files": [], "messages": messages })))
}

fn keeps_newer(operation: &Operation) -> bool {
    operation.request["keepNewer"] == json!(true)
}

fn not_undoable(error: NotUndoable) -> ApiError {
    let answer = ApiError::new(Code::Conflict, error.to_string());
    match error {
        NotUndoable::Undone(by) => answer.with(json!({ "operationId": by })),
        NotUndoable::NotDone(_) | NotUndoable::Erased => answer,
    }
}
