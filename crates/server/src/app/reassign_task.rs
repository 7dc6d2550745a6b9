//! Giving a task that has not started to another daemon.

use super::{
    App, TaskView,
    tasks::{existing, locked},
};
use crate::{caller::Caller, error::ApiError};
use makima_model::{DaemonId, DaemonStatus, TaskId, TaskStatus};
use makima_store::{daemons, tasks};
use makima_wire::Code;

impl App {
    /// Sets the only daemon that the task may run on, or lets it run on any, and places it.
    pub(crate) async fn reassign_task(
        &self,
        by: Caller,
        id: TaskId,
        target: Option<DaemonId>,
    ) -> Result<TaskView, ApiError> {
        if by.has_done::<TaskId>().is_some() {
            self.place(by.owner).await?;
            return self.task(by.owner, id).await;
        }
        let mut tx = self.db().read().await?;
        let task = existing(&mut tx, by.owner, id).await?;
        if let Some(target) = target {
            let daemon = daemons::get(&mut tx, by.owner, target).await?;
            let daemon = daemon.ok_or_else(|| ApiError::not_found("daemon"))?;
            if daemon.status == DaemonStatus::Offline {
                return Err(ApiError::new(
                    Code::DaemonOffline,
                    format!("the daemon {} is not connected", daemon.name),
                ));
            }
        }
        drop(tx);
        unstarted(&task)?;
        // Beside any transaction: it waits for daemons.
        let out_of_reach =
            self.check_repository(by.owner, target, &task.repository, task.base_branch.as_deref()).await?;

        let mut tx = self.db().begin().await?;
        unstarted(&locked(&mut tx, by.owner, id).await?)?;
        tasks::set_target(&mut tx, by.owner, id, target, &out_of_reach, self.clock().now()).await?;
        self.note(&mut tx, by, id).await?;
        tx.commit().await?;
        self.place(by.owner).await?;
        self.task(by.owner, id).await
    }
}

/// 409 for a task that a daemon has begun: its worktree is there.
fn unstarted(task: &tasks::Task) -> Result<(), ApiError> {
    let waits = matches!(task.status, TaskStatus::Pending | TaskStatus::Interrupted);
    if waits && task.run_number == 0 {
        return Ok(());
    }
    Err(ApiError::new(
        Code::Conflict,
        format!("the task has started: it is {} and its worktree is on its daemon's machine", task.status),
    ))
}
