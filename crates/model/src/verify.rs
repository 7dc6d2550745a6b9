//! What a look at everything that is kept comes to: how much was looked at, and what doesn't agree with the rest.

use crate::{CheckpointId, CommandId, DaemonId, RunId, TaskId};
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// How many findings of one rule are told: where one thing broke, a thousand more of its kind say nothing new.
pub const MOST_OF_A_RULE: usize = 100;

/// Something that doesn't agree with the rest of what is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The rule that is broken.
    pub rule: String,
    /// With what it is broken, by its id: `checkpoint 0199…`.
    pub object: String,
    /// What is wrong.
    pub found: String,
    /// What to do.
    pub advice: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, object, found, advice } = self;
        write!(f, "{object}: {found} [{rule}]: {advice}")
    }
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How many of each kind were looked at.
    pub checked: BTreeMap<String, u64>,
    /// What doesn't agree with the rest, by rule.
    pub findings: Vec<Finding>,
    /// Of these rules more is broken than is told.
    pub more_of: Vec<String>,
}

impl Report {
    /// So many more of a kind were looked at.
    pub fn count(&mut self, kind: &str, more: u64) {
        *self.checked.entry(kind.to_owned()).or_default() += more;
    }

    /// Tells a finding, unless enough of its rule were told.
    pub fn add(&mut self, finding: Finding) {
        let told = self.findings.iter().filter(|told| told.rule == finding.rule).count();
        if told < MOST_OF_A_RULE {
            self.findings.push(finding);
        } else if !self.more_of.contains(&finding.rule) {
            self.more_of.push(finding.rule);
        }
    }

    /// Takes in what another look came to.
    pub fn merge(&mut self, other: Self) {
        let Self { checked, findings, more_of } = other;
        checked.iter().for_each(|(kind, count)| self.count(kind, *count));
        findings.into_iter().for_each(|finding| self.add(finding));
        for rule in more_of {
            if !self.more_of.contains(&rule) {
                self.more_of.push(rule);
            }
        }
    }
}

/// How far a look has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// What is looked at.
    pub what: &'a str,
    /// How much of it was.
    pub done: u64,
    /// How much of it there is.
    pub of: u64,
}

/// What lies in a daemon's data folder, by its names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Whose folder it is; `None` where no daemon has begun there yet.
    pub daemon: Option<DaemonId>,
    /// Runs that have a folder.
    pub runs: Vec<RunId>,
    /// Commands that have a file.
    pub commands: Vec<CommandId>,
    /// Tasks that have a file.
    pub tasks: Vec<TaskId>,
}

/// What the server knows of a daemon, as far as the daemon's folder has to agree with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Of the runs that were listed, those that are known, and all that live on the daemon.
    pub runs: BTreeMap<RunId, KnownRun>,
    /// Of the commands that were listed, those that are known, and all that the daemon has acknowledged and not finished. Whether
    /// they are such.
    pub commands: BTreeMap<CommandId, bool>,
    /// Of the tasks that were listed, those that are known, and all that have a worktree on the daemon; with their checkpoints that
    /// were made there.
    pub tasks: BTreeMap<TaskId, Vec<KnownCheckpoint>>,
}

/// A run that the server knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRun {
    /// The daemon that it is on.
    pub daemon: DaemonId,
    /// Its task.
    pub task: TaskId,
    /// The last entry of its journal that the server has.
    pub last_entry: u64,
    /// Whether it has not ended, and the daemon has acknowledged all that was ordered of it.
    pub is_the_daemons: bool,
}

/// A checkpoint that the server knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCheckpoint {
    /// Its id.
    pub id: CheckpointId,
    /// Its number.
    pub number: i64,
    /// Its commit.
    pub commit: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(rule: &str, object: usize) -> Finding {
        Finding {
            rule: rule.to_owned(),
            object: format!("task {object}"),
            found: String::new(),
            advice: String::new(),
        }
    }

    #[test]
    fn of_a_rule_that_is_broken_everywhere_enough_is_told_and_that_there_is_more() {
        let (mut report, mut other) = (Report::default(), Report::default());
        (0..MOST_OF_A_RULE).for_each(|n| report.add(finding("one", n)));
        assert!(report.more_of.is_empty());
        other.add(finding("one", MOST_OF_A_RULE));
        other.add(finding("another", 0));
        other.count("tasks", 2);
        report.count("tasks", 1);
        report.merge(other);
        assert_eq!(report.findings.len(), MOST_OF_A_RULE + 1);
        assert_eq!(report.more_of, ["one"]);
        assert_eq!(report.checked["tasks"], 3);
    }
}
