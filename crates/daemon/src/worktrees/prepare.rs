//! Makes the worktree that a run's agent works in, or finds it as an earlier run left it.

use super::{TaskFile, Worktrees};
use crate::DaemonError;
use makima_git::{BareClone, Base, BranchName, Included, NotHeldReason, Progress, Sha, Source, Start};
use makima_model::{NoticeLevel, Record};
use makima_wire::frame::{CopiedFiles, StartRun};
use std::path::PathBuf;

impl Worktrees {
    /// Brings the clone up to date and makes the worktree. Answers where it is, and what to say about it: first of all that it
    /// is there.
    pub async fn prepare(
        &self,
        run: &StartRun,
        watch: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(PathBuf, Vec<Record>), DaemonError> {
        let source = Source::parse(&run.repository)?;
        let branch = BranchName::new(&run.branch_name)?;
        let _held = self.hold(run.task).await;
        let clone = self.git.ensure_clone(&self.folders.clone_of(&run.repository), &source, watch).await?;
        self.ask_user(&clone).await?;
        let known = TaskFile::read(&self.folders, run.task).await?;
        let (start, base, told) = match known.as_ref().filter(|known| known.repository == run.repository) {
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
                making: None,
                instead: None,
                committed: None,
                published: None,
                published_at: None,
            };
            file.write(&self.folders, run.task).await?;
        }
        let record = Record::Prepared {
            worktree_path: worktree.folder().to_string_lossy().into_owned(),
            branch_name: run.branch_name.clone(),
            base_branch: base.branch,
            base_commit: base_commit.unwrap_or_default(),
        };
        let mut records = vec![record];
        records.extend(told.map(|text| Record::Notice { level: NoticeLevel::Warning, text, failure: None }));
        Ok((worktree.folder().to_owned(), records))
    }

    /// What a task that never ran here starts from.
    async fn begin(
        &self,
        run: &StartRun,
        source: &Source,
        clone: &BareClone,
    ) -> Result<(Start, Base, Option<String>), DaemonError> {
        if let Some(commit) = run.base_commit.as_deref().and_then(Sha::parse) {
            let branch = run.base_branch.clone().unwrap_or_else(|| "HEAD".to_owned());
            return Ok((Start::Commit(commit.clone()), Base { branch, commit: Some(commit) }, None));
        }
        let mut base = clone.resolve_base(run.base_branch.as_deref()).await?;
        if !run.include_uncommitted {
            return Ok((base.commit.clone().map_or(Start::Nothing, Start::Commit), base, None));
        }
        let keep = format!("refs/makima/tasks/{}/uncommitted", run.task);
        let at = self.clock.now().utc().into();
        let included = clone.include_uncommitted(source, &keep, &self.user(clone).await?, at).await?;
        let told = not_taken(&included);
        let start = included.start;
        // They stand on the user's HEAD, wherever the branch that was named is.
        base.commit = match &start {
            Start::Commit(head) | Start::Uncommitted { head, .. } => Some(head.clone()),
            Start::Nothing | Start::UncommittedNothing { .. } => None,
        };
        Ok((start, base, told))
    }
}

/// What of the user's worktree the task doesn't have, in words.
fn not_taken(included: &Included) -> Option<String> {
    let mut all: Vec<String> = included.in_progress.map(|what| what.words().to_owned()).into_iter().collect();
    all.extend(included.not_held.iter().map(|left| {
        let why = match left.reason {
            NotHeldReason::NestedRepository => "a repository of its own",
            NotHeldReason::TooLarge => "too large",
            NotHeldReason::Unreadable => "it can't be read",
            NotHeldReason::InvalidName => "git keeps no such name",
        };
        format!("{} ({why})", String::from_utf8_lossy(&left.path))
    }));
    (!all.is_empty()).then(|| format!("not taken along of what is uncommitted: {}", all.join(", ")))
}

/// The worktree is there, or can be made again at the task's branch.
fn of_known(known: &TaskFile) -> (Start, Base, Option<String>) {
    let commit = known.base_commit.as_deref().and_then(Sha::parse);
    let base = Base { branch: known.base_branch.clone(), commit: commit.clone() };
    (commit.map_or(Start::Nothing, Start::Commit), base, None)
}
