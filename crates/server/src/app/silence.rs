//! Daemons that are no longer heard of, and those that come back. A server that could not write what it heard judges nobody.

use super::{App, TaskChange, tasks::phase_of};
use crate::ingest::IngestError;
use makima_model::{DaemonId, OwnerId, RunId, RunOutcome, TaskStatus};
use makima_store::{Run, StoreError, Tx, commands, daemons, inbox, questions, runs, tasks};
use makima_wire::frame::{Command, Input};
use std::{collections::HashSet, time::Duration};
use tokio::time::Instant;

/// Why a run was given up that may still live: only such a run is taken up again when its daemon returns.
pub(crate) const SILENT: &str =
    "its daemon is no longer heard of; it goes on by itself if the daemon comes back";

/// How often silence is looked for.
const LOOK: Duration = Duration::from_secs(2);
/// How often requests are looked for that are older than they are kept.
const FORGET: Duration = Duration::from_secs(60);

impl App {
    /// Marks daemons offline whose heart no longer beats, and interrupts their runs, for as long as the server lives.
    pub(crate) async fn watch_silence(self) {
        let (started, mut forgot) = (Instant::now(), Instant::now());
        let app = self.downgrade();
        let settings = self.settings();
        drop(self);
        loop {
            tokio::time::sleep(LOOK.min(settings.silence / 2)).await;
            let Some(app) = app.upgrade() else { return };
            app.limits().forget();
            if forgot.elapsed() >= FORGET {
                forgot = Instant::now();
                if let Err(error) = app.forget_requests().await {
                    tracing::warn!(
                        "old requests could not be forgotten: {}",
                        crate::error::chain(Some(&error))
                    );
                }
            }
            if started.elapsed() < settings.grace || app.was_hindered_within(settings.grace) {
                continue;
            }
            if let Err(error) = app.mark_silent().await {
                tracing::warn!(
                    "silent daemons could not be looked for: {}",
                    crate::error::chain(Some(&error))
                );
            }
        }
    }

    async fn mark_silent(&self) -> Result<(), StoreError> {
        let mut tx = self.db().read().await?;
        let silent = daemons::silent(&mut tx, self.settings().silence).await?;
        drop(tx);
        for daemon in silent {
            let mut tx = self.db().begin().await?;
            // Asked again within the transaction: its heart may have beaten meanwhile.
            let still = daemons::silent(&mut tx, self.settings().silence).await?;
            if !still.iter().any(|still| still.id == daemon.id) {
                continue;
            }
            daemons::set_offline(&mut tx, daemon.owner, daemon.id).await?;
            tracing::warn!(daemon = %daemon.id, name = daemon.name, "daemon is no longer heard of");
            for run in runs::live_of_daemon(&mut tx, daemon.owner, daemon.id).await? {
                self.give_up(&mut tx, &run, SILENT).await?;
            }
            tx.commit().await?;
            self.place_soon(daemon.owner);
        }
        Ok(())
    }

    /// Ends a run that cannot be asked.
    async fn give_up(&self, tx: &mut Tx, run: &Run, reason: &str) -> Result<(), StoreError> {
        let now = self.clock().now();
        if !runs::end(tx, run.owner, run.id, RunOutcome::Interrupted, Some(reason), now).await? {
            return Ok(());
        }
        questions::withdraw_of_run(tx, run.owner, run.id, now).await?;
        if let Some(mut task) = tasks::get(tx, run.owner, run.task).await?
            && task.run_number == run.number
        {
            let phase = phase_of(tx, &task).await?;
            let change =
                TaskChange { clock: self.clock(), at: self.clock().now(), run_number: run.number, phase };
            change.become_status(tx, &mut task, TaskStatus::Interrupted, Some(reason.to_owned())).await?;
            self.advance_on(tx, run.owner, task.id, task.contract).await?;
        }
        Ok(())
    }

    /// After a hello: runs that were given up for silence and live go on; runs that the server takes for live and of which
    /// the daemon knows nothing are over.
    pub(super) async fn settle_runs(
        &self,
        owner: OwnerId,
        daemon: DaemonId,
        told: &[RunId],
    ) -> Result<(), IngestError> {
        let mut tx = self.db().begin().await?;
        for id in told {
            let Some(run) = runs::get(&mut tx, owner, *id).await? else { continue };
            self.take_up_again(&mut tx, &run).await?;
        }
        let told: HashSet<RunId> = told.iter().copied().collect();
        for run in runs::live_of_daemon(&mut tx, owner, daemon).await? {
            // A start that the daemon has not acknowledged will be sent again.
            let open = commands::unfinished_of_run(&mut tx, owner, run.id).await?;
            if !told.contains(&run.id) && open.is_empty() {
                self.give_up(&mut tx, &run, "its daemon no longer knows of it").await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Takes a run up again that was ended only because its daemon was silent, if no newer one has taken its place.
    pub(crate) async fn take_up_again(&self, tx: &mut Tx, run: &Run) -> Result<bool, StoreError> {
        if run.reason.as_deref() != Some(SILENT) || run.ended_at.is_none() {
            return Ok(false);
        }
        let Some(mut task) = tasks::get(tx, run.owner, run.task).await? else { return Ok(false) };
        // A conversation that was moved goes on without it, and a task in the trash isn't there.
        if task.run_number != run.number
            || task.conversation != run.branch
            || !matches!(task.status, TaskStatus::Interrupted | TaskStatus::Pending)
        {
            return Ok(false);
        }
        runs::revive(tx, run.owner, run.id).await?;
        let phase = phase_of(tx, &task).await?;
        let change =
            TaskChange { clock: self.clock(), at: self.clock().now(), run_number: run.number, phase };
        // Somebody wanted it to go on meanwhile: it does, and what was said to it is handed to the run that lives.
        if task.status == TaskStatus::Pending {
            change.become_status(tx, &mut task, TaskStatus::Starting, None).await?;
            for message in inbox::undelivered(tx, run.owner, run.task).await? {
                let input = Input { id: message.id, content: message.content };
                self.queue(tx, run.owner, run.daemon, Some(run.id), &Command::Input { run: run.id, input })
                    .await?;
            }
        }
        change.become_status(tx, &mut task, TaskStatus::Running, None).await
    }
}
