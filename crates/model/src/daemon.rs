//! A daemon: a machine that runs agents.

use crate::{DaemonId, OwnerId, Timestamp, text::words};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

words! {
    /// Whether a daemon is there.
    DaemonStatus, "status of a daemon" {
        /// It is connected and its heart beats.
        Online = "online",
        /// It isn't.
        Offline = "offline",
    }
}

/// An agent that a daemon can run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentInfo {
    /// Its name below `[agents]` of the daemon's configuration.
    pub name: String,
    /// The version of its program, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether tasks that name no agent get this one.
    pub default: bool,
}

/// A machine that runs agents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// Its id, which it keeps.
    pub id: DaemonId,
    /// Whose it is.
    pub owner: OwnerId,
    /// Its name, for people.
    pub name: String,
    /// The machine's name.
    pub hostname: String,
    /// Whether it is there.
    pub status: DaemonStatus,
    /// How many workers it runs at once.
    pub max_concurrent_tasks: i64,
    /// How many live runs of workers it has.
    pub running_tasks: i64,
    /// What it can run.
    pub agents: Vec<AgentInfo>,
    /// When it was last heard of, by the database's clock.
    pub last_heartbeat_at: Timestamp,
    /// What keeps it from working, in its own words.
    pub trouble: Option<String>,
}
