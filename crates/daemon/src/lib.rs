//! Runs agents on this machine: worktrees, run hosts, journals, checkpoints.
//!
//! A daemon is replaceable. All that it holds is what the server has not acknowledged yet: the journals of runs and the
//! results of commands. Each run has a [host](host) of its own, so that an agent outlives the daemon.

mod agents;
mod backoff;
mod commands;
mod config;
mod connection;
mod daemon;
mod disk;
mod error;
mod folders;
pub mod host;
mod journal;
mod process;
mod room;
mod runs;
mod socket;
mod trouble;
pub mod verify;
mod workshop;
mod worktrees;

pub use agents::{AgentSearch, search_agents};
pub use config::{CheckpointRules, DaemonConfig};
pub use daemon::Daemon;
pub use error::DaemonError;
pub use folders::Folders;
pub use worktrees::{CopyError, Worktrees, file_change};
