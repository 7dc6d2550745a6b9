//! Commands of the server: each is durable before it is acknowledged, carried out once however often it comes, and what came of
//! it is kept until the server has it.

mod bundle;
mod checkpoint;
mod purge;
mod repository;

use crate::{
    DaemonError, disk,
    error::told,
    runs::{Order, Outcome, Runs},
    workshop::Workshop,
};
use bundle::send_bundle;
use checkpoint::{make_checkpoint, move_checkpoint};
use futures::{FutureExt, future::BoxFuture};
use makima_model::{CommandId, RunId};
use makima_wire::{
    Code,
    frame::{Command, CommandOutcome, CommandResult},
};
use purge::purge_task;
use repository::check_repository;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::ready,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::task::JoinSet;

/// A command as it is kept.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CommandFile {
    pub(crate) command: Command,
    pub(crate) outcome: Option<CommandOutcome>,
    after: Option<(RunId, u64)>,
}

/// How many commands are remembered whose end the server has: more than can be on their way.
const SETTLED: usize = 4096;

/// The commands that the server doesn't know the end of.
pub(crate) struct Commands {
    workshop: Arc<Workshop>,
    runs: Arc<Runs>,
    /// What came of each; `None`: it is being carried out.
    known: Mutex<BTreeMap<CommandId, Option<Outcome>>>,
    /// Those of them that the disk did not take, or need not.
    unkept: Mutex<BTreeSet<CommandId>>,
    /// Those that were settled last. What was sent before it was settled may be taken up only then: it is no new one.
    settled: Mutex<BTreeSet<CommandId>>,
    working: Mutex<JoinSet<()>>,
}

/// What is yet to come of a command; `None` where this daemon goes before it does.
type Coming = BoxFuture<'static, Option<Outcome>>;

/// Whether a command asks for something, and changes nothing that the daemon has: it need not outlive the daemon, since it comes
/// again to the next one.
pub(crate) fn only_asks(command: &Command) -> bool {
    match command {
        Command::Bundle(_)
        | Command::CheckFiles { .. }
        | Command::CheckRepository { .. }
        | Command::Diff(_) => true,
        Command::StartRun(_)
        | Command::Input { .. }
        | Command::Answer { .. }
        | Command::Stop { .. }
        | Command::Checkpoint { .. }
        | Command::PutCheckpointAway { .. }
        | Command::BringCheckpointBack { .. }
        | Command::PurgeTask { .. } => false,
    }
}

impl Commands {
    /// Goes on with what the data folder has.
    pub(crate) async fn resume(workshop: &Arc<Workshop>, runs: &Arc<Runs>) -> Result<Arc<Self>, DaemonError> {
        let commands = Arc::new(Self {
            workshop: Arc::clone(workshop),
            runs: Arc::clone(runs),
            known: Mutex::default(),
            unkept: Mutex::default(),
            settled: Mutex::default(),
            working: Mutex::default(),
        });
        for id in workshop.folders.commands()? {
            let file = match disk::read_json(&workshop.folders.command(id)) {
                Ok(file) => file,
                Err(error) => {
                    tracing::error!(command = %id, error = told(&error), "left alone");
                    continue;
                }
            };
            let Some(CommandFile { command, outcome, after }) = file else { continue };
            match outcome {
                Some(outcome) => {
                    commands.known().insert(id, Some(Outcome { outcome, after }));
                }
                None => {
                    // Then it was not acknowledged, and comes again.
                    if let Err(error) = commands.begin(id, command).await {
                        tracing::error!(command = %id, error = told(&error), "left for later");
                    }
                }
            }
        }
        Ok(commands)
    }

    /// Takes a command. Once this has answered it is durable, and will be carried out; `false`: it is carried out, and was
    /// [not kept](Self::take_unkept).
    pub(crate) async fn take(self: &Arc<Self>, id: CommandId, command: Command) -> Result<bool, DaemonError> {
        if only_asks(&command) {
            return self.take_unkept(id, command).await.map(|()| false);
        }
        if self.known().contains_key(&id) {
            return Ok(!self.unkept().contains(&id));
        }
        if self.was_settled(id) {
            return Ok(true);
        }
        let path = self.workshop.folders.command(id);
        let file = CommandFile { command, outcome: None, after: None };
        let file = disk::off_thread(move || disk::write_json(&path, &file).map(|()| file)).await?;
        self.workshop.config.failpoints.at("command.kept").await;
        self.begin(id, file.command).await?;
        Ok(true)
    }

    /// Carries a command out without the disk, which it needs not, or which doesn't take it. It is not acknowledged: where
    /// this daemon goes before it is done, it comes again.
    pub(crate) async fn take_unkept(
        self: &Arc<Self>,
        id: CommandId,
        command: Command,
    ) -> Result<(), DaemonError> {
        if self.known().contains_key(&id) || self.was_settled(id) {
            return Ok(());
        }
        self.unkept().insert(id);
        self.begin(id, command).await
    }

    /// What came of commands, oldest first, as far as the server doesn't know it.
    pub(crate) fn finished(&self) -> Vec<(CommandId, Outcome)> {
        self.known().iter().filter_map(|(id, outcome)| Some((*id, outcome.clone()?))).collect()
    }

    /// Forgets a command: the server has what came of it.
    pub(crate) async fn settled(&self, id: CommandId) {
        if self.known().get(&id).is_none_or(Option::is_none) {
            return;
        }
        self.remember(id);
        let path = self.workshop.folders.command(id);
        if let Err(error) = disk::off_thread(move || disk::remove(&path)).await {
            // The next daemon tells it once more, and the server settles it once more.
            tracing::warn!(command = %id, error = told(&error), "a command that is done with stays here");
        } else {
            self.runs.start_is_kept(id).await;
        }
        self.unkept().remove(&id);
        self.known().remove(&id);
    }

    fn was_settled(&self, id: CommandId) -> bool {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }

    fn remember(&self, id: CommandId) {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        settled.insert(id);
        if settled.len() > SETTLED {
            // Ids ascend: the first is the oldest.
            settled.pop_first();
        }
    }

    /// Lets go of what is being carried out; the next daemon goes on with it.
    pub(crate) async fn detach(&self) {
        let mut working = std::mem::take(&mut *self.working.lock().unwrap_or_else(PoisonError::into_inner));
        working.shutdown().await;
    }

    async fn begin(self: &Arc<Self>, id: CommandId, command: Command) -> Result<(), DaemonError> {
        let coming = self.carry_out(id, command.clone()).await?;
        self.known().insert(id, None);
        let commands = Arc::clone(self);
        let mut working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that are done are of no more use.
        while working.try_join_next().is_some() {}
        working.spawn(async move {
            let Some(outcome) = coming.await else { return };
            commands.finish(id, command, outcome).await;
        });
        Ok(())
    }

    async fn finish(&self, id: CommandId, command: Command, outcome: Outcome) {
        self.workshop.config.failpoints.at("command.done").await;
        let path = self.workshop.folders.command(id);
        let file = CommandFile { command, outcome: Some(outcome.outcome.clone()), after: outcome.after };
        // Where it is not kept it is carried out again after a restart: that is as good.
        if !self.unkept().contains(&id) {
            match disk::off_thread(move || disk::write_json(&path, &file)).await {
                Ok(()) => self.runs.start_is_kept(id).await,
                Err(error) => {
                    tracing::warn!(command = %id, error = told(&error), "what came of a command was not kept");
                }
            }
        }
        self.workshop.config.failpoints.at("command.told").await;
        self.known().insert(id, Some(outcome));
        self.workshop.news.notify_one();
    }

    /// Does at once what must keep the order of the commands; the rest is to come.
    async fn carry_out(&self, id: CommandId, command: Command) -> Result<Coming, DaemonError> {
        Ok(match command {
            Command::StartRun(run) => {
                self.runs.start(id, *run).await?;
                ready(Some(Outcome::done())).boxed()
            }
            Command::Input { run, input } => self.order(run, Order::Input(input), Outcome::not_running),
            Command::Answer { run, question, answer } => {
                self.order(run, Order::Answer(question, answer), Outcome::not_running)
            }
            Command::Stop { run, reason } => self.order(run, Order::Stop(reason), Outcome::done),
            Command::Checkpoint { task, run, id, message, last } => {
                // What was said before it has to be with the server before it.
                let after = self.runs.get(run).map(|known| (run, known.progress().durable.n));
                let wanted = crate::worktrees::ByHand { task, id, message, last };
                make_checkpoint(Arc::clone(&self.workshop), wanted, after).map(Some).boxed()
            }
            Command::PutCheckpointAway { task, checkpoint, last } => {
                move_checkpoint(Arc::clone(&self.workshop), task, checkpoint, Some(last)).map(Some).boxed()
            }
            Command::BringCheckpointBack { task, checkpoint } => {
                move_checkpoint(Arc::clone(&self.workshop), task, checkpoint, None).map(Some).boxed()
            }
            Command::PurgeTask { task } => {
                purge_task(Arc::clone(&self.workshop), Arc::clone(&self.runs), task).map(Some).boxed()
            }
            Command::Diff(wanted) => {
                let workshop = Arc::clone(&self.workshop);
                async move {
                    Some(match workshop.worktrees.diff(&wanted).await {
                        Ok(diff) => {
                            let result = CommandResult::Diff(diff);
                            Outcome { outcome: CommandOutcome::Done(result), after: None }
                        }
                        Err(error) => Outcome::refused(Code::Conflict, told(&error)),
                    })
                }
                .boxed()
            }
            Command::Bundle(wanted) => send_bundle(Arc::clone(&self.workshop), wanted).map(Some).boxed(),
            Command::CheckFiles { task, files } => {
                let workshop = Arc::clone(&self.workshop);
                async move {
                    Some(match workshop.worktrees.check_files(task, files).await {
                        Ok(()) => Outcome::done(),
                        Err(error) => Outcome::refused(Code::Unprocessable, told(&error)),
                    })
                }
                .boxed()
            }
            Command::CheckRepository { repository, base_branch } => {
                check_repository(Arc::clone(&self.workshop), repository, base_branch).map(Some).boxed()
            }
        })
    }

    fn order(&self, run: RunId, order: Order, otherwise: fn() -> Outcome) -> Coming {
        match self.runs.get(run) {
            Some(run) => run.order(order).map(Result::ok).boxed(),
            None => ready(Some(otherwise())).boxed(),
        }
    }

    fn unkept(&self) -> MutexGuard<'_, BTreeSet<CommandId>> {
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<CommandId, Option<Outcome>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
