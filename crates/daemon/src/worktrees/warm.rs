//! What is done beside an agent, so that its first checkpoint takes no longer than those after it.

use super::{TaskFile, Worktrees};
use crate::DaemonError;
use makima_git::CheckpointError;
use makima_model::TaskId;
use std::time::Duration;

/// git takes a file that is as old as its index, to the second, for one that may have changed since: all files of a worktree
/// that was made at one go. Once this long has passed they are looked at again for the last time.
const NEXT_SECOND: Duration = Duration::from_millis(1_100);

impl Worktrees {
    /// Waits until the worktree that [`prepare`](Self::prepare) has made is old enough, and has git look at all of its
    /// files. A checkpoint that is due meanwhile waits for the latter, which it would have to do itself otherwise, but
    /// never for the former. May be given up at any time.
    pub async fn warm(&self, task: TaskId) -> Result<(), DaemonError> {
        tokio::time::sleep(NEXT_SECOND).await;
        let _held = self.hold(task).await;
        let file = TaskFile::find(&self.folders, task).await?;
        let (_, clone) = self.place(&file)?;
        let worktree = clone.worktree(&self.folders.worktree(task))?;
        Ok(worktree.warm().await.map_err(CheckpointError::from)?)
    }
}
