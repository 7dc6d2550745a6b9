//! What all runs of a daemon share.

use crate::{
    DaemonConfig, agents::Agents, folders::Folders, room::Room, socket::Piece, trouble::Troubles,
    worktrees::Worktrees,
};
use makima_client::daemon::DaemonClient;
use makima_model::RunId;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc};

pub(crate) struct Workshop {
    pub(crate) config: DaemonConfig,
    pub(crate) folders: Arc<Folders>,
    pub(crate) worktrees: Worktrees,
    pub(crate) agents: Agents,
    /// How much of journals may wait for the server.
    pub(crate) room: Room,
    pub(crate) server: DaemonClient,
    /// What keeps it from working.
    pub(crate) troubles: Troubles,
    /// Rung when there is something new for the server.
    pub(crate) news: Notify,
    /// Live pieces of messages, for the server.
    pub(crate) deltas: mpsc::Sender<(RunId, Piece)>,
}
