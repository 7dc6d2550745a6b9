//! What a page is written on.

use super::words::facts;
use makima_model::{CheckpointMade, Contract, Message, TaskId, Timestamp, diff::GitDiff};
use makima_store::Task;
use serde_json::Value;

/// What a page is of.
pub(super) struct Headline {
    pub(super) name: String,
    pub(super) short: String,
    /// What is known of it, each with what it is.
    pub(super) facts: Vec<(&'static str, String)>,
    /// What it is for, where that is said.
    pub(super) description: String,
    pub(super) exported_at: Timestamp,
    pub(super) makima: String,
}

/// A message of anybody but a tool.
pub(super) struct Said<'a> {
    pub(super) index: i64,
    /// Of a user's: which turn begins with it.
    pub(super) turn: Option<u64>,
    pub(super) message: &'a Message,
}

/// A tool that was called.
pub(super) struct Used<'a> {
    /// Of its result.
    pub(super) index: Option<i64>,
    pub(super) name: &'a str,
    pub(super) input: Option<Value>,
    /// `None`: it has none.
    pub(super) result: Option<&'a str>,
    /// Where the agent worked.
    pub(super) folder: Option<&'a str>,
    pub(super) is_error: bool,
    pub(super) is_incomplete: bool,
}

/// A checkpoint.
pub(super) struct Checkpointed<'a> {
    pub(super) made: &'a CheckpointMade,
    /// What it changed; `None`: that isn't kept here.
    pub(super) diff: Option<&'a GitDiff>,
}

/// A form that a page has. All text may be anybody's: no form lets any of it do something.
pub(super) trait Paper {
    fn begin(&self, out: &mut String, headline: &Headline);
    /// A task begins; one that is alone has the page's headline.
    fn task(&self, out: &mut String, task: &Task, is_alone: bool);
    fn run(&self, out: &mut String, number: i64);
    fn said(&self, out: &mut String, task: TaskId, said: &Said<'_>);
    fn used(&self, out: &mut String, task: TaskId, used: &Used<'_>);
    fn checkpoint(&self, out: &mut String, task: TaskId, checkpoint: &Checkpointed<'_>);
    fn end_task(&self, out: &mut String);
    fn end(&self, out: &mut String);
}

impl Headline {
    pub(super) fn of_task(task: &Task) -> Self {
        Self {
            name: task.name.clone(),
            short: task.id.short(),
            facts: [vec![("Repository", task.repository.clone())], facts(task)].concat(),
            description: String::new(),
            exported_at: task.updated_at,
            makima: String::new(),
        }
    }

    pub(super) fn of_contract(contract: &Contract, tasks: usize) -> Self {
        let tasks = if tasks == 1 { "1 task".to_owned() } else { format!("{tasks} tasks") };
        Self {
            name: contract.name.clone(),
            short: contract.id.short(),
            facts: vec![
                ("Contract", contract.id.to_string()),
                ("Repository", contract.repository.clone()),
                ("Phase", contract.phase.to_string()),
                ("Status", contract.status.to_string()),
                ("Tasks", tasks),
            ],
            description: contract.description.clone(),
            exported_at: contract.updated_at,
            makima: String::new(),
        }
    }
}
