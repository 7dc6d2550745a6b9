//! Telling all replicas that something is there to be looked at. Nothing depends on it but how soon they look.

use makima_model::{CommandId, DaemonId, OperationId, OwnerId};
use sqlx::{PgPool, postgres::PgListener};
use std::{collections::BTreeSet, time::Duration};
use tokio::{sync::broadcast, task::AbortHandle};

/// How many a receiver may be behind.
const BACKLOG: usize = 1024;
/// How long a lost connection is left alone before the next try.
const PAUSE: Duration = Duration::from_millis(500);

/// What there is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wake {
    /// Events, task events or messages of this owner.
    Events(OwnerId),
    /// A command for this daemon.
    Commands(DaemonId),
    /// This command is finished.
    Command(CommandId),
    /// This operation is finished.
    Operation(OperationId),
    /// More of this owner can be found.
    Indexed(OwnerId),
    /// Anything: some may have been missed.
    Lagged,
}

impl Wake {
    /// How it is told to other replicas.
    pub(super) fn told(self) -> String {
        match self {
            Self::Events(owner) => format!("events {owner}"),
            Self::Commands(daemon) => format!("commands {daemon}"),
            Self::Command(command) => format!("command {command}"),
            Self::Operation(operation) => format!("operation {operation}"),
            Self::Indexed(owner) => format!("indexed {owner}"),
            Self::Lagged => "lagged".to_owned(),
        }
    }

    /// What was told, unless a newer program told it.
    fn heard(text: &str) -> Option<Self> {
        match text.split_once(' ').unwrap_or((text, "")) {
            ("events", id) => id.parse().ok().map(Self::Events),
            ("commands", id) => id.parse().ok().map(Self::Commands),
            ("command", id) => id.parse().ok().map(Self::Command),
            ("operation", id) => id.parse().ok().map(Self::Operation),
            ("indexed", id) => id.parse().ok().map(Self::Indexed),
            ("lagged", _) => Some(Self::Lagged),
            _ => None,
        }
    }
}

/// Those who listen, and on PostgreSQL the task that hears what other replicas tell.
#[derive(Debug)]
pub(super) struct Wakes {
    listeners: broadcast::Sender<Wake>,
    task: Option<AbortHandle>,
}

impl Wakes {
    /// SQLite: one process writes, and tells itself.
    pub(super) fn in_process() -> Self {
        Self { listeners: broadcast::Sender::new(BACKLOG), task: None }
    }

    /// PostgreSQL: what any replica tells, this one included, comes back from the server.
    pub(super) async fn of_server(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let listeners = broadcast::Sender::new(BACKLOG);
        let first = listen(pool).await?;
        let task = tokio::spawn(hear(pool.clone(), first, listeners.clone()));
        Ok(Self { listeners, task: Some(task.abort_handle()) })
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Wake> {
        self.listeners.subscribe()
    }

    pub(super) fn tell(&self, wakes: BTreeSet<Wake>) {
        for wake in wakes {
            // Nobody listening is no error.
            let _ = self.listeners.send(wake);
        }
    }

    pub(super) fn stop(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn listen(pool: &PgPool) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("makima").await?;
    Ok(listener)
}

async fn hear(pool: PgPool, first: PgListener, listeners: broadcast::Sender<Wake>) {
    let mut listener = first;
    loop {
        match listener.try_recv().await {
            Ok(Some(notification)) => {
                if let Some(wake) = Wake::heard(notification.payload()) {
                    let _ = listeners.send(wake);
                }
            }
            // It has connected again by itself; what was told in between is lost.
            Ok(None) => {
                let _ = listeners.send(Wake::Lagged);
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the database's notifications are cut off"
                );
                listener = loop {
                    if pool.is_closed() {
                        return;
                    }
                    tokio::time::sleep(PAUSE).await;
                    if let Ok(again) = listen(&pool).await {
                        break again;
                    }
                };
                let _ = listeners.send(Wake::Lagged);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use makima_model::Clock;

    #[test]
    fn what_is_told_is_understood() {
        let clock = Clock::system();
        for wake in [
            Wake::Events(clock.new_id()),
            Wake::Commands(clock.new_id()),
            Wake::Command(clock.new_id()),
            Wake::Operation(clock.new_id()),
            Wake::Indexed(clock.new_id()),
            Wake::Lagged,
        ] {
            assert_eq!(Wake::heard(&wake.told()), Some(wake));
        }
        assert_eq!((Wake::heard("operations 1"), Wake::heard("events x")), (None, None));
    }
}
