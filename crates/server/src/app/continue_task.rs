//! What a task begins with that goes on from another's worktree (specification, §3.4).

use super::{App, Making, points, tasks::existing, texts};
use crate::{caller::Caller, error::ApiError};
use makima_model::{DaemonId, DaemonStatus};
use makima_store::{
    checkpoints, daemons,
    tasks::{Copied, Task},
};
use makima_wire::{
    Code, CreateTask,
    frame::{Command, CommandOutcome},
};
use tokio::time::Instant;

/// The most files that are copied.
const MOST_FILES: usize = 1000;

/// Where a task begins that goes on from another.
pub(super) struct Beginning {
    /// The other.
    pub(super) source: Task,
    /// The commit of the moment.
    pub(super) commit: String,
    /// What the owner should know of it: that it isn't the other's worktree as it is now.
    pub(super) note: Option<String>,
}

impl App {
    /// Where the task begins, if it goes on from another: at the checkpoint that was named, else at one that is made now, else,
    /// where the other's daemon can't be asked, at its newest.
    pub(super) async fn beginning(
        &self,
        by: Caller,
        wanted: &CreateTask,
        name: &str,
    ) -> Result<Option<Beginning>, ApiError> {
        let Some(id) = wanted.continue_from_task_id else {
            if wanted.checkpoint_sha.is_some() {
                return Err(ApiError::unprocessable(
                    "checkpointSha needs continueFromTaskId: the task whose checkpoint it is",
                ));
            }
            return Ok(None);
        };
        let mut tx = self.db().read().await?;
        let source = existing(&mut tx, by.owner, id).await?;
        let named = match &wanted.checkpoint_sha {
            Some(sha) => {
                let prefix = texts::sha("checkpointSha", sha)?;
                Some(points::checkpoint_of_commit(&mut tx, &source, &prefix).await?)
            }
            None => None,
        };
        drop(tx);
        fits(&source, wanted)?;
        let (commit, note) = match named {
            Some(checkpoint) => (checkpoint.made.commit_sha, None),
            None => self.newest_state(by, &source, name).await?,
        };
        Ok(Some(Beginning { source, commit, note }))
    }

    /// The commit of the worktree as it is now; where its daemon can't be asked: as it was last seen, and words that say so.
    async fn newest_state(
        &self,
        by: Caller,
        source: &Task,
        name: &str,
    ) -> Result<(String, Option<String>), ApiError> {
        let message = format!("Before {name:?} goes on from here");
        let why = match self.make_checkpoint_in_turn(by.aside(), source.id, &message).await {
            Ok(Making::Made(checkpoint)) => return Ok((checkpoint.made.commit_sha, None)),
            Ok(Making::GoesOn(_)) => "its daemon did not answer in time".to_owned(),
            Err(error) if error.code() == Code::NoDaemon => error.message().to_owned(),
            Err(error) => return Err(error),
        };
        let mut tx = self.db().read().await?;
        let latest = checkpoints::latest(&mut tx, by.owner, source.id).await?;
        let (commit, what) = match latest {
            Some(latest) => {
                let made = latest.made;
                (made.commit_sha, format!("its checkpoint {} of {}", made.number, made.at))
            }
            None => (
                source.base_commit.clone().unwrap_or_default(),
                "the commit that it began with: it has no checkpoint".to_owned(),
            ),
        };
        let note = format!(
            "{:?} could not be asked for its worktree as it is now ({}): this task begins with {what}; what changed there \
             since is not in it",
            source.name, why
        );
        Ok((commit, Some(note)))
    }

    /// Which files are copied from the worktree of another task, once its daemon has not said that it can't be.
    pub(super) async fn copied(&self, by: Caller, wanted: &CreateTask) -> Result<Option<Copied>, ApiError> {
        let Some(files) = wanted.copy_files.as_ref().filter(|files| !files.is_empty()) else {
            return Ok(None);
        };
        let Some(task) = wanted.continue_from_task_id.or(wanted.parent_task_id) else {
            return Err(ApiError::unprocessable(
                "copyFiles needs continueFromTaskId or parentTaskId: the task whose worktree has the files",
            ));
        };
        if files.len() > MOST_FILES {
            return Err(ApiError::unprocessable(format!(
                "copyFiles names {} files; at most {MOST_FILES} are taken",
                files.len()
            )));
        }
        for file in files {
            texts::file_of_worktree("copyFiles", file)?;
        }
        let copied = Copied { task, files: files.clone() };
        self.check_files(by, &copied).await?;
        Ok(Some(copied))
    }

    /// Asks the daemon that has the worktree whether the files can be copied; where it isn't connected that shows when the
    /// task starts.
    async fn check_files(&self, by: Caller, copied: &Copied) -> Result<(), ApiError> {
        let until = Instant::now() + self.settings().patience;
        let mut tx = self.db().read().await?;
        let source = existing(&mut tx, by.owner, copied.task).await?;
        let daemon = worktrees_daemon(&source)?;
        let daemon = daemons::get(&mut tx, by.owner, daemon).await?;
        drop(tx);
        let Some(daemon) = daemon.filter(|daemon| daemon.status == DaemonStatus::Online) else {
            return Ok(());
        };
        let command = Command::CheckFiles { task: copied.task, files: copied.files.clone() };
        match self.answer(by.owner, daemon.id, &command, until).await? {
            Some(CommandOutcome::Refused(refusal)) => Err(ApiError::new(refusal.code, refusal.message)),
            Some(CommandOutcome::Done(_)) | None => Ok(()),
        }
    }
}

/// The daemon that has a task's worktree.
pub(super) fn worktrees_daemon(source: &Task) -> Result<DaemonId, ApiError> {
    source.daemon.filter(|_| source.worktree_path.is_some()).ok_or_else(|| {
        ApiError::new(Code::Conflict, "the task to go on from has no worktree yet: it has not started")
    })
}

/// 422 where the request contradicts what goes on.
fn fits(source: &Task, wanted: &CreateTask) -> Result<(), ApiError> {
    let daemon = worktrees_daemon(source)?;
    let contradiction = if wanted.include_uncommitted {
        "includeUncommitted takes your own changes, and continueFromTaskId another task's: use one of them"
    } else if wanted.base_branch.is_some() {
        "baseBranch and continueFromTaskId both say where the task begins: use one of them"
    } else if wanted.repository.as_ref().is_some_and(|repository| *repository != source.repository) {
        "the task to go on from works on another repository: leave repository out"
    } else if wanted.target_daemon_id.is_some_and(|target| target != daemon) {
        "the state to go on from is on another daemon's machine: leave targetDaemonId out"
    } else {
        return Ok(());
    };
    Err(ApiError::unprocessable(contradiction))
}
