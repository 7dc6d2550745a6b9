//! What is done when nothing of a run's agent is left: the last checkpoint, the last commit, the last entry.

use super::{drive::Driver, pen::Pen};
use crate::{
    DaemonError, disk, host,
    journal::Standing,
    process,
    trouble::{Held, told_with_advice},
};
use makima_model::{Record, RunEnd, RunOutcome};
use std::time::Duration;

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
        let end = match end {
            Some(end) => end.clone(),
            None => {
                let folder = self.folder.clone();
                disk::off_thread(move || host::left_by(&folder)).await?.unwrap_or_else(lost)
            }
        };
        let mut records = self.rest(&standing, &end).await;
        records.push(Record::Ended(end));
        self.board.show(pen.write(records).await?, true);
        Ok(())
    }

    /// What is still to be done with the worktree.
    async fn rest(&mut self, standing: &Standing, end: &RunEnd) -> Vec<Record> {
        let worktrees = &self.board.workshop.worktrees;
        let mut records = Vec::new();
        for turn in standing.last_kept + 1..=standing.last_turn {
            // Boxed: what is polled inside of it needs much of a stack.
            records.extend(Box::pin(worktrees.keep_turn(&self.run, turn)).await);
        }
        if standing.is_prepared && end.outcome == RunOutcome::Completed && self.run.commit_on_finish {
            records.extend(Box::pin(worktrees.commit_rest(&self.run)).await);
        }
        records
    }
}

/// How a run ends whose host came to no end of its own.
fn lost() -> RunEnd {
    let reason = "the process that hosted the agent was killed, and the agent with it".to_owned();
    RunEnd { outcome: RunOutcome::Interrupted, reason: Some(reason), failure: None }
}
