//! Checkpoints by hand, as operations: made by the task's daemon, and published with what came of its command.

use super::{App, Intent, refusal};
use crate::{
    app::{tasks::existing, texts},
    caller::Caller,
    error::ApiError,
};
use makima_model::{
    CheckpointId, Circumstances, DaemonStatus, Operation, OperationId, OperationKind, OperationState, TaskId,
};
use makima_store::{
    CommandState, StoreError, Tx,
    checkpoints::{self, Checkpoint},
    commands, daemons,
    operations::Ending,
    runs,
};
use makima_wire::{
    Code,
    frame::{Command, CommandOutcome, LastCheckpoint},
};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked whether another operation on the task is finished.
const LOOK: Duration = Duration::from_millis(100);

/// What came of asking for a checkpoint.
pub(crate) enum Making {
    /// It is made.
    Made(Box<Checkpoint>),
    /// It is about to be.
    GoesOn(Operation),
}

impl App {
    /// Has the task's daemon make a checkpoint of its worktree as it is now.
    pub(crate) async fn make_checkpoint(
        &self,
        by: Caller,
        id: TaskId,
        message: Option<String>,
    ) -> Result<Making, ApiError> {
        let until = Instant::now() + self.settings().patience;
        if let Some(operation) = by.has_done() {
            return self.checkpoint_of(by, operation, until).await;
        }
        let mut tx = self.begin_operation().await?;
        let task = existing(&mut tx, by.owner, id).await?;
        let message = match message {
            Some(message) => {
                texts::said("message", &message)?;
                message
            }
            None => task.name.clone(),
        };
        if message.chars().count() > 10_000 {
            return Err(ApiError::unprocessable("message has more than 10000 characters"));
        }
        let run = runs::latest_of_task(&mut tx, by.owner, id).await?;
        let Some(run) = run.filter(|_| task.worktree_path.is_some()) else {
            return Err(ApiError::new(Code::Conflict, "the task has no worktree yet: it has not started"));
        };
        let daemon = daemons::get(&mut tx, by.owner, run.daemon).await?;
        if daemon.is_none_or(|daemon| daemon.status == DaemonStatus::Offline) {
            return Err(ApiError::new(
                Code::NoDaemon,
                "the daemon that has the task's worktree is not connected",
            ));
        }
        self.hold_contract(&mut tx, by.owner, task.contract).await?;
        let checkpoint: CheckpointId = self.clock().new_id();
        let intent = Intent {
            kind: OperationKind::Checkpoint,
            task: Some(id),
            contract: task.contract,
            request: json!({ "message": message }),
            before: standing(checkpoint, false),
            undoes: None,
        };
        let operation = self.prepare(&mut tx, by, intent).await?;
        let last = checkpoints::latest(&mut tx, by.owner, id).await?;
        let command = Command::Checkpoint {
            task: id,
            run: run.id,
            id: checkpoint,
            message,
            last: last.map(|last| LastCheckpoint::from(&last.made)),
        };
        self.queue_for(&mut tx, &operation, run.daemon, Some(run.id), &command).await?;
        tx.commit().await?;
        self.failpoints().at("operation.prepared").await;
        self.checkpoint_of(by, operation.id, until).await
    }

    /// The checkpoint that an operation is for, once it is made; with the daemon's own code where it refused.
    async fn checkpoint_of(&self, by: Caller, id: OperationId, until: Instant) -> Result<Making, ApiError> {
        let operation = self.finished_operation(by.owner, id, until).await?;
        if operation.state == OperationState::Prepared {
            return Ok(Making::GoesOn(operation));
        }
        let mut tx = self.db().read().await?;
        let made = match operation.before.checkpoint_id.filter(|_| operation.state == OperationState::Done) {
            Some(checkpoint) => checkpoints::even_put_away(&mut tx, by.owner, checkpoint).await?,
            None => None,
        };
        if let Some(made) = made {
            return Ok(Making::Made(Box::new(made)));
        }
        let told = commands::of_operation(&mut tx, by.owner, id).await?;
        let told = told.into_iter().find_map(|command| command.error);
        match told.as_deref().map(serde_json::from_str) {
            Some(Ok(CommandOutcome::Refused(refusal))) => Err(ApiError::new(refusal.code, refusal.message)),
            _ => Err(ApiError::new(Code::Conflict, operation.error.unwrap_or_default())),
        }
    }

    /// The same, once what is open on the task is finished.
    pub(crate) async fn make_checkpoint_in_turn(
        &self,
        by: Caller,
        id: TaskId,
        message: &str,
    ) -> Result<Making, ApiError> {
        let until = Instant::now() + self.settings().patience;
        loop {
            match self.make_checkpoint(by, id, Some(message.to_owned())).await {
                Err(error) if error.code() == Code::OperationInProgress && Instant::now() < until => {
                    tokio::time::sleep(LOOK).await;
                }
                made => return made,
            }
        }
    }

    /// What came of the daemon's command. The checkpoint's row is there with it.
    pub(super) async fn checkpoint_made(
        &self,
        tx: &mut Tx,
        operation: &Operation,
    ) -> Result<Option<Ending>, StoreError> {
        let told = commands::of_operation(tx, operation.owner, operation.id).await?;
        let Some(command) = told.first() else {
            return Ok(Some(Ending::Failed("its daemon was never asked".to_owned())));
        };
        let made = match operation.before.checkpoint_id {
            Some(id) => checkpoints::even_put_away(tx, operation.owner, id).await?,
            None => None,
        };
        Ok(match (command.state, made) {
            (CommandState::Queued | CommandState::Sent | CommandState::Acknowledged, _) => None,
            (_, Some(made)) => Some(Ending::Done { before: None, after: standing(made.made.id, true) }),
            (_, None) => Some(Ending::Failed(
                refusal(command).unwrap_or_else(|| "the daemon made no checkpoint".to_owned()),
            )),
        })
    }
}

/// A checkpoint, and whether it is one of its task's.
pub(super) fn standing(checkpoint: CheckpointId, kept: bool) -> Circumstances {
    Circumstances { checkpoint_id: Some(checkpoint), kept: Some(kept), ..Circumstances::default() }
}
