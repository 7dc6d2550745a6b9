//! What has been sent and isn't acknowledged: bounded, so that a slow server slows down the reading of journals.

use makima_model::RunId;
use std::collections::{BTreeMap, VecDeque};

/// How many bytes may be on their way.
const MOST: u64 = 8 << 20;

#[derive(Debug, Default)]
pub(super) struct Window {
    /// Of each run, oldest first.
    sent: BTreeMap<RunId, VecDeque<Sent>>,
    bytes: u64,
}

/// A frame that was sent.
#[derive(Debug, Clone, Copy)]
struct Sent {
    /// Its last entry, and where that ends in the journal.
    last: u64,
    end: u64,
    /// How long it is.
    bytes: u64,
}

impl Window {
    /// Whether more may be sent. A frame that is larger than the window goes alone.
    pub(super) fn is_open(&self) -> bool {
        self.bytes < MOST
    }

    /// Entries up to `last`, which ends at `end` in the journal, are on their way.
    pub(super) fn sent(&mut self, run: RunId, (last, end): (u64, u64), bytes: u64) {
        self.bytes += bytes;
        self.sent.entry(run).or_default().push_back(Sent { last, end, bytes });
    }

    /// Entries up to `n` have arrived. Answers where what has arrived ends in the journal, if that is further than before.
    pub(super) fn acknowledged(&mut self, run: RunId, n: u64) -> Option<u64> {
        let sent = self.sent.get_mut(&run)?;
        let mut arrived = None;
        while let Some(first) = sent.front().copied().filter(|first| first.last <= n) {
            self.bytes -= first.bytes;
            arrived = Some(first.end);
            sent.pop_front();
        }
        if sent.is_empty() {
            self.sent.remove(&run);
        }
        arrived
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use makima_model::Clock;

    #[test]
    fn the_window_opens_as_far_as_is_acknowledged() {
        let clock = Clock::system();
        let (one, other): (RunId, RunId) = (clock.new_id(), clock.new_id());
        let mut window = Window::default();
        window.sent(one, (10, 100), MOST / 2);
        window.sent(other, (3, 30), MOST / 4);
        assert!(window.is_open());
        window.sent(one, (20, 200), MOST / 4);
        assert!(!window.is_open());
        // The first half of the first frame frees nothing.
        assert_eq!(window.acknowledged(one, 9), None);
        assert!(!window.is_open());
        assert_eq!(window.acknowledged(other, 3), Some(30));
        assert!(window.is_open());
        assert_eq!(window.acknowledged(one, 20), Some(200));
        assert_eq!((window.bytes, window.sent.len()), (0, 0));
    }
}
