//! What has been sent and isn't acknowledged: bounded, so that a slow server slows down the reading of journals.

use makima_model::RunId;
use std::collections::{BTreeMap, VecDeque};

/// How many bytes may be on their way.
const MOST: u64 = 8 << 20;

#[derive(Debug, Default)]
pub(super) struct Window {
    /// Of each run: the last entry and the length of what was sent, oldest first.
    sent: BTreeMap<RunId, VecDeque<(u64, u64)>>,
    bytes: u64,
}

impl Window {
    /// Whether more may be sent. A frame that is larger than the window goes alone.
    pub(super) fn is_open(&self) -> bool {
        self.bytes < MOST
    }

    /// Entries up to `last` are on their way.
    pub(super) fn sent(&mut self, run: RunId, last: u64, bytes: u64) {
        self.bytes += bytes;
        self.sent.entry(run).or_default().push_back((last, bytes));
    }

    /// Entries up to `n` have arrived.
    pub(super) fn acknowledged(&mut self, run: RunId, n: u64) {
        let Some(sent) = self.sent.get_mut(&run) else { return };
        while let Some((_, bytes)) = sent.front().copied().filter(|(last, _)| *last <= n) {
            self.bytes -= bytes;
            sent.pop_front();
        }
        if sent.is_empty() {
            self.sent.remove(&run);
        }
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
        window.sent(one, 10, MOST / 2);
        window.sent(other, 3, MOST / 4);
        assert!(window.is_open());
        window.sent(one, 20, MOST / 4);
        assert!(!window.is_open());
        // The first half of the first frame frees nothing.
        window.acknowledged(one, 9);
        assert!(!window.is_open());
        window.acknowledged(other, 3);
        assert!(window.is_open());
        window.acknowledged(one, 20);
        assert_eq!((window.bytes, window.sent.len()), (0, 0));
    }
}
