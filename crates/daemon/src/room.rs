//! How much of what agents say may wait on this machine for the server.
//!
//! What the server has not acknowledged has to stay, so who writes it has to wait when there is too much of it. Each run that
//! goes on gets an equal share, so that one that says much doesn't stop the others; those that have ended keep what they hold.
//! An eighth of a share is left for the last words of an agent that is stopped.

use makima_model::RunId;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// The part of a share that is for last words; also how much has to have become free before more is let in.
const PART: u64 = 8;

#[derive(Debug)]
pub(crate) struct Room {
    /// For all runs together, in bytes.
    most: u64,
    runs: Mutex<BTreeMap<RunId, Held>>,
}

/// What a run's journal holds.
#[derive(Debug)]
struct Held {
    /// Where that ends which the server has.
    acknowledged: u64,
    /// Where the journal ends.
    written: u64,
    has_ended: bool,
    /// Up to where it may be written.
    until: watch::Sender<u64>,
}

impl Held {
    fn waiting(&self) -> u64 {
        self.written.saturating_sub(self.acknowledged)
    }
}

impl Room {
    pub(crate) fn new(most: u64) -> Self {
        Self { most, runs: Mutex::default() }
    }

    /// Takes in a run whose journal is here from `begins` on. Answers up to where it may be written.
    pub(crate) fn take_in(
        &self,
        run: RunId,
        begins: u64,
        written: u64,
        has_ended: bool,
    ) -> watch::Receiver<u64> {
        let (until, seen) = watch::channel(begins);
        let mut runs = self.locked();
        runs.insert(run, Held { acknowledged: begins, written, has_ended, until });
        self.share_out(&runs);
        seen
    }

    /// A run's journal ends there now.
    pub(crate) fn written(&self, run: RunId, end: u64, has_ended: bool) {
        let mut runs = self.locked();
        if let Some(held) = runs.get_mut(&run) {
            held.written = end;
            let is_new = has_ended && !held.has_ended;
            held.has_ended = has_ended;
            if is_new {
                self.share_out(&runs);
            }
        }
    }

    /// The server has a run's journal up to there.
    pub(crate) fn acknowledged(&self, run: RunId, end: u64) {
        let mut runs = self.locked();
        if let Some(held) = runs.get_mut(&run) {
            held.acknowledged = held.acknowledged.max(end);
            self.share_out(&runs);
        }
    }

    /// Nothing of a run is here any more.
    pub(crate) fn forget(&self, run: RunId) {
        let mut runs = self.locked();
        runs.remove(&run);
        self.share_out(&runs);
    }

    fn share_out(&self, runs: &BTreeMap<RunId, Held>) {
        let ended: u64 = runs.values().filter(|held| held.has_ended).map(Held::waiting).sum();
        let live = runs.values().filter(|held| !held.has_ended);
        let share = self.most.saturating_sub(ended) / live.clone().count().max(1) as u64;
        for held in live {
            let until = held.acknowledged + share - share / PART;
            held.until.send_if_modified(|told| {
                // Not at every word that the server has: only when there is room for something.
                let is_worth_telling = until < *told || until >= *told + (share / PART).max(1);
                if is_worth_telling {
                    *told = until;
                }
                is_worth_telling
            });
        }
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<RunId, Held>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use makima_model::Clock;

    fn runs() -> [RunId; 2] {
        let clock = Clock::system();
        [clock.new_id(), clock.new_id()]
    }

    #[test]
    fn runs_share_the_room_and_one_that_ended_keeps_what_it_holds() {
        let ([one, other], room) = (runs(), Room::new(1600));
        let of_one = room.take_in(one, 0, 0, false);
        assert_eq!(*of_one.borrow(), 1400);
        let of_other = room.take_in(other, 500, 500, false);
        assert_eq!((*of_one.borrow(), *of_other.borrow()), (700, 1200));
        room.written(one, 600, true);
        assert_eq!(*of_other.borrow(), 500 + 875);
        room.acknowledged(one, 600);
        assert_eq!(*of_other.borrow(), 500 + 1400);
        room.forget(one);
        assert_eq!(*of_other.borrow(), 500 + 1400);
    }

    #[test]
    fn more_is_let_in_when_there_is_room_for_something() {
        let ([run, _], room) = (runs(), Room::new(800));
        let mut until = room.take_in(run, 0, 0, false);
        assert_eq!(*until.borrow_and_update(), 700);
        room.written(run, 700, false);
        room.acknowledged(run, 99);
        assert!(!until.has_changed().unwrap());
        room.acknowledged(run, 100);
        assert_eq!(*until.borrow_and_update(), 800);
        // Whoever has all of it is always let in.
        room.acknowledged(run, 700);
        assert_eq!(*until.borrow(), 1400);
    }

    #[test]
    fn where_ended_runs_hold_everything_the_others_wait_until_the_server_has_it() {
        let ([ended, live], room) = (runs(), Room::new(100));
        room.take_in(ended, 0, 300, true);
        let until = room.take_in(live, 40, 40, false);
        assert_eq!(*until.borrow(), 40);
        room.acknowledged(ended, 300);
        assert_eq!(*until.borrow(), 40 + 100 - 12);
    }
}
