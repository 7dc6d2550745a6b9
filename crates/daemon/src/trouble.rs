//! What keeps this daemon from working, as the server is told of it: by heartbeats, which need no disk.
//!
//! Whoever finds that something is in the way says so here, goes on trying, and says so when it works again. The log has the
//! beginning and the end of it, not each try.

use crate::{DaemonError, error::told};
use makima_model::RunId;
use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{Mutex, PoisonError},
};
use tokio::sync::Notify;

/// Below this much room the server is told, before it is too late.
const LITTLE_ROOM: u64 = 200 << 20;

/// What is wrong with a disk of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiskTrouble {
    NoRoom,
    ReadOnly,
    Fails,
}

impl DiskTrouble {
    /// What an error says of it, whoever met it: the operating system's words are the same in git's mouth.
    pub(crate) fn of(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let words = told(error);
        [
            ("No space left on device", Self::NoRoom),
            ("Disk quota exceeded", Self::NoRoom),
            ("Read-only file system", Self::ReadOnly),
            ("Input/output error", Self::Fails),
            // git tells no more where a file of a worktree found no room.
            ("unable to write file", Self::NoRoom),
        ]
        .into_iter()
        .find_map(|(said, trouble)| words.contains(said).then_some(trouble))
    }

    /// In words for people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::NoRoom => "there is no room left on the daemon's disk: make room there",
            Self::ReadOnly => "the daemon's disk is read-only: let it be written",
            Self::Fails => "the daemon's disk fails: it can't be read or written",
        }
    }
}

/// An error in one line for people, with what to do first where a disk is in the way.
pub(crate) fn told_with_advice(error: &DaemonError) -> String {
    match DiskTrouble::of(error) {
        Some(trouble) => format!("{} ({})", trouble.words(), told(error)),
        None => told(error),
    }
}

/// What is held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Held {
    /// Commands of the server's.
    Commands,
    /// A run: its agent waits, or its end can't be written.
    Run(RunId),
    /// A run whose agent waits until the server has taken what it said.
    Paused(RunId),
    /// Nothing yet: there is little room.
    LittleRoom,
}

/// All that is in the way at the moment.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    known: Mutex<BTreeMap<Held, String>>,
    /// Rung when they change.
    changed: Notify,
}

impl Troubles {
    /// Something is held up, and why.
    pub(crate) fn begin(&self, held: Held, why: String) {
        let before = self.locked().insert(held, why.clone());
        if before.is_none() {
            tracing::error!(?held, why, "held up; it goes on by itself once that is over");
        }
        if before != Some(why) {
            self.changed.notify_one();
        }
    }

    /// The agent of this run waits for the server, or no longer does.
    pub(crate) fn pause(&self, run: RunId, waits: bool) {
        match waits {
            true => self.begin(
                Held::Paused(run),
                "the server has not taken what agents said, and no more of it may wait here (daemon.max_journal_bytes)"
                    .to_owned(),
            ),
            false => self.end(Held::Paused(run)),
        }
    }

    /// It goes on.
    pub(crate) fn end(&self, held: Held) {
        if self.locked().remove(&held).is_some() {
            tracing::warn!(?held, "goes on");
            self.changed.notify_one();
        }
    }

    /// What the server is told.
    pub(crate) fn words(&self) -> Option<String> {
        let known = self.locked();
        let (first, why) = known.first_key_value()?;
        let waits_for_it = |held: &&Held| match first {
            Held::Commands | Held::Run(_) => matches!(held, Held::Run(_)),
            Held::Paused(_) => matches!(held, Held::Paused(_)),
            Held::LittleRoom => false,
        };
        let runs = known.keys().filter(waits_for_it).count();
        Some(match runs {
            0 => why.clone(),
            1 => format!("{why}; 1 run waits for it"),
            runs => format!("{why}; {runs} runs wait for it"),
        })
    }

    /// Waits until they are others. May be dropped while it waits.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Looks how much room there is in a folder.
    pub(crate) fn look(&self, folder: &Path) {
        match room(folder) {
            Ok(left) if left < LITTLE_ROOM => {
                let left = left >> 20;
                self.begin(
                    Held::LittleRoom,
                    format!("only {left} MiB are left on the daemon's disk: make room there"),
                );
            }
            Ok(_) => self.end(Held::LittleRoom),
            Err(error) => tracing::debug!(%error, "how much room there is can't be told"),
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeMap<Held, String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many bytes may still be written there.
fn room(folder: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use makima_model::Clock;

    #[test]
    fn what_is_wrong_with_a_disk_is_heard_from_the_system_and_from_git() {
        let error = |code| DaemonError::write("/x", io::Error::from_raw_os_error(code));
        assert_eq!(DiskTrouble::of(&error(28)), Some(DiskTrouble::NoRoom));
        assert_eq!(DiskTrouble::of(&error(122)), Some(DiskTrouble::NoRoom));
        assert_eq!(DiskTrouble::of(&error(30)), Some(DiskTrouble::ReadOnly));
        assert_eq!(DiskTrouble::of(&error(5)), Some(DiskTrouble::Fails));
        assert_eq!(DiskTrouble::of(&error(13)), None);
        let said = makima_git::GitError::Failed {
            command: "write-tree".into(),
            code: Some(128),
            words: "fatal: unable to write new index file: No space left on device".into(),
        };
        assert_eq!(DiskTrouble::of(&DaemonError::Git(said)), Some(DiskTrouble::NoRoom));
    }

    #[test]
    fn the_server_is_told_what_is_in_the_way_until_nothing_is() {
        let (troubles, clock) = (Troubles::default(), Clock::system());
        assert_eq!(troubles.words(), None);
        troubles.begin(Held::LittleRoom, "little".into());
        let (one, other) = (Held::Run(clock.new_id()), Held::Run(clock.new_id()));
        troubles.begin(one, "none".into());
        troubles.begin(other, "none".into());
        assert_eq!(troubles.words().as_deref(), Some("none; 2 runs wait for it"));
        troubles.end(one);
        assert_eq!(troubles.words().as_deref(), Some("none; 1 run waits for it"));
        // One that waits for the server doesn't wait for the disk.
        let paused = [clock.new_id(), clock.new_id()];
        paused.iter().for_each(|run| troubles.pause(*run, true));
        assert_eq!(troubles.words().as_deref(), Some("none; 1 run waits for it"));
        troubles.end(other);
        let words = troubles.words().unwrap();
        assert!(words.contains("max_journal_bytes") && words.ends_with("; 2 runs wait for it"), "{words}");
        paused.iter().for_each(|run| troubles.pause(*run, false));
        assert_eq!(troubles.words().as_deref(), Some("little"));
        troubles.end(Held::LittleRoom);
        assert_eq!(troubles.words(), None);
    }
}
