//! Erasing what is here of a task.

use crate::{
    DaemonError,
    error::told,
    runs::{Outcome, Runs},
    workshop::Workshop,
};
use makima_model::TaskId;
use makima_wire::Code;
use std::sync::Arc;

pub(super) async fn purge_task(workshop: Arc<Workshop>, runs: Arc<Runs>, task: TaskId) -> Outcome {
    match erase(&workshop, &runs, task).await {
        Ok(()) => Outcome::done(),
        Err(error) => Outcome::refused(Code::Conflict, told(&error)),
    }
}

/// Each step finds what is left to do, so it may be done again after any of them. What says where the others are goes last.
async fn erase(workshop: &Workshop, runs: &Runs, task: TaskId) -> Result<(), DaemonError> {
    let failpoints = &workshop.config.failpoints;
    let ended = runs.end_of_task(task).await;
    failpoints.at("purge.stopped").await;
    let repository = ended.first().map(|run| (run.spec.repository.clone(), run.spec.branch_name.clone()));
    workshop.worktrees.purge(task, repository, failpoints).await?;
    failpoints.at("purge.worktree_gone").await;
    runs.forget(&ended).await?;
    failpoints.at("purge.runs_gone").await;
    Ok(())
}
