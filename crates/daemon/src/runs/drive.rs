//! One run, from its beginning, or from wherever an earlier daemon left it, to its end.

use super::{Order, Orders, Outcome, Progress, Run};
use crate::{DaemonError, error::told, host, journal::Durable, workshop::Workshop};
use futures::future::BoxFuture;
use makima_model::{MessageId, QuestionId, Record, RunEnd, RunOutcome};
use makima_wire::frame::StartRun;
use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    sync::Arc,
};
use tokio::sync::{oneshot, watch};

pub(super) type Asked = oneshot::Sender<Outcome>;

/// Who does it all.
pub(super) struct Driver {
    pub(super) board: Board,
    pub(super) run: Arc<StartRun>,
    pub(super) folder: PathBuf,
    pub(super) orders: Orders,
    /// Orders that came before there was a host to carry them out.
    pub(super) early: VecDeque<(Order, Asked)>,
    /// Who waits for a word of the host.
    pub(super) inputs: BTreeMap<MessageId, Vec<Asked>>,
    pub(super) answers: BTreeMap<QuestionId, Vec<Asked>>,
    pub(super) stops: Vec<Asked>,
    /// Turns that have ended and wait for their checkpoint; that of the first is being made.
    pub(super) turns: VecDeque<u32>,
    pub(super) keeping: Option<BoxFuture<'static, Vec<Record>>>,
}

/// Where a run shows how far it has come.
#[derive(Clone)]
pub(super) struct Board {
    pub(super) workshop: Arc<Workshop>,
    progress: watch::Sender<Progress>,
}

impl Board {
    /// Lets the journal be told up to here.
    pub(super) fn show(&self, durable: Durable, has_ended: bool) {
        self.progress.send_replace(Progress { durable, has_ended });
        self.workshop.news.notify_one();
    }

    fn progress(&self) -> Progress {
        *self.progress.borrow()
    }
}

impl Driver {
    pub(super) fn new(workshop: Arc<Workshop>, run: &Arc<Run>, orders: Orders) -> Self {
        Self {
            board: Board { workshop, progress: run.progress.clone() },
            run: Arc::clone(&run.spec),
            folder: run.folder.clone(),
            orders,
            early: VecDeque::new(),
            inputs: BTreeMap::new(),
            answers: BTreeMap::new(),
            stops: Vec::new(),
            turns: VecDeque::new(),
            keeping: None,
        }
    }

    /// Sees the run through.
    pub(super) async fn drive(mut self) {
        if !self.board.progress().has_ended {
            let end = self.work().await;
            self.finish(end).await;
        }
        let last = self.board.progress().durable.n;
        for asked in self.stops.drain(..) {
            let _ = asked.send(Outcome { after: Some((self.run.run, last)), ..Outcome::done() });
        }
        for asked in std::mem::take(&mut self.inputs)
            .into_values()
            .chain(std::mem::take(&mut self.answers).into_values())
        {
            asked.into_iter().for_each(|asked| drop(asked.send(Outcome::not_running())));
        }
        let mut early = std::mem::take(&mut self.early);
        while let Some((order, asked)) = match early.pop_front() {
            Some(early) => Some(early),
            None => self.orders.recv().await,
        } {
            let _ = asked.send(match order {
                Order::Stop(_) => Outcome { after: Some((self.run.run, last)), ..Outcome::done() },
                Order::Input(_) | Order::Answer(..) => Outcome::not_running(),
            });
        }
    }

    /// Has the agent work until nothing of it is left. Answers how the run ended, if that isn't the host's to say.
    async fn work(&mut self) -> Option<RunEnd> {
        match host::started_in(&self.folder) {
            // A host that an earlier daemon started, dead or alive.
            Ok(Some(process)) => self.attend(process).await,
            Ok(None) => match self.begin().await {
                Ok(process) => self.attend(process).await,
                Err(end) => return Some(end),
            },
            Err(error) => return Some(failed(&error)),
        }
        None
    }
}

/// How a run ends that this machine could not do.
pub(super) fn failed(error: &DaemonError) -> RunEnd {
    RunEnd { outcome: RunOutcome::Failed, reason: Some(told(error)), failure: None }
}
