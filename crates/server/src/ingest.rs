//! What daemons report, taken into the database: one worker an owner, many reports a transaction.
//!
//! A report is acknowledged when its transaction is durable, never before. Entries of a run are taken once each, in
//! order; an entry that comes again is acknowledged again and changes nothing.

mod entries;
mod results;

use crate::{
    App,
    app::{Piece, Pieces},
};
use makima_model::{CommandId, DaemonId, Entry, OwnerId, RunId};
use makima_store::StoreError;
use makima_wire::frame::{CommandOutcome, ToDaemon};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, timeout_at},
};

/// A transaction takes this many rows, or what has come within [`GATHER`], whichever is first.
const ROWS: usize = 100;
const GATHER: Duration = Duration::from_millis(10);
/// How many reports may wait; behind that, connections wait.
const WAITING: usize = 64;

/// One report of a daemon.
pub(crate) struct Job {
    /// Who reports.
    pub(crate) daemon: DaemonId,
    /// What.
    pub(crate) what: What,
    /// Where acknowledgements go.
    pub(crate) out: mpsc::Sender<ToDaemon>,
    /// Told when the report can't be taken: the connection then ends, and the daemon begins anew.
    pub(crate) failed: Arc<Notify>,
}

/// What a daemon reports.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// Entries of a run's journal.
    Entries {
        /// The run.
        run: RunId,
        /// The entries.
        entries: Vec<Entry>,
    },
    /// A piece of a message that isn't complete.
    Delta(Piece),
    /// A command is durable on the daemon.
    Acknowledged {
        /// The command.
        command: CommandId,
    },
    /// A command was carried out, or can't be.
    Finished {
        /// The command.
        command: CommandId,
        /// What came of it.
        outcome: CommandOutcome,
    },
}

impl What {
    fn rows(&self) -> usize {
        match self {
            Self::Entries { entries, .. } => entries.len(),
            Self::Acknowledged { .. } | Self::Finished { .. } => 1,
            Self::Delta(_) => 0,
        }
    }
}

/// Why a report can't be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IngestError {
    #[error("the database refused it")]
    Store(#[from] StoreError),
    #[error("run {0} is not one of this daemon's")]
    NotItsRun(RunId),
    #[error("run {run} went from entry {after} to entry {n}")]
    Gap { run: RunId, after: i64, n: u64 },
    #[error("command {0} is not one of this daemon's")]
    NotItsCommand(CommandId),
    #[error("the conversation's branches are broken")]
    Branch(#[from] makima_model::branch::PositionError),
}

/// The workers, one for each owner whose daemons have reported something.
#[derive(Debug, Default)]
pub(crate) struct Ingest {
    workers: std::sync::Mutex<HashMap<OwnerId, mpsc::Sender<Job>>>,
}

impl App {
    /// Hands a report to its owner's worker; waits while too many do.
    pub(crate) async fn ingest(&self, owner: OwnerId, job: Job) {
        let worker = {
            let mut workers =
                self.ingest_workers().workers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            workers
                .entry(owner)
                .or_insert_with(|| {
                    let (worker, jobs) = mpsc::channel(WAITING);
                    tokio::spawn(work(self.downgrade(), owner, jobs));
                    worker
                })
                .clone()
        };
        let failed = job.failed.clone();
        if worker.send(job).await.is_err() {
            failed.notify_one();
        }
    }
}

async fn work(app: crate::WeakApp, owner: OwnerId, mut jobs: mpsc::Receiver<Job>) {
    let mut pieces = Pieces::default();
    while let Some(first) = jobs.recv().await {
        let mut rows = first.what.rows();
        let mut batch = vec![first];
        let until = Instant::now() + GATHER;
        while rows < ROWS {
            let Ok(Some(job)) = timeout_at(until, jobs.recv()).await else { break };
            rows += job.what.rows();
            batch.push(job);
        }
        let Some(app) = app.upgrade() else { return };
        let told = batch.iter().filter_map(|job| match &job.what {
            What::Delta(piece) => Some(piece.clone()),
            _ => None,
        });
        pieces.wait(told);
        batch.retain(|job| !matches!(job.what, What::Delta(_)));
        if !batch.is_empty() {
            app.take(owner, batch, &mut pieces).await;
        }
        app.pass_on(owner, &mut pieces).await;
    }
}

impl App {
    /// Takes a batch in one transaction; where that fails, each report in its own, so that one bad report stops only the
    /// connection that sent it.
    async fn take(&self, owner: OwnerId, batch: Vec<Job>, pieces: &mut Pieces) {
        let whole: Vec<&Job> = batch.iter().collect();
        match self.take_together(owner, &whole).await {
            Ok(taken) => self.acknowledge(owner, &whole, taken, pieces).await,
            Err(_) => {
                for job in &batch {
                    match self.take_together(owner, &[job]).await {
                        Ok(taken) => self.acknowledge(owner, &[job], taken, pieces).await,
                        Err(error) => {
                            let chain = crate::error::chain(Some(&error));
                            tracing::error!(daemon = %job.daemon, "a report could not be taken: {chain}");
                            job.failed.notify_one();
                        }
                    }
                }
            }
        }
    }

    async fn take_together(&self, owner: OwnerId, jobs: &[&Job]) -> Result<Taken, IngestError> {
        let mut batch = entries::Batch::new(self, owner).await?;
        let mut taken = Taken::default();
        for job in jobs {
            match &job.what {
                What::Entries { run, entries } => {
                    let n = batch.take_entries(job.daemon, *run, entries).await?;
                    taken.acks.push(Some(ToDaemon::Ack { run: *run, n }));
                }
                What::Delta(_) => taken.acks.push(None),
                What::Acknowledged { command } => {
                    batch.take_acknowledgement(job.daemon, *command).await?;
                    taken.acks.push(None);
                }
                What::Finished { command, outcome } => {
                    batch.take_result(job.daemon, *command, outcome).await?;
                    taken.acks.push(Some(ToDaemon::Settled { command: *command }));
                }
            }
        }
        taken.place = batch.commit().await?;
        Ok(taken)
    }

    async fn acknowledge(&self, owner: OwnerId, jobs: &[&Job], taken: Taken, pieces: &mut Pieces) {
        for (job, frame) in jobs.iter().zip(taken.acks) {
            if let Some(ToDaemon::Ack { run, n }) = &frame {
                pieces.reached(*run, *n);
            }
            // A connection that is gone asks again when it is back.
            if let Some(frame) = frame {
                let _ = job.out.send(frame).await;
            }
        }
        if taken.place {
            self.place_soon(owner);
        }
    }
}

/// What came of a batch.
#[derive(Default)]
struct Taken {
    /// What each report is answered with; an acknowledgement isn't acknowledged.
    acks: Vec<Option<ToDaemon>>,
    /// Whether a place may have become free, or a task waits for one.
    place: bool,
}
