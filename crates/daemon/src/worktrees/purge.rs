//! Erasing a task's worktree, and what else its clone has of it.

use super::{TaskFile, Worktrees};
use crate::{DaemonError, disk};
use makima_failpoints::Failpoints;
use makima_git::{BareClone, BranchName};
use makima_model::TaskId;
use std::{fs, io};

impl Worktrees {
    /// Erases it. `otherwise`: the repository and branch of a task whose worktree was never finished. The user's own repository is left
    /// as it is.
    pub(crate) async fn purge(
        &self,
        task: TaskId,
        otherwise: Option<(String, String)>,
        failpoints: &Failpoints,
    ) -> Result<(), DaemonError> {
        let _held = self.hold(task).await;
        let known = TaskFile::read(&self.folders, task).await?;
        let made = known.as_ref().and_then(|known| known.made.as_ref());
        let patch = made.and_then(|made| made.checkpoint.patch.clone());
        let place = known.map(|known| (known.repository, known.branch_name)).or(otherwise);
        let folder = self.folders.worktree(task);
        if let Some((repository, branch)) = place {
            let dir = self.folders.clone_of(&repository);
            if dir.exists() {
                let clone = BareClone::open(&self.git, &dir);
                clone.remove_worktree(&folder).await?;
                failpoints.at("purge.worktree").await;
                clone.forget_task(&task.to_string(), &BranchName::new(&branch)?).await?;
                failpoints.at("purge.refs").await;
            }
        }
        let (file, patch) = (self.folders.task(task), patch.map(|patch| self.folders.blob(&patch.hash)));
        disk::off_thread(move || {
            match fs::remove_dir_all(&folder) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(DaemonError::write(&folder, source));
                }
                _ => {}
            }
            if let Some(patch) = patch {
                disk::remove(&patch)?;
            }
            disk::remove(&file)
        })
        .await
    }
}
