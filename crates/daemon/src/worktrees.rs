//! The worktrees of tasks: made, checkpointed after every turn, published, and committed at the end.
//!
//! A task's worktree stays between its runs, and what is known of it stands in a file beside it. Two acts on one worktree
//! never overlap. Each act may be done again after a crash: what was done is found, not done twice.

mod bundle;
mod checkpoint;
mod copied;
mod diff;
mod finish;
mod new_blob;
mod prepare;
mod purge;
mod task_file;
mod warm;

pub(crate) use bundle::WantedRefs;
pub(crate) use checkpoint::ByHand;
pub use checkpoint::file_change;
pub use copied::CopyError;
pub(crate) use finish::kept_changing;
pub(crate) use task_file::TaskFile;

use crate::{CheckpointRules, DaemonError, folders::Folders};
use makima_failpoints::Failpoints;
use makima_git::{BareClone, BranchName, Git, Person, Published as Taken, ScanRules, Source};
use makima_model::{Clock, Published, Record, RunId, TaskId};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::OwnedMutexGuard;

/// The worktrees of all tasks that have run here.
pub struct Worktrees {
    git: Git,
    folders: Arc<Folders>,
    clock: Clock,
    rules: ScanRules,
    busy: Mutex<HashMap<TaskId, Arc<tokio::sync::Mutex<()>>>>,
    /// Who the user is, by clone: what it says is taken over anew when a run begins, and asked for no more until then.
    users: Mutex<HashMap<PathBuf, Person>>,
    failpoints: Failpoints,
}

impl Worktrees {
    /// Those in `folders`, worked on with this git.
    pub fn new(git: Git, folders: Arc<Folders>, clock: Clock, rules: &CheckpointRules) -> Self {
        let rules = ScanRules { max_untracked_bytes: rules.max_file_bytes, include: rules.include.clone() };
        Self {
            git,
            folders,
            clock,
            rules,
            busy: Mutex::default(),
            users: Mutex::default(),
            failpoints: Failpoints::default(),
        }
    }

    /// The same, ended by a test at its steps.
    pub(crate) fn with_failpoints(self, failpoints: &Failpoints) -> Self {
        Self { failpoints: failpoints.clone(), ..self }
    }

    /// Removes what gits of an earlier daemon left locked that were killed with it. To be called before anything else.
    pub(crate) fn clear_locks(&self) -> Result<(), DaemonError> {
        for folder in self.folders.clones()? {
            let cleared = BareClone::open(&self.git, &folder).clear_locks();
            cleared.map_err(|source| DaemonError::write(&folder, source))?;
        }
        Ok(())
    }

    /// The git that is used.
    pub(crate) fn git(&self) -> &Git {
        &self.git
    }

    /// Waits until nobody else works on a task's worktree, and keeps others away until the answer is dropped.
    async fn hold(&self, task: TaskId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
            // Those that nobody holds or waits for are of no more use.
            busy.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(busy.entry(task).or_default())
        };
        turn.lock_owned().await
    }

    /// Who commits, as the clone had it when a run last began there.
    async fn user(&self, clone: &BareClone) -> Result<Person, DaemonError> {
        let known = self.users.lock().unwrap_or_else(PoisonError::into_inner).get(clone.dir()).cloned();
        match known {
            Some(user) => Ok(user),
            None => self.ask_user(clone).await,
        }
    }

    async fn ask_user(&self, clone: &BareClone) -> Result<Person, DaemonError> {
        let user = clone.user().await?;
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.insert(clone.dir().to_owned(), user.clone());
        Ok(user)
    }

    fn place(&self, file: &TaskFile) -> Result<(Source, BareClone), DaemonError> {
        let source = Source::parse(&file.repository)?;
        Ok((source, BareClone::open(&self.git, &self.folders.clone_of(&file.repository))))
    }

    /// Takes the task's branch to the user's repository, at the end of a turn of a run (0: at the end of the run). `None`:
    /// there is nothing to take, or nothing new to tell.
    async fn publish(
        &self,
        task: TaskId,
        file: &mut TaskFile,
        end: (RunId, u32),
    ) -> Result<Option<Record>, DaemonError> {
        let (source, clone) = self.place(file)?;
        let branch = BranchName::new(&file.branch_name)?;
        let published = match clone.publish(&source, &branch).await {
            Ok(Taken::NothingYet) => return Ok(None),
            Ok(Taken::Fetched { commit }) => Published::Repository { commit: commit.to_string() },
            Ok(Taken::CheckedOut { worktree }) => {
                Published::CheckedOut { worktree: worktree.to_string_lossy().into_owned() }
            }
            Ok(Taken::KeptInClone) => Published::Clone,
            Err(error) => Published::Failed { message: crate::error::told(&error) },
        };
        self.failpoints.at("branch.published").await;
        // What was published for the same end is told again: a daemon that died may not have told it.
        if file.published.as_ref() == Some(&published) && file.published_at != Some(end) {
            return Ok(None);
        }
        (file.published, file.published_at) = (Some(published.clone()), Some(end));
        file.write(&self.folders, task).await?;
        Ok(Some(Record::Published { published }))
    }
}
