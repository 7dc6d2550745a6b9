//! What is done when nothing of a run's agent is left: the last checkpoint, the last commit, the last entry.

use super::{drive::Driver, pen::Pen};
use crate::{
    DaemonError, disk,
    host::{self, Reached},
    journal::{Durable, JournalReader, Standing},
    process,
    trouble::{Held, told_with_advice},
};
use makima_model::{Entry, Message, Record, RunEnd, RunOutcome, Timestamp};
use std::{path::Path, time::Duration};

/// How long to wait before something is tried again that has to be done.
const NEXT_TRY: Duration = Duration::from_secs(1);
/// How long to wait for a host that is about to be gone to let go of the journal.
const LETTING_GO: Duration = Duration::from_millis(20);

impl Driver {
    /// Writes the end of the run, once all is done that comes before it. `end`: how it ended, where the host doesn't say.
    pub(super) async fn finish(&mut self, end: Option<RunEnd>) {
        // What a host that was killed left behind.
        process::end_run(self.run.run, None, || {}).await;
        loop {
            match self.try_finish(end.as_ref()).await {
                Ok(()) => return,
                Err(DaemonError::JournalHeld { .. }) => tokio::time::sleep(LETTING_GO).await,
                Err(error) => {
                    let why = format!("a run can't be ended: {}", told_with_advice(&error));
                    self.board.workshop.troubles.begin(Held::Run(self.run.run), why);
                    tokio::time::sleep(NEXT_TRY).await;
                }
            }
        }
    }

    async fn try_finish(&mut self, end: Option<&RunEnd>) -> Result<(), DaemonError> {
        let (pen, standing) = Pen::take(&self.folder, &self.board.workshop.config.clock).await?;
        self.board.show(standing.durable, standing.has_ended);
        if standing.has_ended {
            return Ok(());
        }
        let told = match end {
            Some(end) => Some(end.clone()),
            None => {
                let folder = self.folder.clone();
                disk::off_thread(move || host::left_by(&folder)).await?
            }
        };
        let (cut, end) = match told {
            Some(end) => (None, end),
            None => self.lost(standing.durable).await?,
        };
        let mut records = self.rest(&standing, &end).await;
        records.extend(cut.map(|message| Record::Message { message }));
        records.push(Record::Ended(end));
        self.board.workshop.config.failpoints.at("run.over").await;
        let durable = pen.write(records).await?;
        self.board.workshop.config.failpoints.at("run.ended").await;
        self.board.show(durable, true);
        Ok(())
    }

    /// How a run ends whose host came to no end of its own, and the message that was cut off with it.
    async fn lost(&mut self, durable: Durable) -> Result<(Option<Message>, RunEnd), DaemonError> {
        let (folder, at) = (self.folder.clone(), self.board.workshop.config.clock.now());
        let (cut, reached) = disk::off_thread(move || left(&folder, durable, at)).await?;
        let reason =
            format!("the process that hosted the agent was killed, and the agent with it ({reached})");
        Ok((cut, RunEnd { outcome: RunOutcome::Interrupted, reason: Some(reason), failure: None }))
    }

    /// What is still to be done with the worktree.
    async fn rest(&mut self, standing: &Standing, end: &RunEnd) -> Vec<Record> {
        let worktrees = &self.board.workshop.worktrees;
        let mut records = Vec::new();
        for turn in standing.last_kept + 1..=standing.last_turn {
            records.extend(Box::pin(worktrees.keep_turn(&self.run, turn)).await);
        }
        if standing.is_prepared && end.outcome == RunOutcome::Completed && self.run.commit_on_finish {
            records.extend(Box::pin(worktrees.commit_rest(&self.run)).await);
        }
        records
    }
}

/// What a host that was killed left: the message that was being streamed, if it is in the journal no other way, and how far
/// the run had come.
fn left(folder: &Path, durable: Durable, at: Timestamp) -> Result<(Option<Message>, Reached), DaemonError> {
    let mut cut = host::streamed_in(folder, at)?;
    let mut reached = Reached::default();
    if let Some((mut journal, before)) = JournalReader::oldest(folder, durable)? {
        reached = Reached::after_turn(before.last_turn);
        while let Some(line) = journal.read(durable)? {
            // An entry that a newer version wrote says nothing here.
            let Ok(Entry { record, .. }) = serde_json::from_str(&line.text) else { continue };
            reached.note(&record);
            if let Record::Message { message } = &record {
                cut = cut.filter(|cut| cut.id != message.id);
            }
        }
    }
    if let Some(message) = &cut {
        reached.note(&Record::Message { message: message.clone() });
    }
    Ok((cut, reached))
}
