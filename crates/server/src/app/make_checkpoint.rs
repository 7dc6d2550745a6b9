//! Checkpoints: made by hand, listed.

use super::{App, Listed, lists, tasks::existing, texts};
use crate::{caller::Caller, cursor::ListMark, error::ApiError};
use makima_model::{CheckpointId, CommandId, DaemonStatus, TaskId};
use makima_store::{
    checkpoints::{self, Checkpoint},
    daemons, runs,
};
use makima_wire::{
    Code, List,
    frame::{Command, CommandOutcome, CommandResult, LastCheckpoint},
};
use tokio::time::Instant;

impl App {
    /// Has the task's daemon make a checkpoint of its worktree as it is now.
    pub(crate) async fn make_checkpoint(
        &self,
        by: Caller,
        id: TaskId,
        message: Option<String>,
    ) -> Result<Checkpoint, ApiError> {
        let until = Instant::now() + self.settings().patience;
        if let Some(command) = by.has_done() {
            return self.checkpoint_of(by, command, until).await;
        }
        let mut tx = self.db().begin().await?;
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
        let checkpoint: CheckpointId = self.clock().new_id();
        let last = checkpoints::latest(&mut tx, by.owner, id).await?;
        let command = Command::Checkpoint {
            task: id,
            run: run.id,
            id: checkpoint,
            message,
            last: last.map(|last| LastCheckpoint::from(&last.made)),
        };
        let command = self.queue(&mut tx, by.owner, run.daemon, Some(run.id), &command).await?;
        self.note(&mut tx, by, command).await?;
        tx.commit().await?;
        self.failpoints().at("checkpoint.queued").await;
        self.checkpoint_of(by, command, until).await
    }

    /// The checkpoint that a command is for, once it is made.
    async fn checkpoint_of(
        &self,
        by: Caller,
        command: CommandId,
        until: Instant,
    ) -> Result<Checkpoint, ApiError> {
        match self.finished(by.owner, command, until).await? {
            Some(CommandOutcome::Done(CommandResult::Checkpoint(checkpointed))) => {
                let mut tx = self.db().read().await?;
                checkpoints::by_id(&mut tx, by.owner, checkpointed.made.id)
                    .await?
                    .ok_or_else(|| ApiError::not_found("checkpoint"))
            }
            Some(CommandOutcome::Refused(refusal)) => Err(ApiError::new(refusal.code, refusal.message)),
            Some(CommandOutcome::Done(_)) => {
                Err(ApiError::new(Code::Internal, "the daemon answered something else than a checkpoint"))
            }
            None => Err(ApiError::new(
                Code::NoDaemon,
                "the daemon did not answer in time; it will still make the checkpoint when it can: look at the list",
            )),
        }
    }

    /// A page of a task's checkpoints.
    pub(crate) async fn checkpoints(
        &self,
        by: Caller,
        id: TaskId,
        list: &List,
    ) -> Result<Listed<Checkpoint>, ApiError> {
        let mark = ListMark::new("checkpoints", by.owner, list.order, &[&id.to_string()]);
        let seek = lists::seek(list, mark)?;
        let mut tx = self.db().read().await?;
        existing(&mut tx, by.owner, id).await?;
        Ok(lists::listed(checkpoints::list(&mut tx, by.owner, id, seek).await?, mark))
    }
}
