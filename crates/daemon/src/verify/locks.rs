//! Locks of git's that nobody holds any more. Whether somebody holds one can't be asked, so one counts as left where it stays
//! though nobody works on its task, and one of the whole clone where nobody works on any.

use super::Looked;
use makima_git::{BareClone, LockFile};
use makima_model::TaskId;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

/// How long one is looked at.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often.
const AGAIN: Duration = Duration::from_millis(100);

/// Locks that may have been left.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Each with its clone, and its task where it is of a worktree.
    locks: Vec<(BareClone, Option<TaskId>, LockFile)>,
    busy: BTreeSet<TaskId>,
}

impl Left {
    /// Takes note of a clone's locks. `busy`: tasks that somebody works on.
    pub(super) fn look(&mut self, clone: &BareClone, busy: &BTreeSet<TaskId>) {
        self.busy.extend(busy);
        let tasks: BTreeMap<_, _> = clone
            .registered()
            .into_iter()
            .flatten()
            .filter_map(|one| Some((one.git_dir, one.folder.file_name()?.to_str()?.parse::<TaskId>().ok()?)))
            .collect();
        for lock in clone.locks().into_iter().flatten() {
            let task = lock.path.parent().and_then(|folder: &Path| tasks.get(folder)).copied();
            self.locks.push((clone.clone(), task, lock));
        }
    }

    /// Waits until those that somebody holds have gone, and tells the others. `busy`: tasks that somebody works on by now.
    pub(super) async fn settle(mut self, busy: &BTreeSet<TaskId>, looked: &mut Looked) {
        self.busy.extend(busy);
        let busy = self.busy;
        self.locks.retain(|(_, task, _)| match task {
            Some(task) => !busy.contains(task),
            None => busy.is_empty(),
        });
        let mut waited = Duration::ZERO;
        while !self.locks.is_empty() && waited < PATIENCE {
            tokio::time::sleep(AGAIN).await;
            waited += AGAIN;
            self.locks.retain(|(clone, _, lock)| clone.locks().is_ok_and(|locks| locks.contains(lock)));
        }
        for (_, _, lock) in self.locks {
            looked.add(
                "lock_left",
                format!("lock {}", lock.path.display()),
                "it is there, and nobody works there".to_owned(),
                "git refuses to work while it is there: remove it",
            );
        }
    }
}
