//! What daemons report, taken into the database: one worker an owner, many reports a transaction.
//!
//! A worker has two halves: one gathers and packs the next reports while the other writes the last ones. What is packed
//! depends on nothing that a transaction does, so it holds whether the one before succeeds or not.
//!
//! A report is acknowledged when its transaction is durable, never before. Entries of a run are taken once each, in
//! order; an entry that comes again is acknowledged again and changes nothing. Where the database is away or has no room, a
//! batch is tried again until it is back, and connections wait behind it: what they were sent is not dropped.

mod entries;
mod packed;
mod results;

use crate::{
    App,
    app::{Piece, Pieces},
};
use makima_model::{CommandId, DaemonId, Entry, OwnerId, RunId};
use makima_store::StoreError;
use makima_wire::frame::{CommandOutcome, ToDaemon};
use packed::PackedEntry;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, timeout_at},
};

/// A transaction takes this many rows, or what has come within [`GATHER`], whichever is first; what somebody waits for waits for no
/// more.
const ROWS: usize = 100;
const GATHER: Duration = Duration::from_millis(10);
/// How many reports may wait; behind that, connections wait.
const WAITING: usize = 64;
/// How long to wait before a batch is tried again that the database was in the way of: twice as long each time, up to the last.
const NEXT_TRY: Duration = Duration::from_millis(50);
const LATER_TRIES: Duration = Duration::from_secs(5);
/// How many batches may wait that are gathered: one is enough to have the half that writes always write.
const AHEAD: usize = 1;

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

/// Why a report can't be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IngestError {
    #[error("the database refused it")]
    Store(#[from] StoreError),
    #[error("run {0} is not one of this daemon's")]
    NotItsRun(RunId),
    #[error("run {run} went from entry {after} to entry {n}")]
    Gap { run: RunId, after: i64, n: u64 },
    #[error("entries of run {0} were taken by another server at the same moment")]
    TakenElsewhere(RunId),
    #[error("command {0} is not one of this daemon's")]
    NotItsCommand(CommandId),
    #[error("the server stops, and its database was in the way of it")]
    Stopping,
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
                    let (ahead, batches) = mpsc::channel(AHEAD);
                    tokio::spawn(gather(jobs, ahead));
                    tokio::spawn(write(self.downgrade(), owner, batches));
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

/// A report, ready to be written.
struct Report {
    daemon: DaemonId,
    what: Ready,
    out: mpsc::Sender<ToDaemon>,
    failed: Arc<Notify>,
}

enum Ready {
    Entries { run: RunId, entries: Vec<PackedEntry> },
    Acknowledged { command: CommandId },
    Finished { command: CommandId, outcome: CommandOutcome },
}

impl Report {
    fn rows(&self) -> u64 {
        match &self.what {
            Ready::Entries { entries, .. } => entries.len() as u64,
            Ready::Acknowledged { .. } | Ready::Finished { .. } => 1,
        }
    }

    fn fail(&self, error: &IngestError) {
        fail(self.daemon, &self.failed, error);
    }
}

fn fail(daemon: DaemonId, failed: &Notify, error: &IngestError) {
    tracing::error!(%daemon, "a report could not be taken: {}", crate::error::chain(Some(error)));
    failed.notify_one();
}

/// What goes into one transaction, and the pieces that came between.
#[derive(Default)]
struct Gathered {
    reports: Vec<Report>,
    rows: usize,
    /// Whether what came of a command is among them: somebody may wait for it.
    is_awaited: bool,
    pieces: Vec<Piece>,
}

impl Gathered {
    fn add(&mut self, Job { daemon, what, out, failed }: Job) {
        let what = match what {
            What::Delta(piece) => return self.pieces.push(piece),
            What::Entries { run, entries } => match packed::pack(entries) {
                Ok(entries) => Ready::Entries { run, entries },
                Err(error) => return fail(daemon, &failed, &error.into()),
            },
            What::Acknowledged { command } => Ready::Acknowledged { command },
            What::Finished { command, outcome } => Ready::Finished { command, outcome },
        };
        self.is_awaited |= matches!(what, Ready::Finished { .. });
        self.rows += match &what {
            Ready::Entries { entries, .. } => entries.len(),
            Ready::Acknowledged { .. } | Ready::Finished { .. } => 1,
        };
        self.reports.push(Report { daemon, what, out, failed });
    }
}

/// Gathers reports into batches and packs what they say.
async fn gather(mut jobs: mpsc::Receiver<Job>, ahead: mpsc::Sender<Gathered>) {
    while let Some(first) = jobs.recv().await {
        let until = Instant::now() + GATHER;
        let mut gathered = Gathered::default();
        gathered.add(first);
        while gathered.rows < ROWS {
            let job = if gathered.is_awaited {
                jobs.try_recv().ok()
            } else {
                timeout_at(until, jobs.recv()).await.ok().flatten()
            };
            let Some(job) = job else { break };
            gathered.add(job);
        }
        if ahead.send(gathered).await.is_err() {
            return;
        }
    }
}

/// Writes one batch after the other.
async fn write(app: crate::WeakApp, owner: OwnerId, mut batches: mpsc::Receiver<Gathered>) {
    let mut pieces = Pieces::default();
    while let Some(gathered) = batches.recv().await {
        let Some(app) = app.upgrade() else { return };
        pieces.wait(gathered.pieces.into_iter());
        if !gathered.reports.is_empty() {
            app.take(owner, gathered.reports, &mut pieces).await;
        }
        app.pass_on(owner, &mut pieces).await;
    }
}

impl App {
    /// Takes a batch in one transaction; where that fails, each report in its own, so that one bad report stops only the
    /// connection that sent it.
    async fn take(&self, owner: OwnerId, batch: Vec<Report>, pieces: &mut Pieces) {
        let whole: Vec<&Report> = batch.iter().collect();
        match self.take_in_time(owner, &whole).await {
            Ok(taken) => self.acknowledge(owner, &whole, taken, pieces).await,
            Err(_) => {
                for report in &batch {
                    match self.take_in_time(owner, &[report]).await {
                        Ok(taken) => self.acknowledge(owner, &[report], taken, pieces).await,
                        Err(error) => {
                            self.metrics().refused.inc();
                            report.fail(&error);
                        }
                    }
                }
            }
        }
    }

    /// Takes reports, and waits for the database as long as it takes. Ends before only when the server stops: the reports
    /// then come again to the next one.
    async fn take_in_time(&self, owner: OwnerId, reports: &[&Report]) -> Result<Taken, IngestError> {
        let mut pause = NEXT_TRY;
        loop {
            let error = match self.take_together(owner, reports).await {
                Err(IngestError::Store(error)) => error,
                done => return done,
            };
            self.tolerate(error)?;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stopping().cancelled_owned() => return Err(IngestError::Stopping),
            }
            pause = LATER_TRIES.min(pause * 2);
        }
    }

    async fn take_together(&self, owner: OwnerId, reports: &[&Report]) -> Result<Taken, IngestError> {
        let mut batch = entries::Batch::new(self, owner).await?;
        let mut taken = Taken::default();
        for report in reports {
            match &report.what {
                Ready::Entries { run, entries } => {
                    let n = batch.take_entries(report.daemon, *run, entries).await?;
                    taken.acks.push(Some(ToDaemon::Ack { run: *run, n }));
                }
                Ready::Acknowledged { command } => {
                    batch.take_acknowledgement(report.daemon, *command).await?;
                    taken.acks.push(None);
                }
                Ready::Finished { command, outcome } => {
                    batch.take_result(report.daemon, *command, outcome).await?;
                    taken.acks.push(Some(ToDaemon::Settled { command: *command }));
                }
            }
        }
        taken.place = batch.commit().await?;
        Ok(taken)
    }

    async fn acknowledge(&self, owner: OwnerId, reports: &[&Report], taken: Taken, pieces: &mut Pieces) {
        for (report, frame) in reports.iter().zip(taken.acks) {
            self.metrics().reported.inc_by(report.rows());
            if let Some(ToDaemon::Ack { run, n }) = &frame {
                pieces.reached(*run, *n);
            }
            // A connection that is gone asks again when it is back.
            if let Some(frame) = frame {
                self.failpoints().at(step_after(&report.what)).await;
                let _ = report.out.send(frame).await;
            }
        }
        if taken.place {
            self.place_soon(owner);
        }
    }
}

/// The step between a report's commit and its acknowledgement.
fn step_after(what: &Ready) -> &'static str {
    match what {
        Ready::Entries { .. } => "entries.taken",
        Ready::Acknowledged { .. } | Ready::Finished { .. } => "result.taken",
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
