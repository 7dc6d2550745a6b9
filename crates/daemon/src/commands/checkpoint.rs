//! A checkpoint that somebody asked for.

use crate::{
    DaemonError,
    error::told,
    runs::Outcome,
    trouble::told_with_advice,
    workshop::Workshop,
    worktrees::{ByHand, kept_changing},
};
use makima_model::RunId;
use makima_wire::{
    Code,
    frame::{Checkpointed, CommandOutcome, CommandResult},
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
