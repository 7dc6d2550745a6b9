//! Cancelling a task: it is stopped for good.

use super::{
    App, TaskChange, TaskView,
    tasks::{locked, phase_of},
};
use crate::{caller::Caller, error::ApiError};
use makima_model::{StopReason, TaskId, TaskStatus};
use makima_store::{runs, tasks};
use makima_wire::{Code, frame::Command};
use tokio::time::Instant;

impl App {
    /// Cancels at once what has no live run; else stops the run, and the task is cancelled when that has ended, however it
    /// ends.
    pub(crate) async fn cancel_task(&self, by: Caller, id: TaskId) -> Result<TaskView, ApiError> {
        let until = Instant::now() + self.settings().patience;
        if let Some(command) = by.has_done() {
            self.finished(by.owner, command, until).await?;
            self.settle_cancelled(by, id).await?;
            return self.task(by.owner, id).await;
        }
        let mut tx = self.db().begin().await?;
        let mut task = locked(&mut tx, by.owner, id).await?;
        let Some(run) = runs::live_of_task(&mut tx, by.owner, id).await? else {
            let phase = phase_of(&mut tx, &task).await?;
            let change = TaskChange {
                clock: self.clock(),
                at: self.clock().now(),
                run_number: task.run_number,
                phase,
            };
            if !change.become_status(&mut tx, &mut task, TaskStatus::Cancelled, None).await? {
                return Err(ApiError::new(Code::Conflict, "the task is cancelled already"));
            }
            self.note(&mut tx, by, id).await?;
            tx.commit().await?;
            return self.task(by.owner, id).await;
        };
        tasks::set_cancelling(&mut tx, by.owner, id, true, self.clock().now()).await?;
        let command = Command::Stop { run: run.id, reason: StopReason::Owner };
        let command = self.queue(&mut tx, by.owner, run.daemon, Some(run.id), &command).await?;
        self.note(&mut tx, by, command).await?;
        tx.commit().await?;
        self.finished(by.owner, command, until).await?;
        self.settle_cancelled(by, id).await?;
        self.task(by.owner, id).await
    }

    /// Cancels a task whose run ended in the very moment in which it was cancelled.
    async fn settle_cancelled(&self, by: Caller, id: TaskId) -> Result<(), ApiError> {
        let mut tx = self.db().begin().await?;
        let mut task = locked(&mut tx, by.owner, id).await?;
        if !task.cancelling || runs::live_of_task(&mut tx, by.owner, id).await?.is_some() {
            return Ok(());
        }
        let phase = phase_of(&mut tx, &task).await?;
        let change =
            TaskChange { clock: self.clock(), at: self.clock().now(), run_number: task.run_number, phase };
        change.become_status(&mut tx, &mut task, TaskStatus::Cancelled, None).await?;
        Ok(tx.commit().await?)
    }
}
