//! A checkpoint that somebody asked for.

use crate::{
    DaemonError,
    error::told,
    runs::Outcome,
    trouble::told_with_advice,
    workshop::Workshop,
    worktrees::{ByHand, kept_changing},
};
use makima_model::{CheckpointId, RunId, TaskId};
use makima_wire::{
    Code,
    frame::{Checkpointed, CommandOutcome, CommandResult, LastCheckpoint},
};
use std::sync::Arc;

pub(super) async fn make_checkpoint(
    workshop: Arc<Workshop>,
    wanted: ByHand,
    after: Option<(RunId, u64)>,
) -> Outcome {
    match workshop.worktrees.checkpoint_by_hand(&wanted).await {
        Ok(made) => {
            let result = CommandResult::Checkpoint(Box::new(Checkpointed { made }));
            Outcome { outcome: CommandOutcome::Done(result), after }
        }
        Err(DaemonError::Missing { .. }) => {
            Outcome::refused(Code::NotFound, "the task has no worktree on its daemon: it has never run there")
        }
        Err(error) if kept_changing(&error) => Outcome::refused(Code::WorktreeChanging, told(&error)),
        Err(error) => Outcome::refused(Code::Conflict, told_with_advice(&error)),
    }
}

/// Has the next checkpoint follow another one than the newest that was made, or that one again (`instead`: `None`).
pub(super) async fn move_checkpoint(
    workshop: Arc<Workshop>,
    task: TaskId,
    checkpoint: CheckpointId,
    instead: Option<Option<LastCheckpoint>>,
) -> Outcome {
    match workshop.worktrees.move_checkpoint(task, checkpoint, instead).await {
        Ok(true) => Outcome::done(),
        Ok(false) => Outcome::refused(Code::Conflict, "a newer checkpoint follows it already"),
        Err(error) => Outcome::refused(Code::Conflict, told(&error)),
    }
}
