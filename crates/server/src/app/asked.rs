//! Questions to daemons: commands whose outcome is read once, by who waits for it, and forgotten then.
//!
//! A daemon that is connected to this replica is asked over its connection, and nothing of it is written down. Any other is asked by
//! a row, as by every command, which reaches it on whichever replica it is connected to; so is one that must be asked at the same
//! moment as something is written.

use super::App;
use makima_model::{CommandId, DaemonId, DaemonStatus, OwnerId};
use makima_store::{StoreError, Tx, commands, daemons};
use makima_wire::frame::{Command, CommandOutcome, ToDaemon};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

type Waiter = (OwnerId, DaemonId, oneshot::Sender<CommandOutcome>);

/// Who waits here for what comes of which command.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<HashMap<CommandId, Waiter>>);

impl Waiting {
    /// Hands over what a daemon says of a command; back where nobody waits for it here.
    pub(crate) fn hand(
        &self,
        (owner, daemon): (OwnerId, DaemonId),
        command: CommandId,
        outcome: CommandOutcome,
    ) -> Result<(), CommandOutcome> {
        let mut waiting = self.locked();
        match waiting.remove(&command) {
            Some((of, asked, waiter)) if (of, asked) == (owner, daemon) => waiter.send(outcome),
            Some(anothers) => {
                waiting.insert(command, anothers);
                Err(outcome)
            }
            None => Err(outcome),
        }
    }

    /// From now on this one waits for it.
    fn wait(&self, owner: OwnerId, daemon: DaemonId, id: CommandId) -> oneshot::Receiver<CommandOutcome> {
        let (waiter, handed) = oneshot::channel();
        self.locked().insert(id, (owner, daemon, waiter));
        handed
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<CommandId, Waiter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question that was asked. Dropped, it is forgotten: nobody waits for what comes of it any more.
pub(crate) struct Asked {
    app: App,
    owner: OwnerId,
    daemon: DaemonId,
    id: CommandId,
    handed: oneshot::Receiver<CommandOutcome>,
}

/// Nobody waits for it any more when this is dropped.
struct NoLonger<'a>(&'a Waiting, CommandId);

impl Drop for NoLonger<'_> {
    fn drop(&mut self) {
        self.0.locked().remove(&self.1);
    }
}

impl App {
    /// What a daemon answers to a question, at most until `until`. `None`: nothing yet.
    pub(crate) async fn answer(
        &self,
        owner: OwnerId,
        daemon: DaemonId,
        question: &Command,
        until: Instant,
    ) -> Result<Option<CommandOutcome>, StoreError> {
        if let Some(outcome) = self.answer_from_here(owner, daemon, question, until).await? {
            return Ok(Some(outcome));
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        let mut tx = self.db().begin().await?;
        let mut asked = self.ask(&mut tx, owner, daemon, question).await?;
        tx.commit().await?;
        asked.outcome(until).await
    }

    /// The same by its connection to this replica, as long as it has one and it is its newest: an older one may be dead without
    /// knowing it.
    async fn answer_from_here(
        &self,
        owner: OwnerId,
        daemon: DaemonId,
        question: &Command,
        until: Instant,
    ) -> Result<Option<CommandOutcome>, StoreError> {
        let Some(voice) = self.connections().of(owner, daemon) else { return Ok(None) };
        if !daemons::is_newest(&mut self.db().read().await?, owner, daemon, voice.number).await? {
            return Ok(None);
        }
        let id: CommandId = self.clock().new_id();
        let handed = self.waiting().wait(owner, daemon, id);
        let _until_then = NoLonger(self.waiting(), id);
        if voice.say(ToDaemon::Command { id, command: question.clone() }).await.is_none() {
            return Ok(None);
        }
        Ok(tokio::select! {
            outcome = handed => outcome.ok(),
            () = voice.lost.cancelled() => None,
            () = sleep_until(until) => None,
        })
    }

    /// Asks a daemon something, once `tx` is committed.
    pub(crate) async fn ask(
        &self,
        tx: &mut Tx,
        owner: OwnerId,
        daemon: DaemonId,
        question: &Command,
    ) -> Result<Asked, StoreError> {
        let id = self.queue(tx, owner, daemon, None, question).await?;
        let handed = self.waiting().wait(owner, daemon, id);
        Ok(Asked { app: self.clone(), owner, daemon, id, handed })
    }
}

impl Asked {
    /// What came of it, at most until `until`. `None`: nothing yet.
    pub(crate) async fn outcome(&mut self, until: Instant) -> Result<Option<CommandOutcome>, StoreError> {
        tokio::select! {
            Ok(outcome) = &mut self.handed => Ok(Some(outcome)),
            outcome = self.app.finished(self.owner, self.id, until) => outcome,
        }
    }

    /// Whether there is hope: the daemon is there, and what it was asked about was not erased.
    pub(crate) async fn may_be_answered(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        let daemon = daemons::get(tx, self.owner, self.daemon).await?;
        let is_there = daemon.is_some_and(|daemon| daemon.status == DaemonStatus::Online);
        Ok(is_there && commands::get(tx, self.owner, self.id).await?.is_some())
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let (app, owner, id) = (self.app.clone(), self.owner, self.id);
        app.waiting().locked().remove(&id);
        tokio::spawn(async move {
            if let Err(error) = forget(&app, owner, id).await {
                let error = crate::error::chain(Some(&error));
                tracing::warn!(command = %id, "a command that nobody waits for stays: {error}");
            }
        });
    }
}

async fn forget(app: &App, owner: OwnerId, id: CommandId) -> Result<(), StoreError> {
    let mut tx = app.db().begin().await?;
    commands::forget(&mut tx, owner, id).await?;
    tx.commit().await
}
