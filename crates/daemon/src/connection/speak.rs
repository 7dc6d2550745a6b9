//! What the server is told: that the daemon is there, what came of commands, the entries of runs, and live pieces.

use super::{
    Ending, Session,
    batch::{Batch, Frame, Reading},
    uploads::Uploads,
    window::Window,
};
use crate::{
    DaemonError,
    commands::Commands,
    connection::heart::Heart,
    disk,
    runs::{Outcome, Run, Runs},
    socket::Piece,
    workshop::Workshop,
};
use makima_agents::DeltaKind;
use makima_client::daemon::FrameSender;
use makima_model::{BlobRef, CommandId, RunId};
use makima_wire::frame::{CommandOutcome, CommandResult, FromDaemon, KnownRun};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Live pieces that are sent between two looks at what has to arrive.
const DELTAS: usize = 64;

pub(super) struct Speaker<'a> {
    workshop: &'a Arc<Workshop>,
    runs: &'a Runs,
    commands: &'a Commands,
    session: &'a Session,
    /// Runs that the server was told of in the hello, and those of them that it knows.
    told: BTreeSet<RunId>,
    known: BTreeMap<RunId, KnownRun>,
    readings: BTreeMap<RunId, Reading>,
    /// The last entry of each run that was sent on this connection, or acknowledged before.
    sent: BTreeMap<RunId, u64>,
    /// Commands of which it was told what came of them.
    answered: BTreeSet<CommandId>,
    uploads: Uploads,
}

impl<'a> Speaker<'a> {
    pub(super) fn new(
        workshop: &'a Arc<Workshop>,
        runs: &'a Runs,
        commands: &'a Commands,
        session: &'a Session,
        told: Vec<RunId>,
        known: BTreeMap<RunId, KnownRun>,
    ) -> Self {
        Self {
            workshop,
            runs,
            commands,
            session,
            told: told.into_iter().collect(),
            known,
            readings: BTreeMap::new(),
            sent: BTreeMap::new(),
            answered: BTreeSet::new(),
            uploads: Uploads::new(workshop),
        }
    }

    /// Speaks until the connection ends.
    pub(super) async fn speak(
        &mut self,
        sender: &mut FrameSender,
        mut frames: mpsc::UnboundedReceiver<FromDaemon>,
        deltas: &mut mpsc::Receiver<(RunId, Piece)>,
        heartbeat: Duration,
    ) -> Ending {
        // What was said while nobody listened is old.
        while deltas.try_recv().is_ok() {}
        let heartbeat = heartbeat.min(Duration::from_secs(self.workshop.config.heartbeat_seconds.max(1)));
        let mut heart =
            Heart { workshop: Arc::clone(self.workshop), every: heartbeat, last: Instant::now(), told: None };
        self.forget_acknowledged().await;
        loop {
            match self.round(sender, &mut frames, deltas, &mut heart).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(ending) => return ending,
            }
            let sent = tokio::select! {
                () = self.workshop.news.notified() => Ok(()),
                () = self.uploads.next() => Ok(()),
                () = heart.due() => Ok(()),
                Some(frame) = frames.recv() => sender.send(&frame).await,
                Some((run, piece)) = deltas.recv() => sender.send(&live(run, piece)).await,
            };
            if let Err(error) = sent {
                return Ending::Broken(error);
            }
        }
    }

    /// Says what there is to say. `true`: there may be more at once.
    async fn round(
        &mut self,
        sender: &mut FrameSender,
        frames: &mut mpsc::UnboundedReceiver<FromDaemon>,
        deltas: &mut mpsc::Receiver<(RunId, Piece)>,
        heart: &mut Heart,
    ) -> Result<bool, Ending> {
        heart.beat(sender).await?;
        while let Ok(frame) = frames.try_recv() {
            sender.send(&frame).await.map_err(Ending::Broken)?;
        }
        for _ in 0..DELTAS {
            let Ok((run, piece)) = deltas.try_recv() else { break };
            sender.send(&live(run, piece)).await.map_err(Ending::Broken)?;
        }
        let has_sent = self.send_entries(sender, heart).await?;
        self.send_outcomes(sender).await?;
        Ok(has_sent)
    }

    /// A frame of each run that has something to tell.
    async fn send_entries(&mut self, sender: &mut FrameSender, heart: &mut Heart) -> Result<bool, Ending> {
        let runs = self.runs.all();
        let live: BTreeSet<RunId> = runs.iter().map(|run| run.spec.run).collect();
        self.readings.retain(|run, _| live.contains(run));
        let mut has_sent = false;
        for run in runs {
            let id = run.spec.run;
            if self.told.contains(&id) && !self.known.contains_key(&id) || !self.window().is_open() {
                continue;
            }
            let batch = heart.beating(sender, self.read(&run)).await?.map_err(Ending::Failed)?;
            if let Some(Frame { text, last, end }) = batch.frame {
                self.window().sent(id, (last, end), text.len() as u64);
                sender.send_text(text).await.map_err(Ending::Broken)?;
                self.sent.insert(id, last);
                has_sent = true;
            }
            if let Some(blob) = batch.upload {
                self.uploads.begin(blob);
            }
        }
        Ok(has_sent)
    }

    async fn read(&mut self, run: &Arc<Run>) -> Result<Batch, DaemonError> {
        let (id, durable) = (run.spec.run, run.progress().durable);
        let sent =
            *self.sent.entry(id).or_insert_with(|| self.known.get(&id).map_or(0, |known| known.last_entry));
        if durable.n <= sent {
            return Ok(Batch::default());
        }
        let reading = self.readings.remove(&id);
        let (folder, workshop) = (run.folder.clone(), Arc::clone(self.workshop));
        let refused = self.uploads.refused().clone();
        let read = disk::off_thread(move || {
            let mut reading = match reading {
                Some(reading) => reading,
                None => {
                    let Some(reading) = Reading::after(&folder, sent, durable)? else { return Ok(None) };
                    // All before it is with the server.
                    workshop.room.acknowledged(id, reading.end());
                    reading
                }
            };
            let batch = reading.next(id, durable, &workshop.folders, &refused)?;
            Ok(Some((reading, batch)))
        })
        .await?;
        let Some((reading, batch)) = read else {
            tracing::error!(run = %id, "the server has forgotten entries that it had acknowledged; the run is left alone");
            self.known.remove(&id);
            self.told.insert(id);
            return Ok(Batch::default());
        };
        self.readings.insert(id, reading);
        Ok(batch)
    }

    /// What came of commands, each once what has to come before it was sent.
    async fn send_outcomes(&mut self, sender: &mut FrameSender) -> Result<(), Ending> {
        for (command, Outcome { mut outcome, after }) in self.commands.finished() {
            if self.answered.contains(&command) || after.is_some_and(|(run, n)| self.is_before(run, n)) {
                continue;
            }
            if let Some(patch) = patch_of(&mut outcome) {
                if let Some(patch) = patch.as_ref()
                    && self.uploads.is_missing(patch).await
                {
                    self.uploads.begin(patch.clone());
                    continue;
                }
                if patch.as_ref().is_some_and(|patch| self.uploads.refused().contains(&patch.hash)) {
                    *patch = None;
                }
            }
            sender.send(&FromDaemon::Finished { command, outcome }).await.map_err(Ending::Broken)?;
            self.answered.insert(command);
        }
        Ok(())
    }

    /// Whether entry `n` of a run has yet to be sent.
    fn is_before(&self, run: RunId, n: u64) -> bool {
        let is_wanted = !self.told.contains(&run) || self.known.contains_key(&run);
        is_wanted && self.runs.get(run).is_some() && self.sent.get(&run).is_none_or(|sent| *sent < n)
    }

    /// Runs whose end the server had already, and only its acknowledgement was lost.
    async fn forget_acknowledged(&self) {
        for known in self.known.values() {
            self.runs.acknowledged(known.run, known.last_entry, None).await;
        }
    }

    fn window(&self) -> MutexGuard<'a, Window> {
        self.session.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn live(run: RunId, Piece { after, delta }: Piece) -> FromDaemon {
    let kind = match delta.kind {
        DeltaKind::Text => makima_wire::DeltaKind::Text,
        DeltaKind::Thinking => makima_wire::DeltaKind::Thinking,
    };
    FromDaemon::Delta { run, after, message: delta.message, kind, text: delta.text }
}

/// The patch that an outcome names.
fn patch_of(outcome: &mut CommandOutcome) -> Option<&mut Option<BlobRef>> {
    match outcome {
        CommandOutcome::Done(CommandResult::Checkpoint(made)) => Some(&mut made.made.patch),
        CommandOutcome::Done(_) | CommandOutcome::Refused(_) => None,
    }
}
