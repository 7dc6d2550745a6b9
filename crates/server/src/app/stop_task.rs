//! Stopping a task's agent, with everything kept.

use super::{
    App, TaskChange, TaskView,
    tasks::{locked, phase_of},
};
use crate::{caller::Caller, error::ApiError};
use makima_model::{StopReason, TaskId, TaskStatus};
use makima_store::runs;
use makima_wire::{Code, frame::Command};
use tokio::time::Instant;

impl App {
    /// Stops the live run and waits for its end, as long as a request may wait; a task that waits for a daemon is
    /// interrupted at once.
    pub(crate) async fn stop_task(&self, by: Caller, id: TaskId) -> Result<TaskView, ApiError> {
        let until = Instant::now() + self.settings().patience;
        if let Some(command) = by.has_done() {
            self.finished(by.owner, command, until).await?;
            return self.task(by.owner, id).await;
        }
        let mut tx = self.db().begin().await?;
        let mut task = locked(&mut tx, by.owner, id).await?;
        let Some(run) = runs::live_of_task(&mut tx, by.owner, id).await? else {
            if task.status != TaskStatus::Pending {
                return Err(ApiError::new(
                    Code::NotRunning,
                    format!("the task has no live run: it is {}", task.status),
                ));
            }
            let phase = phase_of(&mut tx, &task).await?;
            let change = TaskChange {
                clock: self.clock(),
                at: self.clock().now(),
                run_number: task.run_number,
                phase,
            };
            let reason = Some("stopped by its owner before it started".to_owned());
            change.become_status(&mut tx, &mut task, TaskStatus::Interrupted, reason).await?;
            self.note(&mut tx, by, id).await?;
            tx.commit().await?;
            return self.task(by.owner, id).await;
        };
        let command = Command::Stop { run: run.id, reason: StopReason::Owner };
        let command = self.queue(&mut tx, by.owner, run.daemon, Some(run.id), &command).await?;
        self.note(&mut tx, by, command).await?;
        tx.commit().await?;
        // The command is finished when the run has ended, and what the run said comes before it.
        self.finished(by.owner, command, until).await?;
        self.task(by.owner, id).await
    }
}
