//! What is done with a worktree when its run is over.

use super::{TaskFile, Worktrees};
use crate::{DaemonError, error::told};
use makima_git::{BranchName, CommitError, ScanError, Sha};
use makima_model::{NoticeLevel, Record};
use makima_wire::frame::StartRun;

impl Worktrees {
    /// Commits what the agent left uncommitted, under the task's name, and publishes the branch. Where that is refused, all
    /// stays as it is, and a notice says why.
    pub(crate) async fn commit_rest(&self, run: &StartRun) -> Vec<Record> {
        let _held = self.hold(run.task).await;
        match self.try_commit(run).await {
            Ok(records) => records,
            Err(error) => vec![Record::Notice {
                level: NoticeLevel::Warning,
                text: format!("what the agent left uncommitted was not committed: {}", told(&error)),
                failure: None,
            }],
        }
    }

    async fn try_commit(&self, run: &StartRun) -> Result<Vec<Record>, DaemonError> {
        let mut file = TaskFile::find(&self.folders, run.task).await?;
        let (_, clone) = self.place(&file)?;
        let worktree = clone.worktree(&self.folders.worktree(run.task))?;
        let branch = BranchName::new(&run.branch_name)?;
        let (author, at) = (self.user(&clone).await?, self.clock.now().utc().into());
        let commit = worktree.commit_remaining(&branch, &run.task_name, &author, at).await?;
        self.failpoints.at("rest.committed").await;
        let checkpoint = file.made.as_ref().and_then(|made| Sha::parse(&made.checkpoint.commit_sha));
        if let (Some(commit), Some(checkpoint)) = (commit, checkpoint)
            && clone.changes(Some(&checkpoint), &commit).await?.is_empty()
        {
            file.committed = Some(commit.to_string());
            file.write(&self.folders, run.task).await?;
        }
        Ok(self.publish(run.task, &mut file, (run.run, 0)).await?.into_iter().collect())
    }
}

/// Whether something kept writing into the worktree, so that it is worth trying again.
pub(crate) fn kept_changing(error: &DaemonError) -> bool {
    use makima_git::CheckpointError;
    let scan = match error {
        DaemonError::Checkpoint(CheckpointError::Scan(scan))
        | DaemonError::Commit(CommitError::Scan(scan)) => scan,
        _ => return false,
    };
    matches!(scan, ScanError::WorktreeChanging { .. })
}
