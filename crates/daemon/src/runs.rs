//! The runs of this daemon: from the command that starts one to the acknowledgement of its last entry.

mod attend;
mod drive;
mod finish;
mod launch;
mod pen;
mod prepare;

use crate::{
    DaemonError, disk,
    error::told,
    folders::GONE,
    journal::{self, Durable, Journal, SEGMENT},
    workshop::Workshop,
};
use drive::Driver;
use makima_model::{Answer, CommandId, QuestionId, RunId, StopReason, TaskId};
use makima_wire::{
    Code,
    frame::{CommandOutcome, CommandResult, Input, Refusal, StartRun},
};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

pub(crate) const SPEC: &str = "spec.json";

/// How far a run's journal can be told to the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) durable: Durable,
    /// Whether nothing follows.
    pub(crate) has_ended: bool,
}

/// What came of an order, and the entry that the server has to be sent before it is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) outcome: CommandOutcome,
    pub(crate) after: Option<(RunId, u64)>,
}

impl Outcome {
    pub(crate) fn done() -> Self {
        Self { outcome: CommandOutcome::Done(CommandResult::Done), after: None }
    }

    pub(crate) fn refused(code: Code, message: impl Into<String>) -> Self {
        let refusal = Refusal { code, message: message.into() };
        Self { outcome: CommandOutcome::Refused(refusal), after: None }
    }

    pub(crate) fn not_running() -> Self {
        Self::refused(Code::NotRunning, "the run has ended, or takes no more")
    }
}

/// Something that is to be done with a run.
#[derive(Debug)]
pub(crate) enum Order {
    /// Say this to the agent.
    Input(Input),
    /// Give this answer to a question.
    Answer(QuestionId, Answer),
    /// End it in good order.
    Stop(StopReason),
}

type Orders = mpsc::UnboundedReceiver<(Order, oneshot::Sender<Outcome>)>;

/// A run that the server does not know the end of.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) spec: Arc<StartRun>,
    pub(crate) folder: PathBuf,
    orders: mpsc::UnboundedSender<(Order, oneshot::Sender<Outcome>)>,
    progress: watch::Sender<Progress>,
    /// Up to where what the server has was let go of, at the least.
    released: Mutex<u64>,
    leave: Mutex<Leave>,
}

/// When a run's folder may go.
#[derive(Debug, Default)]
struct Leave {
    /// The command that the run began with, while what came of it is not kept: without the folder, the next daemon would
    /// take the run for one that has yet to begin.
    start: Option<CommandId>,
    /// Whether the server has all of the run.
    is_told: bool,
}

impl Run {
    /// How far its journal can be told.
    pub(crate) fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Orders something; orders are carried out one after the other. What comes of it comes when it does.
    pub(crate) fn order(&self, order: Order) -> oneshot::Receiver<Outcome> {
        let (done, outcome) = oneshot::channel();
        let _ = self.orders.send((order, done));
        outcome
    }

    /// Whether it is of the same task, and this one takes its place.
    fn is_before(&self, later: &Self) -> bool {
        self.spec.task == later.spec.task && self.spec.run_number < later.spec.run_number
    }

    /// Whether so much is with the server, up to `end`, that something can be let go of.
    fn can_release(&self, end: u64) -> bool {
        let mut released = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        let is_enough = end.saturating_sub(*released) >= SEGMENT;
        if is_enough {
            *released = end;
        }
        is_enough
    }

    fn leave(&self) -> MutexGuard<'_, Leave> {
        self.leave.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&self) {
        let _ = self.progress.subscribe().wait_for(|progress| progress.has_ended).await;
    }
}

type Known = BTreeMap<RunId, (Arc<Run>, JoinHandle<()>)>;

/// All of them.
pub(crate) struct Runs {
    workshop: Arc<Workshop>,
    runs: Mutex<Known>,
    count: watch::Sender<usize>,
}

impl Runs {
    /// Goes on with every run that the data folder has.
    pub(crate) async fn resume(workshop: &Arc<Workshop>) -> Result<Self, DaemonError> {
        let runs =
            Self { workshop: Arc::clone(workshop), runs: Mutex::default(), count: watch::channel(0).0 };
        workshop.folders.sweep_runs()?;
        for id in workshop.folders.runs()? {
            let folder = workshop.folders.run(id);
            match disk::read_json::<StartRun>(&folder.join(SPEC)) {
                Ok(Some(spec)) => runs.drive(spec, folder, None).await?,
                // The command that it began with was never acknowledged: it will come again.
                Ok(None) => erase(&folder)?,
                // One folder that can't be read doesn't keep the others from going on.
                Err(error) => tracing::error!(run = %id, error = told(&error), "left alone"),
            }
        }
        Ok(runs)
    }

    /// Takes a run on. Once this has answered, nothing but the end of the run ends it; `command` is the one that it began
    /// with, until [what came of that is kept](Self::start_is_kept).
    pub(crate) async fn start(&self, command: CommandId, spec: StartRun) -> Result<(), DaemonError> {
        if let Some(run) = self.get(spec.run) {
            run.leave().start = Some(command);
            return Ok(());
        }
        let folder = self.workshop.folders.run(spec.run);
        let (written, at) = (spec.clone(), folder.clone());
        disk::off_thread(move || {
            disk::make_folder(&at)?;
            disk::write_json(&at.join(SPEC), &written)?;
            at.parent().map_or(Ok(()), disk::sync_folder)
        })
        .await?;
        self.workshop.config.failpoints.at("run.accepted").await;
        self.drive(spec, folder, Some(command)).await
    }

    async fn drive(
        &self,
        spec: StartRun,
        folder: PathBuf,
        start: Option<CommandId>,
    ) -> Result<(), DaemonError> {
        let at = folder.clone();
        let (standing, begins) = disk::off_thread(move || Journal::standing(&at)).await?;
        let progress = Progress { durable: standing.durable, has_ended: standing.has_ended };
        let (orders, received) = mpsc::unbounded_channel();
        let id = spec.run;
        let room = self.workshop.room.take_in(id, begins, standing.durable.end, standing.has_ended);
        let run = Arc::new(Run {
            spec: Arc::new(spec),
            folder,
            orders,
            progress: watch::channel(progress).0,
            released: Mutex::new(begins),
            leave: Mutex::new(Leave { start, is_told: false }),
        });
        let mut runs = self.locked();
        let earlier = runs.values().map(|(run, _)| run);
        let earlier = earlier.filter(|earlier| earlier.is_before(&run)).map(Arc::clone).collect();
        let driver = Driver::new(Arc::clone(&self.workshop), &run, received, room, earlier);
        let task = tokio::spawn(driver.drive());
        runs.insert(id, (run, task));
        drop(runs);
        self.count.send_modify(|count| *count += 1);
        self.workshop.news.notify_one();
        Ok(())
    }

    /// The run, if the server doesn't know its end.
    pub(crate) fn get(&self, run: RunId) -> Option<Arc<Run>> {
        self.locked().get(&run).map(|(run, _)| Arc::clone(run))
    }

    /// All of them, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Run>> {
        self.locked().values().map(|(run, _)| Arc::clone(run)).collect()
    }

    /// Takes note that the server has all entries up to `n`, which ends at `end` in the journal where that is known. A run
    /// whose end it has is forgotten.
    pub(crate) async fn acknowledged(&self, run: RunId, n: u64, end: Option<u64>) {
        // Whoever speaks to the server may have waited for room.
        self.workshop.news.notify_one();
        let Some(known) = self.get(run) else { return };
        let progress = known.progress();
        let folder = known.folder.clone();
        let is_all = n >= progress.durable.n;
        if !progress.has_ended || !is_all {
            let end = if is_all { Some(progress.durable.end) } else { end };
            if let Some(end) = end {
                self.workshop.room.acknowledged(run, end);
                if known.can_release(end)
                    && let Err(error) = disk::off_thread(move || journal::release(&folder, n)).await
                {
                    // It goes with the next that the server has.
                    tracing::warn!(%run, error = told(&error), "what the server has of a run stays here");
                }
            }
            return;
        }
        known.leave().is_told = true;
        self.let_go(&known).await;
    }

    /// Takes note that the disk has what came of a command, or no longer has the command.
    pub(crate) async fn start_is_kept(&self, command: CommandId) {
        let begun = self.all().into_iter().find(|run| run.leave().start == Some(command));
        if let Some(run) = begun {
            run.leave().start = None;
            self.let_go(&run).await;
        }
    }

    /// Forgets a run that nobody asks for any more.
    async fn let_go(&self, known: &Run) {
        let run = known.spec.run;
        let may_leave = {
            let leave = known.leave();
            leave.is_told && leave.start.is_none()
        };
        if may_leave && self.locked().remove(&run).is_some() {
            self.workshop.room.forget(run);
            let folder = known.folder.clone();
            // What can't be removed now is told again by the next daemon, and removed then.
            if let Err(error) = disk::off_thread(move || erase(&folder)).await {
                tracing::warn!(%run, error = told(&error), "what is left of a run stays here");
            }
            self.count.send_modify(|count| *count = count.saturating_sub(1));
        }
    }

    /// Stops what still works on a task, and waits until nothing does here. Answers its runs, which are no longer looked after.
    pub(crate) async fn end_of_task(&self, task: TaskId) -> Vec<Arc<Run>> {
        let of_task: Vec<Arc<Run>> = self.all().into_iter().filter(|run| run.spec.task == task).collect();
        for run in &of_task {
            if !run.progress().has_ended {
                drop(run.order(Order::Stop(StopReason::Replaced)));
            }
            run.ended().await;
        }
        of_task
    }

    /// Forgets runs that have ended, whether the server has their end or not.
    pub(crate) async fn forget(&self, ended: &[Arc<Run>]) -> Result<(), DaemonError> {
        for run in ended {
            let Some((_, driver)) = self.locked().remove(&run.spec.run) else { continue };
            driver.abort();
            let _ = driver.await;
            let (folder, start) = (run.folder.clone(), run.leave().start);
            let command = start.map(|command| self.workshop.folders.command(command));
            disk::off_thread(move || {
                command.map_or(Ok(()), |command| disk::remove(&command))?;
                erase(&folder)
            })
            .await?;
            self.count.send_modify(|count| *count = count.saturating_sub(1));
        }
        Ok(())
    }

    /// Stops all agents in good order, and waits until they have ended.
    pub(crate) async fn stop(&self, reason: StopReason) {
        let all = self.all();
        all.iter()
            .filter(|run| !run.progress().has_ended)
            .for_each(|run| drop(run.order(Order::Stop(reason))));
        for run in all {
            run.ended().await;
        }
    }

    /// Waits until the server has the end of every run.
    pub(crate) async fn all_acknowledged(&self) {
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Lets go of all runs, and waits until nothing works on them here; their hosts go on.
    pub(crate) async fn detach(&self) {
        let runs = std::mem::take(&mut *self.locked());
        for (_, task) in runs.into_values() {
            task.abort();
            let _ = task.await;
        }
    }

    /// Lets go of all runs.
    pub(crate) fn abort(&self) {
        self.locked().values().for_each(|(_, task)| task.abort());
    }

    fn locked(&self) -> MutexGuard<'_, Known> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes a run's folder. It is renamed first: half a folder would be taken for a run that has yet to start.
fn erase(folder: &Path) -> Result<(), DaemonError> {
    let gone = folder.with_extension(GONE);
    let erased = fs::rename(folder, &gone).and_then(|()| fs::remove_dir_all(&gone));
    match erased {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(DaemonError::write(folder, source)),
        _ => Ok(()),
    }
}
