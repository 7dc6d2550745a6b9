//! What differs between two moments of a task's code: from the patch that is kept with a checkpoint, else by the task's daemon.

mod computed;

pub(crate) use computed::ComputedDiffs;

use super::{App, points, tasks::existing, texts};
use crate::{caller::Caller, error::ApiError};
use makima_model::{
    DaemonId, DaemonStatus, OwnerId, Point, TaskId,
    diff::{GitDiff, Limits, read},
};
use makima_store::{Checkpoint, Task, Tx, checkpoints, daemons, runs};
use makima_wire::{
    Code, DiffQuery,
    frame::{Command, CommandOutcome, CommandResult, WantedDiff},
};
use tokio::time::Instant;

/// How much of all files is told; the rest has no hunks.
const ALL: Limits = Limits { file: 512 << 10, all: 2 << 20 };
/// How much of one file that is asked for by its name.
const ONE: Limits = Limits { file: 8 << 20, all: 8 << 20 };
/// The lines around a change that go with it, unless told.
const CONTEXT: u32 = 3;
/// The most lines around a change.
const MOST_CONTEXT: u32 = 100_000;

/// A checkpoint, and what differs from what was before it.
pub(crate) struct DiffView {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) diff: GitDiff,
    /// The checkpoint that it is compared with; `None`: the task's base commit.
    pub(crate) previous: Option<Checkpoint>,
}

impl App {
    /// What differs between a checkpoint and the one before it, or another moment of the task.
    pub(crate) async fn checkpoint_diff(
        &self,
        by: Caller,
        id: TaskId,
        checkpoint: &Point,
        query: DiffQuery,
    ) -> Result<DiffView, ApiError> {
        let context = query.context.unwrap_or(CONTEXT);
        if context > MOST_CONTEXT {
            return Err(ApiError::bad_request(format!("context is at most {MOST_CONTEXT} lines")));
        }
        if let Some(path) = &query.path {
            texts::file_of_worktree("path", path)?;
        }
        let mut tx = self.db().read().await?;
        let task = existing(&mut tx, by.owner, id).await?;
        let now = self.clock().now();
        let found = points::resolve(&mut tx, &task, checkpoint, now).await?.checkpoint;
        let checkpoint = found.ok_or_else(|| ApiError::not_found("checkpoint"))?;
        let before = match checkpoint.made.previous {
            Some(previous) => checkpoints::even_put_away(&mut tx, by.owner, previous).await?,
            None => None,
        };
        let id_of = |checkpoint: &Option<Checkpoint>| checkpoint.as_ref().map(|one| one.made.id);
        let (previous, is_kept) = match &query.from {
            None => (before, true),
            Some(from) => {
                let from = points::resolve(&mut tx, &task, from, now).await?.checkpoint;
                let is_before = id_of(&from) == id_of(&before);
                (from, is_before)
            }
        };
        if id_of(&previous) == Some(checkpoint.made.id) {
            return Ok(DiffView { checkpoint, diff: GitDiff::default(), previous });
        }
        let limits = if query.path.is_some() { ONE } else { ALL };
        let ignore_whitespace = query.ignore_whitespace.unwrap_or(false);
        if is_kept && context == CONTEXT && !ignore_whitespace {
            drop(tx);
            if let Some(diff) = self.kept_diff(&checkpoint, query.path.clone(), limits).await? {
                return Ok(DiffView { checkpoint, diff, previous });
            }
            tx = self.db().read().await?;
        }
        let from = match &previous {
            Some(previous) => Some(previous.made.commit_sha.clone()),
            None => task.base_commit.clone(),
        };
        let wanted = WantedDiff {
            task: id,
            from,
            to: checkpoint.made.commit_sha.clone(),
            context,
            ignore_whitespace,
            path: query.path,
            limits,
        };
        if let Some(diff) = self.computed_diffs().get(&wanted) {
            return Ok(DiffView { checkpoint, diff, previous });
        }
        let daemon = its_daemon(&mut tx, by.owner, &task, &checkpoint).await?;
        drop(tx);
        let diff = self.ask_for_diff(by.owner, daemon, wanted.clone()).await?;
        self.computed_diffs().keep(wanted, diff.clone());
        Ok(DiffView { checkpoint, diff, previous })
    }

    /// What the patch says that was kept with a checkpoint, as much as is told of all files.
    pub(crate) async fn kept_diff_to_read(
        &self,
        checkpoint: &Checkpoint,
    ) -> Result<Option<GitDiff>, ApiError> {
        self.kept_diff(checkpoint, None, ALL).await
    }

    /// What the patch says that was kept with a checkpoint; `None` where there is none.
    async fn kept_diff(
        &self,
        checkpoint: &Checkpoint,
        path: Option<String>,
        limits: Limits,
    ) -> Result<Option<GitDiff>, ApiError> {
        if checkpoint.made.files_changed.is_empty() {
            return Ok(Some(GitDiff::default()));
        }
        let Some(kept) = &checkpoint.made.patch else { return Ok(None) };
        // It is closed by nobody.
        let _one_of_few = self.patches().acquire().await.ok();
        let Some(patch) = self.blobs().get(&kept.hash).await? else { return Ok(None) };
        let reading = tokio::task::spawn_blocking(move || read(&patch, path.as_deref(), limits));
        Ok(Some(reading.await.map_err(ApiError::internal)?))
    }

    async fn ask_for_diff(
        &self,
        owner: OwnerId,
        daemon: DaemonId,
        wanted: WantedDiff,
    ) -> Result<GitDiff, ApiError> {
        let until = Instant::now() + self.settings().patience;
        match self.answer(owner, daemon, &Command::Diff(wanted), until).await? {
            Some(CommandOutcome::Done(CommandResult::Diff(diff))) => Ok(diff),
            Some(CommandOutcome::Refused(refusal)) => Err(ApiError::new(refusal.code, refusal.message)),
            Some(CommandOutcome::Done(_)) | None => {
                Err(ApiError::new(Code::NoDaemon, "the daemon that has the commits didn't answer in time"))
            }
        }
    }
}

/// The daemon that has a checkpoint's commit. 503 where it isn't connected.
async fn its_daemon(
    tx: &mut Tx,
    owner: OwnerId,
    task: &Task,
    checkpoint: &Checkpoint,
) -> Result<DaemonId, ApiError> {
    let run = match checkpoint.run {
        Some(run) => runs::get(tx, owner, run).await?,
        None => runs::latest_of_task(tx, owner, task.id).await?,
    };
    let daemon = match run {
        Some(run) => daemons::get(tx, owner, run.daemon).await?,
        None => None,
    };
    match daemon {
        Some(daemon) if daemon.status == DaemonStatus::Online => Ok(daemon.id),
        Some(daemon) => {
            let message = format!("daemon {}, which has the commits, is not connected", daemon.name);
            Err(ApiError::new(Code::NoDaemon, message))
        }
        None => Err(ApiError::new(Code::NoDaemon, "no daemon has the commits")),
    }
}
