//! Makes the worktree that a run's agent works in, or finds it as an earlier run left it.

use super::{TaskFile, Worktrees};
use crate::DaemonError;
use makima_git::{BareClone, Base, BranchName, Progress, Sha, Source, Start};
use makima_model::Record;
use makima_wire::frame::{CopiedFiles, StartRun};
use std::path::PathBuf;

impl Worktrees {
    /// Brings the clone up to date and makes the worktree. Answers where it is, and what to say about it.
    pub async fn prepare(
        &self,
        run: &StartRun,
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(PathBuf, Record), DaemonError> {
        let source = Source::parse(&run.repository)?;
        let branch = BranchName::new(&run.branch_name)?;
        let _held = self.hold(run.task).await;
        let clone = self.git.ensure_clone(&self.folders.clone_of(&run.repository), &source, watch).await?;
        self.ask_user(&clone).await?;
        let known = TaskFile::read(&self.folders, run.task).await?;
        let (start, base) = match known.as_ref().filter(|known| known.repository == run.repository) {
            Some(known) => of_known(known),
            None => self.begin(run, &source, &clone).await?,
        };
        let worktree = clone.add_worktree(&self.folders.worktree(run.task), &branch, &start).await?;
        let base_commit = base.commit.map(|commit| commit.to_string());
        if known.is_none() {
            // Only then: what the agent made of them afterwards is its own.
            if let Some(CopiedFiles { task, files }) = run.copied.clone() {
                self.copy_files(task, files, worktree.folder()).await?;
            }
            let file = TaskFile {
                repository: run.repository.clone(),
                branch_name: run.branch_name.clone(),
                base_branch: base.branch.clone(),
                base_commit: base_commit.clone(),
                made: None,
                instead: None,
                committed: None,
                published: None,
            };
            file.write(&self.folders, run.task).await?;
        }
        let record = Record::Prepared {
            worktree_path: worktree.folder().to_string_lossy().into_owned(),
            branch_name: run.branch_name.clone(),
            base_branch: base.branch,
            base_commit: base_commit.unwrap_or_default(),
        };
        Ok((worktree.folder().to_owned(), record))
    }

    /// What a task that never ran here starts from.
    async fn begin(
        &self,
        run: &StartRun,
        source: &Source,
        clone: &BareClone,
    ) -> Result<(Start, Base), DaemonError> {
        if let Some(commit) = run.base_commit.as_deref().and_then(Sha::parse) {
            let branch = run.base_branch.clone().unwrap_or_else(|| "HEAD".to_owned());
            return Ok((Start::Commit(commit.clone()), Base { branch, commit: Some(commit) }));
        }
        let mut base = clone.resolve_base(run.base_branch.as_deref()).await?;
        if !run.include_uncommitted {
            return Ok((base.commit.clone().map_or(Start::Nothing, Start::Commit), base));
        }
        let keep = format!("refs/makima/tasks/{}/uncommitted", run.task);
        let at = self.clock.now().utc().into();
        let start = clone.include_uncommitted(source, &keep, &self.user(clone).await?, at).await?;
        // They stand on the user's HEAD, wherever the branch that was named is.
        base.commit = match &start {
            Start::Commit(head) | Start::Uncommitted { head, .. } => Some(head.clone()),
            Start::Nothing | Start::UncommittedNothing { .. } => None,
        };
        Ok((start, base))
    }
}

/// The worktree is there, or can be made again at the task's branch.
fn of_known(known: &TaskFile) -> (Start, Base) {
    let commit = known.base_commit.as_deref().and_then(Sha::parse);
    (commit.clone().map_or(Start::Nothing, Start::Commit), Base { branch: known.base_branch.clone(), commit })
}
