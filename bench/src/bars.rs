//! The bars, one file each.
//!
//! To add one: a file here with `pub(crate) async fn run(&Arguments) -> Result<Outcome>`, its variant and arms below,
//! and its paragraph in `docs/benchmarks.md`.

mod agent_output;
mod append;
mod checkpoint;
mod conversation;
mod diff;
mod first_checkpoint;
mod idle;
mod timeline;

use crate::{arguments::Arguments, environment, lab::Engine, printer, table::Outcome};
use anyhow::{Context, Result};

/// What can be measured, by the number that it has among the project's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bar {
    Checkpoint,
    FirstCheckpoint,
    Diff,
    Append,
    Conversation,
    Timeline,
    AgentOutput,
    Idle,
}

impl Bar {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 8] = [
        Self::Checkpoint,
        Self::FirstCheckpoint,
        Self::Diff,
        Self::Append,
        Self::Conversation,
        Self::Timeline,
        Self::AgentOutput,
        Self::Idle,
    ];

    pub(crate) fn of_number(number: u32) -> Result<Self> {
        let known = || Self::ALL.map(|bar| bar.number().to_string()).join(", ");
        let bar = Self::ALL.into_iter().find(|bar| bar.number() == number);
        bar.with_context(|| format!("there is no bar {number} (there are {})", known()))
    }

    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Checkpoint => 1,
            Self::FirstCheckpoint => 3,
            Self::Diff => 6,
            Self::Append => 8,
            Self::Conversation => 9,
            Self::Timeline => 10,
            Self::AgentOutput => 12,
            Self::Idle => 13,
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Checkpoint => "a checkpoint with the numbers of its changes",
            Self::FirstCheckpoint => "the first checkpoint of a new worktree",
            Self::Diff => "what differs between two checkpoints",
            Self::Append => "appending to a conversation, and what it takes to store one",
            Self::Conversation => "reading a conversation",
            Self::Timeline => "a page of the timeline",
            Self::AgentOutput => "what agents say, from the WebSocket to the disk",
            Self::Idle => "`makima up`: how soon it is ready, and what it takes when idle",
        }
    }

    pub(crate) async fn run(self, arguments: &Arguments) -> Result<Outcome> {
        match self {
            Self::Checkpoint => checkpoint::run(arguments).await,
            Self::FirstCheckpoint => first_checkpoint::run(arguments).await,
            Self::Diff => diff::run(arguments).await,
            Self::Append => append::run(arguments).await,
            Self::Conversation => conversation::run(arguments).await,
            Self::Timeline => timeline::run(arguments).await,
            Self::AgentOutput => agent_output::run(arguments).await,
            Self::Idle => idle::run(arguments).await,
        }
    }
}

/// SQLite, and PostgreSQL where there is one.
fn engines() -> Vec<Engine> {
    if environment::has_postgres() {
        return vec![Engine::Sqlite, Engine::Postgres];
    }
    printer::progress("  PostgreSQL is left out: run this by scripts/with-postgres");
    vec![Engine::Sqlite]
}
