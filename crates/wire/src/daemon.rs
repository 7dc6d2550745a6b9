//! Daemons.

use makima_model::{AgentInfo, DaemonId, DaemonStatus, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A machine that runs agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Daemon {
    /// Its id, which it keeps.
    pub id: DaemonId,
    /// Its name.
    pub name: String,
    /// The machine's name.
    pub hostname: String,
    /// Whether it is connected.
    pub status: DaemonStatus,
    /// How many workers it runs at once; supervisors don't count.
    pub max_concurrent_tasks: i64,
    /// How many it runs now.
    pub running_tasks: i64,
    /// The agents that it has.
    pub agents: Vec<AgentInfo>,
    /// When it was last heard of.
    pub last_heartbeat_at: Timestamp,
    /// What keeps it from working, with what to do: there is no room on its disk, for example. It goes on by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// All daemons of the owner, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DaemonList {
    /// The rows.
    pub daemons: Vec<Daemon>,
    /// How many there are.
    pub total_count: i64,
}
