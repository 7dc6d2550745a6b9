//! What is known of a task's worktree.

use super::ByHand;
use crate::{DaemonError, disk, folders::Folders};
use makima_model::{CheckpointId, CheckpointMade, Published, RunId, TaskId};
use makima_wire::frame::LastCheckpoint;
use serde::{Deserialize, Serialize};

/// The file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskFile {
    /// As the task names it.
    pub(crate) repository: String,
    pub(super) branch_name: String,
    pub(super) base_branch: String,
    /// `None`: the repository had no commit.
    pub(super) base_commit: Option<String>,
    /// The newest checkpoint that was made here.
    pub(crate) made: Option<Made>,
    /// The checkpoint by hand that is being made: a daemon that died may have left a ref of it.
    #[serde(default)]
    pub(super) making: Option<ByHand>,
    /// That checkpoint was put away: the next one follows this instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) instead: Option<Instead>,
    /// The commit that was made of what that checkpoint holds, and HEAD stands on: nothing has changed since, though HEAD moved.
    pub(super) committed: Option<String>,
    /// What last became of the branch in the user's repository.
    pub(super) published: Option<Published>,
    /// The end of a turn, or of a run (0), for which that was done.
    #[serde(default)]
    pub(super) published_at: Option<(RunId, u32)>,
}

/// What the next checkpoint follows, where the newest was put away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Instead {
    /// `None`: nothing, as the first one.
    pub(super) last: Option<LastCheckpoint>,
}

/// A checkpoint, and what it was made for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) checkpoint: CheckpointMade,
    /// Of one that was made after a turn: the run.
    pub(super) run: Option<RunId>,
}

impl TaskFile {
    pub(super) async fn read(folders: &Folders, task: TaskId) -> Result<Option<Self>, DaemonError> {
        let path = folders.task(task);
        disk::off_thread(move || disk::read_json(&path)).await
    }

    /// What is known, of a task that must have run here.
    pub(super) async fn find(folders: &Folders, task: TaskId) -> Result<Self, DaemonError> {
        Self::read(folders, task).await?.ok_or_else(|| DaemonError::Missing { path: folders.task(task) })
    }

    pub(super) async fn write(&self, folders: &Folders, task: TaskId) -> Result<(), DaemonError> {
        let (path, file) = (folders.task(task), self.clone());
        disk::off_thread(move || disk::write_json(&path, &file)).await
    }

    /// The checkpoint that the next one follows: of those made here and the one that the server knows, the newer.
    pub(super) fn last(&self, known: Option<&LastCheckpoint>) -> Option<LastCheckpoint> {
        if let Some(Instead { last }) = &self.instead {
            return last.clone();
        }
        self.newest(known)
    }

    /// The number of the next checkpoint: one that was put away keeps its own.
    pub(super) fn next_number(&self, known: Option<&LastCheckpoint>) -> i64 {
        self.newest(known).map_or(1, |newest| newest.number + 1)
    }

    fn newest(&self, known: Option<&LastCheckpoint>) -> Option<LastCheckpoint> {
        let here = self.made.as_ref().map(|made| LastCheckpoint {
            id: made.checkpoint.id,
            commit: made.checkpoint.commit_sha.clone(),
            number: made.checkpoint.number,
        });
        [here, known.cloned()].into_iter().flatten().max_by_key(|last| last.number)
    }

    /// The checkpoint that was made after this turn, if it was made already.
    pub(super) fn of_turn(&self, run: RunId, turn: u32) -> Option<&CheckpointMade> {
        let made = self.made.as_ref()?;
        (made.run == Some(run) && made.checkpoint.turn == Some(turn)).then_some(&made.checkpoint)
    }

    /// The checkpoint of this id, if it was the last one made.
    pub(super) fn with_id(&self, id: CheckpointId) -> Option<&CheckpointMade> {
        self.made.as_ref().map(|made| &made.checkpoint).filter(|made| made.id == id)
    }
}
