//! One run, from its beginning, or from wherever an earlier daemon left it, to its end.

use super::{Order, Orders, Outcome, Progress, Run};
use crate::{
    DaemonError, disk,
    error::told,
    host,
    journal::Durable,
    trouble::{DiskTrouble, Held, told_with_advice},
    workshop::Workshop,
};
use futures::future::{BoxFuture, join_all};
use makima_model::{Record, RunEnd, RunId, RunOutcome, StopReason};
use makima_wire::frame::StartRun;
use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
};

/// How long to wait for a host of which is known only that it is there.
const SETTING_UP: Duration = Duration::from_millis(20);
/// How much longer than it has reason to a host may take to stop its agent, before it is killed.
const OVERTIME: Duration = Duration::from_secs(30);

pub(super) type Asked = oneshot::Sender<Outcome>;

/// Who does it all.
pub(super) struct Driver {
    pub(super) board: Board,
    pub(super) run: Arc<StartRun>,
    pub(super) folder: PathBuf,
    pub(super) orders: Orders,
    /// Orders that aren't carried out yet, in the order in which they came.
    pub(super) pending: Vec<(Order, Asked)>,
    /// When a host that was told to stop is late.
    pub(super) late_at: Option<Instant>,
    /// Whether its disk takes nothing from it: what it holds would be lost with it.
    pub(super) is_held_up: bool,
    /// Turns that have ended and wait for their checkpoint; that of the first is being made.
    pub(super) turns: VecDeque<u32>,
    pub(super) keeping: Option<BoxFuture<'static, Vec<Record>>>,
    /// Up to where the host may read its agent.
    pub(super) room: watch::Receiver<u64>,
    /// Earlier runs of the task: it has one agent at a time.
    pub(super) earlier: Vec<Arc<Run>>,
}

/// Where a run shows how far it has come.
#[derive(Clone)]
pub(super) struct Board {
    pub(super) workshop: Arc<Workshop>,
    run: RunId,
    progress: watch::Sender<Progress>,
}

impl Board {
    /// Lets the journal be told up to here.
    pub(super) fn show(&self, durable: Durable, has_ended: bool) {
        self.progress.send_replace(Progress { durable, has_ended });
        self.workshop.room.written(self.run, durable.end, has_ended);
        self.workshop.news.notify_one();
    }

    fn progress(&self) -> Progress {
        *self.progress.borrow()
    }
}

/// Why a run's host was not started.
pub(super) enum NotBegun {
    /// There is one already: an earlier daemon went while it started it.
    Hosted,
    /// It was killed before it could be talked to.
    Killed,
    /// The run has come to its end.
    Over(RunEnd),
}

impl Driver {
    pub(super) fn new(
        workshop: Arc<Workshop>,
        run: &Arc<Run>,
        orders: Orders,
        room: watch::Receiver<u64>,
        earlier: Vec<Arc<Run>>,
    ) -> Self {
        Self {
            board: Board { run: run.spec.run, workshop, progress: run.progress.clone() },
            run: Arc::clone(&run.spec),
            folder: run.folder.clone(),
            orders,
            pending: Vec::new(),
            late_at: None,
            is_held_up: false,
            turns: VecDeque::new(),
            keeping: None,
            room,
            earlier,
        }
    }

    /// Sees the run through.
    pub(super) async fn drive(mut self) {
        if !self.board.progress().has_ended {
            let end = self.work().await;
            self.finish(end).await;
            self.board.workshop.troubles.end(Held::Run(self.run.run));
            self.board.workshop.troubles.pause(self.run.run, false);
        }
        let after = Some((self.run.run, self.board.progress().durable.n));
        let late = |order: &Order| match order {
            Order::Stop(_) => Outcome { after, ..Outcome::done() },
            Order::Input(_) | Order::Answer(..) => Outcome::not_running(),
        };
        for (order, asked) in std::mem::take(&mut self.pending) {
            let _ = asked.send(late(&order));
        }
        while let Some((order, asked)) = self.orders.recv().await {
            let _ = asked.send(late(&order));
        }
    }

    /// Has the agent work until nothing of it is left. Answers how the run ended, if that isn't the host's to say.
    async fn work(&mut self) -> Option<RunEnd> {
        loop {
            let folder = self.folder.clone();
            match disk::off_thread(move || host::started_in(&folder)).await {
                // A host that an earlier daemon started, dead or alive.
                Ok(Some(process)) => {
                    self.attend(process).await;
                    return None;
                }
                Ok(None) => {}
                Err(error) => return Some(failed(&error)),
            }
            match self.begin().await {
                Ok(process) => {
                    let _warming = self.warm();
                    self.attend(process).await;
                    return None;
                }
                Err(NotBegun::Over(end)) => return Some(end),
                Err(NotBegun::Killed) => return None,
                Err(NotBegun::Hosted) => tokio::time::sleep(SETTING_UP).await,
            }
        }
    }

    /// Has the worktree made ready for its first checkpoint, until the answer is dropped. The agent is not kept waiting.
    fn warm(&self) -> JoinSet<()> {
        let (workshop, task) = (Arc::clone(&self.board.workshop), self.run.task);
        let mut warming = JoinSet::new();
        warming.spawn(async move {
            if let Err(error) = workshop.worktrees.warm(task).await {
                tracing::debug!(%task, error = told(&error), "the first checkpoint will take longer");
            }
        });
        warming
    }

    /// Takes an order on.
    pub(super) fn accept(&mut self, order: Order, asked: Asked) {
        if let Order::Stop(_) = order {
            let late_at = self.late_from_now();
            self.late_at.get_or_insert(late_at);
        }
        self.pending.push((order, asked));
    }

    /// When a host is late that is to stop its agent from now on.
    fn late_from_now(&self) -> Instant {
        let patience = self.board.workshop.config.patience;
        Instant::now() + patience.interrupt + 2 * patience.stop + OVERTIME
    }

    /// When it is to be killed, if it still is there then.
    pub(super) fn killed_at(&self) -> Option<Instant> {
        self.late_at.filter(|_| !self.is_held_up)
    }

    /// The host says whether its disk is in the way.
    pub(super) fn hold_up(&mut self, why: Option<String>) {
        let held = Held::Run(self.run.run);
        let was_held_up = std::mem::replace(&mut self.is_held_up, why.is_some());
        match why {
            Some(why) => self.board.workshop.troubles.begin(held, why),
            None => self.board.workshop.troubles.end(held),
        }
        if was_held_up && !self.is_held_up {
            // It has had no time of its own until now.
            self.late_at = self.late_at.map(|_| self.late_from_now());
        }
    }

    /// Tells everybody who asked for something what came of it.
    pub(super) fn settle(&mut self, is_it: impl Fn(&Order) -> bool, outcome: &Outcome) {
        for (_, asked) in self.pending.extract_if(.., |(order, _)| is_it(order)) {
            let _ = asked.send(outcome.clone());
        }
    }
}

/// Stops earlier runs of the task, and waits until none of them works in its worktree any more.
pub(super) async fn replace(earlier: &[Arc<Run>]) {
    let ends = earlier.iter().map(|run| {
        if !run.progress().has_ended {
            drop(run.order(Order::Stop(StopReason::Replaced)));
        }
        run.ended()
    });
    join_all(ends).await;
}

/// How a run ends that this machine could not do. Where only a disk was in the way, it is worth another try.
pub(super) fn failed(error: &DaemonError) -> RunEnd {
    let outcome = match DiskTrouble::of(error) {
        Some(_) => RunOutcome::Interrupted,
        None => RunOutcome::Failed,
    };
    RunEnd { outcome, reason: Some(told_with_advice(error)), failure: None }
}
