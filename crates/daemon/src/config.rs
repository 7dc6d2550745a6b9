//! What a daemon is told by whoever starts it. It reads no environment and no file of settings itself.

use crate::host::Patience;
use makima_agents::AgentConfig;
use makima_failpoints::Failpoints;
use makima_model::Clock;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    path::PathBuf,
};

/// All that a daemon is told.
#[derive(Debug, Clone)]
pub struct DaemonConfig {
    /// Where its runs, clones and worktrees are. One daemon works in a folder at a time. Absolute.
    pub data_dir: PathBuf,
    /// The server's address.
    pub server_url: String,
    /// The owner's key.
    pub api_key: String,
    /// Its name, for people.
    pub name: String,
    /// The machine's name.
    pub hostname: String,
    /// The version of the program.
    pub version: String,
    /// How many workers it offers to run at once.
    pub max_concurrent_tasks: u32,
    /// How often it says that it is there, at the least.
    pub heartbeat_seconds: u64,
    /// How many bytes of what agents say may wait here for the server. Behind that, agents wait.
    pub max_journal_bytes: u64,
    /// The agents, by name.
    pub agents: BTreeMap<String, AgentConfig>,
    /// All variables of the caller's environment: git and each agent get what they need of them, and no more.
    pub environment: BTreeMap<OsString, OsString>,
    /// Repositories, as tasks name them, whose own agent settings, hooks and tool servers may start programs.
    pub trusted_repositories: BTreeSet<String>,
    /// What checkpoints hold.
    pub checkpoint: CheckpointRules,
    /// The program that hosts a run when it is called with `run-host <folder>`, and plays a scenario when it is called with
    /// `scripted-agent …`. Absolute.
    pub program: PathBuf,
    /// How long run hosts wait for what.
    pub patience: Patience,
    /// Where time and ids come from.
    pub clock: Clock,
    /// Where a test ends it.
    pub failpoints: Failpoints,
}

/// What checkpoints hold besides what git would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckpointRules {
    /// Of an automatic checkpoint: the largest untracked file.
    pub max_file_bytes: Option<u64>,
    /// Paths that git ignores and a checkpoint holds.
    pub include: Vec<String>,
}

impl DaemonConfig {
    /// The variables that are text, as agents are given them.
    pub(crate) fn text_variables(&self) -> makima_agents::Environment {
        let text = |value: &OsStr| value.to_str().map(str::to_owned);
        self.environment.iter().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect()
    }
}
