//! The rules, one use case a file, each over one transaction. They know no HTTP.

mod answer_question;
mod asked;
mod cancel_task;
mod change_contract;
mod chats;
mod checkpoints;
mod commands;
mod continue_task;
mod contracts;
mod conversation;
mod create_task;
mod daemons;
mod diffs;
mod imports;
mod lists;
mod live;
mod operations;
mod output;
mod owners;
mod place;
mod points;
mod reassign_task;
mod search;
mod send_message;
mod silence;
mod snapshots;
mod stop_task;
mod tasks;
mod texts;
mod timeline;

pub(crate) use asked::{Asked, Waiting};
pub(crate) use contracts::{ContractView, contract_view, existing_contract};
pub(crate) use conversation::{ConversationView, Messages, ShownMessage};
pub(crate) use daemons::Hearing;
pub(crate) use imports::{ImportView, view as import_view};
pub(crate) use lists::{CursorKey, Listed};
pub(crate) use live::{LiveDelta, Piece, Pieces};
pub(crate) use operations::Making;
pub use owners::NewUser;
pub(crate) use owners::SESSION_LIVES;
pub(crate) use snapshots::SnapshotView;
pub(crate) use tasks::{TaskChange, TaskView, existing as existing_task, phase_of, task_view};
pub(crate) use timeline::TimelineView;

use crate::{blobs::Blobs, export::Spool, hosts::Hosts, ingest::Ingest, limits::Limits, metrics::Metrics};
use diffs::ComputedDiffs;
use makima_failpoints::Failpoints;
use makima_model::{Clock, DaemonId, OwnerId};
use makima_store::{Db, StoreError};
use makima_wire::frame::ToDaemon;
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};
use tokio::{
    sync::{Notify, Semaphore, broadcast, mpsc},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// Times that a server works by.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How often daemons send a heartbeat.
    pub heartbeat: Duration,
    /// After how much silence a daemon counts as offline and its runs as interrupted.
    pub silence: Duration,
    /// How long after its start a server marks no run interrupted for silence: daemons need time to come back.
    pub grace: Duration,
    /// How long a request waits for a daemon.
    pub patience: Duration,
    /// How long a request's body may stall before the request is given up.
    pub stall: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self::beating(Duration::from_secs(10))
    }
}

impl Settings {
    /// Those of a server whose daemons send a heartbeat so often.
    pub fn beating(heartbeat: Duration) -> Self {
        Self {
            heartbeat,
            silence: heartbeat * 5 / 2,
            grace: Duration::from_secs(30),
            patience: Duration::from_secs(25),
            stall: Duration::from_secs(30),
        }
    }
}

/// The platform: what routes and daemons' connections call. Clones share it.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// An [`App`] that doesn't keep it alive.
#[derive(Clone)]
pub(crate) struct WeakApp(Weak<Inner>);

struct Inner {
    db: Db,
    clock: Clock,
    blobs: Blobs,
    settings: Settings,
    version: String,
    hosts: Hosts,
    /// The name of the sessions' cookie. Cookies know no ports, so it holds the server's.
    cookie: String,
    limits: Limits,
    metrics: Metrics,
    ingest: Ingest,
    connections: Connections,
    waiting: Waiting,
    live: broadcast::Sender<(OwnerId, LiveDelta)>,
    /// When the database last was in the way of what daemons report.
    hindered: Mutex<Option<Instant>>,
    failpoints: Failpoints,
    spool: Spool,
    /// How many patches may be read at once: each is held whole, and may have 64 MiB.
    patches: Semaphore,
    computed_diffs: ComputedDiffs,
    /// Told when somebody waits for the index.
    searched: Arc<Notify>,
    stopping: CancellationToken,
}

impl App {
    /// The platform over a database, without listening for anybody: enough to make owners and keys.
    pub fn over(db: Db, clock: Clock) -> Self {
        let files = (Blobs::new(PathBuf::new()), Spool::new(PathBuf::new()));
        let hosts = (Hosts::default(), 0);
        Self::new(db, clock, files, Settings::default(), String::new(), hosts, Failpoints::default())
    }

    pub(crate) fn new(
        db: Db,
        clock: Clock,
        (blobs, spool): (Blobs, Spool),
        settings: Settings,
        version: String,
        (hosts, port): (Hosts, u16),
        failpoints: Failpoints,
    ) -> Self {
        let port = hosts.public_url.as_ref().and_then(|url| url.port_u16()).unwrap_or(port);
        Self(Arc::new(Inner {
            db,
            clock,
            blobs,
            settings,
            metrics: Metrics::new(&version),
            version,
            hosts,
            cookie: format!("makima_session_{port}"),
            limits: Limits::default(),
            ingest: Ingest::default(),
            connections: Connections::default(),
            waiting: Waiting::default(),
            live: broadcast::Sender::new(1024),
            hindered: Mutex::new(None),
            failpoints,
            spool,
            patches: Semaphore::new(4),
            computed_diffs: ComputedDiffs::default(),
            searched: Arc::default(),
            stopping: CancellationToken::new(),
        }))
    }

    pub(crate) fn db(&self) -> &Db {
        &self.0.db
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn blobs(&self) -> &Blobs {
        &self.0.blobs
    }

    pub(crate) fn spool(&self) -> &Spool {
        &self.0.spool
    }

    pub(crate) fn patches(&self) -> &Semaphore {
        &self.0.patches
    }

    pub(crate) fn searched(&self) -> Arc<Notify> {
        self.0.searched.clone()
    }

    pub(crate) fn computed_diffs(&self) -> &ComputedDiffs {
        &self.0.computed_diffs
    }

    pub(crate) fn settings(&self) -> Settings {
        self.0.settings
    }

    pub(crate) fn version(&self) -> &str {
        &self.0.version
    }

    pub(crate) fn hosts(&self) -> &Hosts {
        &self.0.hosts
    }

    pub(crate) fn cookie(&self) -> &str {
        &self.0.cookie
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn ingest_workers(&self) -> &Ingest {
        &self.0.ingest
    }

    /// Who waits for what daemons are asked.
    pub(crate) fn waiting(&self) -> &Waiting {
        &self.0.waiting
    }

    pub(crate) fn connections(&self) -> &Connections {
        &self.0.connections
    }

    /// Lets pass that the database was in the way, as far as that passes by itself or by room being made: the daemon's
    /// connection is kept, and tried is again later. Anything else is an error still.
    pub(crate) fn tolerate(&self, error: StoreError) -> Result<(), StoreError> {
        let StoreError::Unavailable { .. } = error else { return Err(error) };
        tracing::warn!("a daemon's report has to wait: {}", crate::error::chain(Some(&error)));
        *self.0.hindered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(())
    }

    /// Whether the database was in the way within the last `time`: then what it says of daemons' heartbeats is old.
    pub(crate) fn was_hindered_within(&self, time: Duration) -> bool {
        let hindered = *self.0.hindered.lock().unwrap_or_else(PoisonError::into_inner);
        hindered.is_some_and(|at| at.elapsed() < time)
    }

    /// Where a test ends this server.
    pub(crate) fn failpoints(&self) -> &Failpoints {
        &self.0.failpoints
    }

    /// Cancelled when the server stops.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.0.stopping.clone()
    }

    pub(crate) fn downgrade(&self) -> WeakApp {
        WeakApp(Arc::downgrade(&self.0))
    }
}

impl WeakApp {
    pub(crate) fn upgrade(&self) -> Option<App> {
        self.0.upgrade().map(App)
    }
}

/// Which connection of this replica speaks for each daemon: the newest.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<HashMap<(OwnerId, DaemonId), Voice>>);

/// A connection's right to speak for its daemon. Whether it has it is the database's to say, by its number; what this
/// replica knows only ends it sooner.
#[derive(Debug, Clone)]
pub(crate) struct Voice {
    /// The number of the connection: a daemon's newer ones have higher ones.
    pub(crate) number: i64,
    /// Cancelled when a newer connection has it, and when it ends.
    pub(crate) lost: CancellationToken,
    /// What is sent to the daemon; that it is known here keeps no connection open.
    out: mpsc::WeakSender<ToDaemon>,
}

impl Voice {
    /// Sends the daemon something; `None` where the connection has ended.
    pub(crate) async fn say(&self, frame: ToDaemon) -> Option<()> {
        self.out.upgrade()?.send(frame).await.ok()
    }
}

impl Connections {
    /// The connection of this number speaks for the daemon, unless a newer one does.
    pub(crate) fn take(
        &self,
        owner: OwnerId,
        daemon: DaemonId,
        number: i64,
        out: &mpsc::Sender<ToDaemon>,
    ) -> Voice {
        let voice = Voice { number, lost: CancellationToken::new(), out: out.downgrade() };
        let mut connections = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let older = match connections.get(&(owner, daemon)) {
            Some(present) if present.number > number => Some(voice.clone()),
            _ => connections.insert((owner, daemon), voice.clone()),
        };
        if let Some(older) = older {
            older.lost.cancel();
        }
        voice
    }

    /// The connection that speaks for a daemon here, if one does.
    pub(crate) fn of(&self, owner: OwnerId, daemon: DaemonId) -> Option<Voice> {
        let connections = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connections.get(&(owner, daemon)).filter(|voice| !voice.lost.is_cancelled()).cloned()
    }

    /// Tells all to end: the server stops.
    pub(crate) fn end_all(&self) {
        for (_, voice) in self.0.lock().unwrap_or_else(PoisonError::into_inner).drain() {
            voice.lost.cancel();
        }
    }
}
