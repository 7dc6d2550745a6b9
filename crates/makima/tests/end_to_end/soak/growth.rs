//! What the server and the daemons take: memory, and open files.

use super::stage::Stage;
use std::fs;

/// By how much memory may differ between two moments of the same work, in kB: what an allocator keeps, not what leaks.
const SLACK_KB: u64 = 48 << 10;
/// By how many open files: connections come and go.
const SLACK_FILES: usize = 24;
/// How many files a daemon has open for each run that it attends, at the most.
const FILES_OF_A_RUN: usize = 3;

/// What one process takes, and how many runs it attends: none, where it is the server.
#[derive(Debug, Clone, Copy)]
struct Taken {
    resident_kb: u64,
    open_files: usize,
    runs: usize,
}

/// What all parts take.
#[derive(Debug)]
pub(super) struct Growth(Vec<Taken>);

impl Growth {
    /// What they take now.
    pub(super) fn of(stage: &Stage) -> Self {
        let taken = |part| {
            let runs = stage.runs_of(part);
            let pid = stage.pid(part).expect("it stands").as_raw_nonzero();
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let resident =
                status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
            let resident_kb = resident.trim().trim_end_matches(" kB").parse().unwrap();
            let open_files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
            Taken { resident_kb, open_files, runs }
        };
        Self((0..stage.parts()).map(taken).collect())
    }

    /// The same work takes the same.
    pub(super) fn assert_flat_since(&self, before: &Self) {
        for (now, before) in self.0.iter().zip(&before.0) {
            let more_runs = now.runs.saturating_sub(before.runs);
            assert!(
                now.resident_kb <= before.resident_kb + SLACK_KB
                    && now.open_files <= before.open_files + SLACK_FILES + FILES_OF_A_RUN * more_runs,
                "it grew from {before:?} to {now:?}"
            );
        }
        eprintln!("before: {before:?}\nafter the same work: {self:?}");
    }
}
