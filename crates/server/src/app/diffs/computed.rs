//! Differences that daemons computed. Two commits never change, so neither does what differs between them.

use makima_model::diff::GitDiff;
use makima_wire::frame::WantedDiff;
use moka::sync::Cache;
use std::{sync::Arc, time::Duration};

/// How much memory they may take, about.
const MOST_BYTES: u64 = 64 << 20;
/// How long one that nobody asks for is kept.
const IDLE: Duration = Duration::from_secs(3600);
/// What a line, or whatever has lines, takes beside its text.
const ENTRY: usize = 96;

/// Those that were asked for lately.
pub(crate) struct ComputedDiffs(Cache<WantedDiff, Arc<GitDiff>>);

impl Default for ComputedDiffs {
    fn default() -> Self {
        let cache = Cache::builder()
            .max_capacity(MOST_BYTES)
            .weigher(|wanted, diff: &Arc<GitDiff>| u32::try_from(weight(wanted, diff)).unwrap_or(u32::MAX))
            .time_to_idle(IDLE);
        Self(cache.build())
    }
}

impl ComputedDiffs {
    pub(crate) fn get(&self, wanted: &WantedDiff) -> Option<GitDiff> {
        self.0.get(wanted).map(|diff| GitDiff::clone(&diff))
    }

    pub(crate) fn keep(&self, wanted: WantedDiff, diff: GitDiff) {
        self.0.insert(wanted, Arc::new(diff));
    }
}

/// How many bytes it takes, about.
fn weight(wanted: &WantedDiff, diff: &GitDiff) -> usize {
    let file = |file: &makima_model::diff::FileDiff| {
        let lines = file.hunks.iter().flat_map(|hunk| &hunk.lines);
        ENTRY + file.path.len() + lines.map(|line| ENTRY + line.text.len()).sum::<usize>()
    };
    let asked = wanted.path.as_ref().map_or(0, String::len);
    ENTRY + asked + diff.files.iter().map(file).sum::<usize>()
}
