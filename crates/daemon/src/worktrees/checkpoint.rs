//! Checkpoints: after a turn, and by hand.

use super::{
    TaskFile, Worktrees,
    new_blob::NewBlob,
    task_file::{self, Instead},
};
use crate::{DaemonError, disk, error::told, trouble::DiskTrouble};
use base64::{Engine, engine::general_purpose::STANDARD};
use makima_git::{
    Action, CheckpointKind as GitKind, CheckpointRequest, NotHeldReason as GitReason, Sha, Worktree,
};
use makima_model::{
    CheckpointId, CheckpointKind, CheckpointMade, FileAction, FileChange, NotHeld, NotHeldReason, Record,
    RunId, TaskId, Timestamp,
};
use makima_wire::frame::{LastCheckpoint, StartRun};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The largest patch that is taken to the server.
const LARGEST_PATCH: u64 = 64 << 20;
/// How long to wait before something is tried again that the disk did not take.
const NEXT_TRY: Duration = Duration::from_secs(1);

/// A checkpoint that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ByHand {
    pub(crate) task: TaskId,
    pub(crate) id: CheckpointId,
    pub(crate) message: String,
    pub(crate) last: Option<LastCheckpoint>,
}

/// A checkpoint that is to be made.
struct Wanted<'a> {
    task: TaskId,
    id: CheckpointId,
    kind: CheckpointKind,
    run: Option<RunId>,
    turn: Option<u32>,
    message: String,
    last: Option<&'a LastCheckpoint>,
}

impl Worktrees {
    /// Makes the checkpoint after a turn and publishes the branch. Answers what came of it, to be written to the journal;
    /// if it was done before, the same.
    pub async fn keep_turn(&self, run: &StartRun, turn: u32) -> Vec<Record> {
        let _held = self.hold(run.task).await;
        let failed = |error: &DaemonError| {
            let message = match DiskTrouble::of(error) {
                Some(trouble) => {
                    format!(
                        "{}; the next turn's checkpoint holds this one's changes too ({})",
                        trouble.words(),
                        told(error)
                    )
                }
                None => told(error),
            };
            Record::CheckpointFailed { turn, message }
        };
        let mut file = match TaskFile::find(&self.folders, run.task).await {
            Ok(file) => file,
            Err(error) => return vec![failed(&error)],
        };
        if let Some(wanted) = file.making.take() {
            // Its number and its ref are its own, whoever comes first after a daemon that died.
            if let Err(error) = Box::pin(self.make_by_hand(&mut file, &wanted)).await {
                tracing::warn!(task = %run.task, error = told(&error), "a checkpoint by hand is made later");
            }
        }
        let made = match file.of_turn(run.run, turn) {
            Some(made) => Ok(Some(made.clone())),
            None => {
                let wanted = Wanted {
                    task: run.task,
                    id: self.clock.new_id(),
                    kind: CheckpointKind::Turn,
                    run: Some(run.run),
                    turn: Some(turn),
                    message: format!("{} (turn {turn})", run.task_name),
                    last: run.last_checkpoint.as_ref(),
                };
                // Large, and deep below whoever waits for it: not on the stack.
                Box::pin(self.make(&mut file, wanted)).await
            }
        };
        self.failpoints.at("checkpoint.made").await;
        let mut records = vec![match made {
            Ok(Some(made)) => Record::Checkpoint(made),
            Ok(None) => return vec![Record::Unchanged { turn }],
            Err(error) => failed(&error),
        }];
        match self.publish(run.task, &mut file, (run.run, turn)).await {
            Ok(record) => records.extend(record),
            Err(error) => {
                tracing::warn!(task = %run.task, error = told(&error), "the branch was not published")
            }
        }
        records
    }

    /// Makes a checkpoint that somebody asked for; if it was made before, answers it.
    pub(crate) async fn checkpoint_by_hand(&self, wanted: &ByHand) -> Result<CheckpointMade, DaemonError> {
        let _held = self.hold(wanted.task).await;
        let mut file = TaskFile::find(&self.folders, wanted.task).await?;
        if let Some(made) = file.with_id(wanted.id) {
            return Ok(made.clone());
        }
        file.making = Some(wanted.clone());
        file.write(&self.folders, wanted.task).await?;
        self.make_by_hand(&mut file, wanted).await
    }

    async fn make_by_hand(
        &self,
        file: &mut TaskFile,
        wanted: &ByHand,
    ) -> Result<CheckpointMade, DaemonError> {
        let made = Box::pin(self.make(
            file,
            Wanted {
                task: wanted.task,
                id: wanted.id,
                kind: CheckpointKind::Manual,
                run: None,
                turn: None,
                message: wanted.message.clone(),
                last: wanted.last.as_ref(),
            },
        ));
        made.await?.ok_or_else(|| DaemonError::Missing { path: self.folders.worktree(wanted.task) })
    }

    /// Has the next checkpoint follow another one than the newest that was made here, or that one again. Whether the checkpoint is
    /// that newest one; else nothing is changed.
    pub(crate) async fn move_checkpoint(
        &self,
        task: TaskId,
        id: CheckpointId,
        instead: Option<Option<LastCheckpoint>>,
    ) -> Result<bool, DaemonError> {
        let _held = self.hold(task).await;
        let mut file = TaskFile::find(&self.folders, task).await?;
        if file.with_id(id).is_none() {
            return Ok(false);
        }
        file.instead = instead.map(|last| Instead { last });
        file.write(&self.folders, task).await?;
        Ok(true)
    }

    /// `None`: it is for a turn that changed nothing.
    async fn make(
        &self,
        file: &mut TaskFile,
        wanted: Wanted<'_>,
    ) -> Result<Option<CheckpointMade>, DaemonError> {
        let (_, clone) = self.place(file)?;
        let worktree = clone.worktree(&self.folders.worktree(wanted.task))?;
        let last = file.last(wanted.last);
        let made_here = file.made.as_ref().map(|made| made.checkpoint.id);
        let committed = file.committed.as_deref().filter(|_| last.as_ref().map(|last| last.id) == made_here);
        let previous = committed.or(last.as_ref().map(|last| last.commit.as_str()));
        let number = file.next_number(wanted.last);
        let at = self.clock.now();
        let request = CheckpointRequest {
            task: wanted.task.to_string(),
            number: number.unsigned_abs(),
            kind: match wanted.kind {
                CheckpointKind::Turn => GitKind::Turn,
                CheckpointKind::Manual => GitKind::Manual,
            },
            message: wanted.message.clone(),
            author: self.user(&clone).await?,
            at: at.utc().into(),
            rules: self.rules.clone(),
            previous: previous.and_then(Sha::parse),
            base: file.base_commit.as_deref().and_then(Sha::parse),
        };
        let before = file.clone();
        // Boxed: what is polled inside of it needs much of a stack.
        let kept = Box::pin(self.keep(file, wanted, (last, at), &worktree, &request)).await;
        if kept.is_err() {
            *file = before;
            unmake(&worktree, &request).await;
            // Where there is no room, what git left of it is what takes the room.
            if let Err(error) = disk::off_thread(move || {
                clone.clear_leftovers().map_err(|source| DaemonError::write(clone.dir(), source))
            })
            .await
            {
                tracing::warn!(error = told(&error), "what git left half written stays");
            }
        }
        kept
    }

    /// Makes the checkpoint and notes it.
    async fn keep(
        &self,
        file: &mut TaskFile,
        wanted: Wanted<'_>,
        (last, at): (Option<LastCheckpoint>, Timestamp),
        worktree: &Worktree,
        request: &CheckpointRequest,
    ) -> Result<Option<CheckpointMade>, DaemonError> {
        let number = file.next_number(wanted.last);
        let mut blob = NewBlob::create(&self.folders, wanted.task).await?;
        let made = worktree.checkpoint_with_patch(request, LARGEST_PATCH, &mut blob).await;
        // No patch: it is above the limit, or there is none.
        let patch = match &made {
            Ok(Some((_, written))) if written.bytes > 0 && !written.truncated => {
                Some(blob.keep(&self.folders).await?)
            }
            _ => {
                blob.discard().await?;
                None
            }
        };
        let Some((made, _)) = made? else { return Ok(None) };
        self.failpoints.at("checkpoint.ref").await;
        let checkpoint = CheckpointMade {
            id: wanted.id,
            number,
            kind: wanted.kind,
            turn: wanted.turn,
            at,
            commit_sha: made.commit.to_string(),
            branch_name: made.branch.unwrap_or_default(),
            message: wanted.message,
            previous: last.map(|last| last.id),
            files_changed: made.files_changed.iter().map(file_change).collect(),
            lines_added: made.lines_added,
            lines_removed: made.lines_removed,
            not_held: made.not_held.iter().map(not_held).collect(),
            patch,
        };
        (file.committed, file.making, file.instead) = (None, None, None);
        file.made = Some(task_file::Made { checkpoint: checkpoint.clone(), run: wanted.run });
        file.write(&self.folders, wanted.task).await?;
        Ok(Some(checkpoint))
    }
}

/// Frees the number of a checkpoint that was not made to its end: by it, the next one would be taken for made already. So this
/// is tried until it is done, or is refused for another reason than the disk's.
async fn unmake(worktree: &Worktree, request: &CheckpointRequest) {
    while let Err(error) = worktree.unmake_checkpoint(request).await {
        tracing::error!(task = request.task, error = told(&error), "half a checkpoint can't be taken back");
        if DiskTrouble::of(&error).is_none() {
            return;
        }
        tokio::time::sleep(NEXT_TRY).await;
    }
}

/// A file that differs, as it is told.
pub fn file_change(change: &makima_git::FileChange) -> FileChange {
    let (path, path_bytes) = name(&change.path);
    FileChange {
        path,
        path_bytes,
        action: match change.action {
            Action::Added => FileAction::Added,
            Action::Modified => FileAction::Modified,
            Action::Deleted => FileAction::Deleted,
            Action::Renamed => FileAction::Renamed,
        },
        old_path: change.old_path.as_deref().map(|old| String::from_utf8_lossy(old).into_owned()),
        additions: change.lines_added,
        deletions: change.lines_removed,
        binary: change.binary,
    }
}

fn not_held(file: &makima_git::NotHeld) -> NotHeld {
    let reason = match file.reason {
        GitReason::NestedRepository => NotHeldReason::NestedRepository,
        GitReason::TooLarge => NotHeldReason::TooLarge,
        GitReason::Unreadable => NotHeldReason::Unreadable,
        GitReason::InvalidName => NotHeldReason::InvalidName,
    };
    NotHeld { path: String::from_utf8_lossy(&file.path).into_owned(), reason }
}

/// A name as text, and its bytes where it is none.
fn name(bytes: &[u8]) -> (String, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), None),
        Err(_) => (String::from_utf8_lossy(bytes).into_owned(), Some(STANDARD.encode(bytes))),
    }
}
