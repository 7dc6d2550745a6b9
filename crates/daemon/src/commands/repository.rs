//! Whether a repository can be reached from here.

use crate::{DaemonError, error::told, runs::Outcome, workshop::Workshop};
use makima_git::Source;
use makima_wire::{
    Code,
    frame::{CommandOutcome, CommandResult, RepositorySeen},
};
use std::{sync::Arc, time::Duration};

/// How long a repository elsewhere may take to answer: whoever asks waits for 10 s.
const PATIENCE: Duration = Duration::from_secs(8);

pub(super) async fn check_repository(
    workshop: Arc<Workshop>,
    repository: String,
    base_branch: Option<String>,
) -> Outcome {
    match look(&workshop, &repository, base_branch).await {
        Ok(seen) => Outcome { outcome: CommandOutcome::Done(CommandResult::Repository(seen)), after: None },
        Err(error) => Outcome::refused(Code::RepositoryNotFound, told(&error)),
    }
}

async fn look(
    workshop: &Workshop,
    repository: &str,
    base_branch: Option<String>,
) -> Result<RepositorySeen, DaemonError> {
    let git = workshop.worktrees.git();
    let source = Source::parse(repository)?;
    let seen = git.check_repository(&source, base_branch.as_deref(), Some(PATIENCE)).await?;
    let folder = seen.local.and_then(|local| local.worktree);
    let uncommitted_files = match folder {
        Some(folder) => {
            let uncommitted = git.uncommitted(&folder).await?;
            Some((uncommitted.changed + uncommitted.untracked) as u64)
        }
        None => None,
    };
    // The commit of a branch that was named is known once it is cloned.
    let base_commit = match &base_branch {
        Some(named) if seen.head_branch.as_ref() != Some(named) => None,
        _ => seen.head_commit.map(|commit| commit.to_string()),
    };
    let base_branch = base_branch.or(seen.head_branch).unwrap_or_else(|| "HEAD".to_owned());
    Ok(RepositorySeen { base_branch, base_commit, uncommitted_files })
}
