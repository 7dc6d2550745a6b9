//! Questions to daemons: commands whose outcome is read once, by who waits for it, and forgotten then.
//!
//! Like every command one is a row first, so it reaches the daemon on whichever replica that is connected to. Where it is connected
//! to this one, what it answers is handed over as it comes, and is never written down.

use super::App;
use makima_model::{CommandId, DaemonId, DaemonStatus, OwnerId};
use makima_store::{StoreError, Tx, commands, daemons};
use makima_wire::frame::{Command, CommandOutcome};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::oneshot, time::Instant};

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

impl App {
    /// Asks a daemon something, once `tx` is committed.
    pub(crate) async fn ask(
        &self,
        tx: &mut Tx,
        owner: OwnerId,
        daemon: DaemonId,
        question: &Command,
    ) -> Result<Asked, StoreError> {
        let id = self.queue(tx, owner, daemon, None, question).await?;
        let (waiter, handed) = oneshot::channel();
        self.waiting().locked().insert(id, (owner, daemon, waiter));
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
