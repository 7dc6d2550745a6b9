//! Entries of runs, and what each does to the tables.

use super::{
    IngestError,
    packed::{PackedEntry, Said},
};
use crate::{
    App,
    app::{TaskChange, phase_of},
};
use makima_model::{
    Branch, BranchId, BranchReason, DaemonId, EventKind, MessageId, MessageRole, NoticeLevel, OwnerId, Phase,
    Position, Record, RunEnd, RunId, RunOutcome, TaskEventKind, TaskStatus, Timestamp, TurnEnd,
    branch::{PositionError, settle},
};
use makima_store::{
    NewTaskEvent, Run, StoreError, Task, Tx,
    conversations::{self, PackedMessage},
    events, inbox, native, questions, runs, tasks,
};
use serde_json::{Value, json};
use std::collections::HashMap;

/// One transaction's worth of reports.
pub(super) struct Batch<'a> {
    pub(super) app: &'a App,
    pub(super) owner: OwnerId,
    pub(super) tx: Tx,
    runs: HashMap<RunId, OpenRun>,
    /// Whether a place may have become free, or a task waits for one.
    pub(super) place: bool,
}

/// A run within the batch, as it will be.
pub(super) struct OpenRun {
    pub(super) run: Run,
    pub(super) task: Task,
    pub(super) phase: Option<Phase>,
    /// The last entry that the database has.
    stored: i64,
    /// The number of the next message of the run's branch.
    next_seq: i64,
    /// Messages that are not written yet: many are written at once.
    unwritten: Vec<PackedMessage>,
    /// The numbers of this batch's messages, for the lines of the agent's own record that belong to them.
    numbers: HashMap<MessageId, i64>,
    /// Whether it says nothing about its task any more: a newer run has taken that over, then its words go to a side branch; or its
    /// conversation was moved; or it lies in the trash.
    late: bool,
}

impl OpenRun {
    /// Where its conversation stands.
    pub(super) fn head(&self) -> Position {
        Position { branch: self.run.branch, seq: self.next_seq }
    }
}

impl<'a> Batch<'a> {
    pub(super) async fn new(app: &'a App, owner: OwnerId) -> Result<Self, StoreError> {
        let tx = app.db().begin().await?;
        Ok(Self { app, owner, tx, runs: HashMap::new(), place: false })
    }

    /// Takes entries of one run; those that were taken before are passed over. Answers the newest that is taken.
    pub(super) async fn take_entries(
        &mut self,
        daemon: DaemonId,
        run: RunId,
        entries: &[PackedEntry],
    ) -> Result<u64, IngestError> {
        let mut open = self.opened(daemon, run).await?;
        for entry in entries {
            let n = i64::try_from(entry.n).unwrap_or(i64::MAX);
            if n <= open.run.last_entry {
                continue;
            }
            if n != open.run.last_entry + 1 {
                return Err(IngestError::Gap { run, after: open.run.last_entry, n: entry.n });
            }
            self.apply(&mut open, entry).await?;
            open.run.last_entry = n;
        }
        let taken = u64::try_from(open.run.last_entry).unwrap_or(0);
        self.runs.insert(run, open);
        Ok(taken)
    }

    /// Makes all of it durable. Answers whether waiting tasks should be looked at.
    pub(super) async fn commit(mut self) -> Result<bool, IngestError> {
        let mut runs: Vec<OpenRun> = self.runs.drain().map(|(_, open)| open).collect();
        runs.sort_by_key(|open| open.run.id);
        for open in &mut runs {
            write_messages(&mut self.tx, open).await?;
            let (id, stored, last) = (open.run.id, open.stored, open.run.last_entry);
            if last > stored && !runs::set_last_entry(&mut self.tx, self.owner, id, stored, last).await? {
                // Another server has a connection of the same daemon, an older one: what it took is not taken twice.
                return Err(IngestError::TakenElsewhere(id));
            }
        }
        self.tx.commit().await?;
        Ok(self.place)
    }

    /// The run as the batch has it, with all its messages written; to be [put back](Self::put_back).
    pub(super) async fn take_open(&mut self, daemon: DaemonId, run: RunId) -> Result<OpenRun, IngestError> {
        let mut open = self.opened(daemon, run).await?;
        write_messages(&mut self.tx, &mut open).await?;
        Ok(open)
    }

    pub(super) fn put_back(&mut self, open: OpenRun) {
        self.runs.insert(open.run.id, open);
    }

    /// The run as the batch has it, taken out of it. One that the batch has is not everybody's either.
    async fn opened(&mut self, daemon: DaemonId, id: RunId) -> Result<OpenRun, IngestError> {
        match self.runs.remove(&id) {
            Some(open) if open.run.daemon == daemon => Ok(open),
            Some(_) => Err(IngestError::NotItsRun(id)),
            None => self.open(daemon, id).await,
        }
    }

    async fn open(&mut self, daemon: DaemonId, id: RunId) -> Result<OpenRun, IngestError> {
        let tx = &mut self.tx;
        let run = runs::get(tx, self.owner, id).await?.filter(|run| run.daemon == daemon);
        let mut run = run.ok_or(IngestError::NotItsRun(id))?;
        if self.app.take_up_again(tx, &run).await? {
            run.ended_at = None;
        }
        let (task, is_deleted) = match tasks::get(tx, self.owner, run.task).await? {
            Some(task) => (task, false),
            None => {
                let kept = tasks::kept(tx, self.owner, run.task).await?;
                (kept.ok_or(IngestError::NotItsRun(id))?, true)
            }
        };
        let phase = phase_of(tx, &task).await?;
        let is_replaced = task.run_number > run.number;
        let late = is_replaced || is_deleted || task.conversation != run.branch;
        if is_replaced && run.branch == task.conversation {
            run.branch = self.branch_off(&run).await?;
        }
        let lineage = conversations::lineage(&mut self.tx, self.owner, run.branch).await?;
        let branch = lineage.iter().find(|branch| branch.id == run.branch);
        let next_seq = branch.ok_or(PositionError::Broken(run.branch))?.head_seq;
        let stored = run.last_entry;
        Ok(OpenRun {
            run,
            task,
            phase,
            stored,
            next_seq,
            unwritten: Vec::new(),
            numbers: HashMap::new(),
            late,
        })
    }

    /// A side branch for a run that a newer one has replaced: it starts at the run's last message, so that nothing of it is
    /// lost and nothing of its successor is overwritten (settled points, §1).
    async fn branch_off(&mut self, run: &Run) -> Result<BranchId, IngestError> {
        let last = conversations::end_of_run(&mut self.tx, self.owner, run.branch, run.number).await?;
        let at = Position { branch: run.branch, seq: last.unwrap_or(run.turn_seq) };
        let lineage = conversations::lineage(&mut self.tx, self.owner, run.branch).await?;
        let base = settle(&lineage, at)?;
        let branch = Branch {
            id: self.app.clock().new_id(),
            base: Some(base),
            head_seq: base.seq,
            reason: BranchReason::LateRun,
            created_at: self.app.clock().now(),
        };
        conversations::insert(&mut self.tx, self.owner, run.task, &branch).await?;
        runs::set_branch(&mut self.tx, self.owner, run.id, branch.id, base.seq).await?;
        Ok(branch.id)
    }

    async fn apply(&mut self, open: &mut OpenRun, entry: &PackedEntry) -> Result<(), IngestError> {
        match &entry.said {
            Said::Message(message) => self.message(open, message).await,
            Said::Native { message, file, lines } => {
                let seq = self.seq_of(open, *message).await?;
                native::append(&mut self.tx, self.owner, open.run.branch, seq, file, lines.clone());
                Ok(())
            }
            Said::Other(record) => {
                // Everything else stands between messages: those before it come first.
                write_messages(&mut self.tx, open).await?;
                self.apply_other(open, entry.at, record).await
            }
        }
    }

    async fn message(&mut self, open: &mut OpenRun, message: &PackedMessage) -> Result<(), IngestError> {
        if message.role == MessageRole::User {
            inbox::delivered(&mut self.tx, self.owner, message.id, open.run.id).await?;
        }
        open.numbers.insert(message.id, open.next_seq);
        open.next_seq += 1;
        open.unwritten.push(message.clone());
        Ok(())
    }

    async fn apply_other(
        &mut self,
        open: &mut OpenRun,
        at: Timestamp,
        record: &Record,
    ) -> Result<(), IngestError> {
        let owner = self.owner;
        match record {
            // Packed: these don't come here.
            Record::Message { .. } | Record::Native { .. } => {}
            Record::Prepared { worktree_path, branch_name, base_branch, base_commit } => {
                if !open.late {
                    let prepared = tasks::Prepared { worktree_path, branch_name, base_branch, base_commit };
                    tasks::set_prepared(&mut self.tx, owner, open.task.id, prepared, at).await?;
                }
            }
            Record::Spawned { .. } => self.status(open, at, TaskStatus::Running, None).await?,
            Record::Session { session_id, version, model } => {
                runs::set_session(&mut self.tx, owner, open.run.id, session_id).await?;
                open.run.session_id = Some(session_id.clone());
                let mut data = json!({ "sessionId": session_id });
                set(&mut data, "version", version.as_ref());
                set(&mut data, "model", model.as_ref());
                self.event(open, at, TaskEventKind::Session, data);
            }
            Record::Asked { question } => {
                questions::ask(&mut self.tx, owner, open.task.id, open.run.id, question, at).await?;
                self.event(open, at, TaskEventKind::Question, json!({ "question": question }));
                let reason = question.text.lines().next().unwrap_or_default().chars().take(200).collect();
                self.status(open, at, TaskStatus::Waiting, Some(reason)).await?;
            }
            Record::Answered { question, answer } => {
                questions::withdraw(&mut self.tx, owner, *question, at).await?;
                self.event(
                    open,
                    at,
                    TaskEventKind::Answer,
                    json!({ "questionId": question, "answer": answer }),
                );
                if questions::pending(&mut self.tx, owner, open.task.id).await?.is_empty() {
                    self.status(open, at, TaskStatus::Running, None).await?;
                }
            }
            Record::TurnEnded(turn) => self.turn_ended(open, at, turn).await?,
            Record::Checkpoint(made) => self.checkpoint(open, at, made).await?,
            Record::Unchanged { .. } => self.snapshot(open, at).await?,
            Record::CheckpointFailed { turn, message } => {
                let data = json!({ "turn": turn, "message": message });
                self.event(open, at, TaskEventKind::Checkpoint, data);
            }
            Record::Published { published } => {
                self.event(open, at, TaskEventKind::Published, json!(published));
            }
            Record::Notice { level, text, failure } => {
                let mut data = json!({ "level": level, "text": text });
                set(&mut data, "failure", failure.as_ref());
                self.event(open, at, TaskEventKind::Output, data);
            }
            Record::Ended(end) => self.ended(open, at, end).await?,
        }
        Ok(())
    }

    async fn turn_ended(
        &mut self,
        open: &mut OpenRun,
        at: Timestamp,
        turn: &TurnEnd,
    ) -> Result<(), IngestError> {
        let cost = turn.cost_usd.filter(|cost| cost.is_finite()).unwrap_or(0.0);
        tasks::add_usage(&mut self.tx, self.owner, open.task.id, turn.usage.total(), cost, at).await?;
        if cost > 0.0 {
            conversations::share_cost(&mut self.tx, self.owner, open.run.branch, open.run.turn_seq, cost);
        }
        runs::set_turn_seq(&mut self.tx, self.owner, open.run.id, open.next_seq).await?;
        open.run.turn_seq = open.next_seq;
        let mut data = json!(turn);
        self.event(open, at, TaskEventKind::Turn, data.clone());
        data["runNumber"] = json!(open.run.number);
        self.history(open, at, EventKind::Task, "task_turn", data);
        Ok(())
    }

    async fn ended(&mut self, open: &mut OpenRun, at: Timestamp, end: &RunEnd) -> Result<(), IngestError> {
        runs::end(&mut self.tx, self.owner, open.run.id, end.outcome, end.reason.as_deref(), at).await?;
        questions::withdraw_of_run(&mut self.tx, self.owner, open.run.id, at).await?;
        if let Some(failure) = &end.failure {
            let text = end.reason.as_deref().unwrap_or(&failure.message);
            let data = json!({ "level": NoticeLevel::Error, "text": text, "failure": failure });
            self.event(open, at, TaskEventKind::Output, data);
        }
        let status = match end.outcome {
            RunOutcome::Completed => TaskStatus::Completed,
            RunOutcome::Failed => TaskStatus::Failed,
            RunOutcome::Interrupted => TaskStatus::Interrupted,
        };
        self.status(open, at, status, end.reason.clone()).await?;
        self.place = true;
        // What was said to the agent while it ended is not lost: it begins the next run. What the run was started with and
        // did not take doesn't, or a run that takes nothing would be started for ever.
        let unheard = inbox::undelivered(&mut self.tx, self.owner, open.task.id).await?;
        let while_it_ran = unheard.iter().any(|message| message.created_at > open.run.started_at);
        if open.task.status == TaskStatus::Completed && while_it_ran {
            tasks::set_wanted(&mut self.tx, self.owner, open.task.id, true, at).await?;
            self.status(open, at, TaskStatus::Pending, None).await?;
        }
        // What waited for its end comes before anything else that may begin now.
        self.app.advance_on(&mut self.tx, self.owner, open.task.id, open.task.contract).await?;
        Ok(())
    }

    /// The number of the message that lines belong to; −1 before the first.
    async fn seq_of(&mut self, open: &OpenRun, message: Option<MessageId>) -> Result<i64, IngestError> {
        let Some(id) = message else { return Ok(open.next_seq - 1) };
        if let Some(seq) = open.numbers.get(&id) {
            return Ok(*seq);
        }
        let found = conversations::find(&mut self.tx, self.owner, id).await?;
        // A message that isn't on this branch can't have lines here: they go with the newest.
        Ok(found.filter(|(branch, _)| *branch == open.run.branch).map_or(open.next_seq - 1, |(_, seq)| seq))
    }

    pub(super) fn event(&mut self, open: &OpenRun, at: Timestamp, kind: TaskEventKind, data: Value) {
        events::append_task_event(
            &mut self.tx,
            NewTaskEvent {
                id: self.app.clock().new_id(),
                owner: self.owner,
                task: open.task.id,
                run_number: open.run.number,
                kind,
                previous_status: None,
                new_status: None,
                data,
                created_at: at,
            },
        );
    }

    pub(super) fn history(
        &mut self,
        open: &OpenRun,
        at: Timestamp,
        kind: EventKind,
        subtype: &str,
        data: Value,
    ) {
        self.change(open, at).history(&mut self.tx, &open.task, kind, subtype, data);
    }

    /// What a run tells of happened while it was there, and before it was told, whatever its daemon's clock says.
    fn change(&self, open: &OpenRun, at: Timestamp) -> TaskChange<'a> {
        TaskChange {
            clock: self.app.clock(),
            at: at.max(open.run.started_at).min(self.app.clock().now()),
            run_number: open.run.number,
            phase: open.phase,
        }
    }

    async fn status(
        &mut self,
        open: &mut OpenRun,
        at: Timestamp,
        next: TaskStatus,
        reason: Option<String>,
    ) -> Result<(), StoreError> {
        // A run that was replaced says nothing about its task any more.
        if open.late {
            return Ok(());
        }
        let change = self.change(open, at);
        change.become_status(&mut self.tx, &mut open.task, next, reason).await?;
        Ok(())
    }
}

async fn write_messages(tx: &mut Tx, open: &mut OpenRun) -> Result<(), StoreError> {
    if open.unwritten.is_empty() {
        return Ok(());
    }
    let messages = std::mem::take(&mut open.unwritten);
    conversations::append(tx, open.run.owner, open.run.branch, open.run.number, messages).await?;
    Ok(())
}

fn set(data: &mut Value, name: &str, value: Option<&impl serde::Serialize>) {
    if let Some(value) = value {
        data[name] = json!(value);
    }
}
