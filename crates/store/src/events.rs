//! Events: the timeline's (`history_events`) and those of tasks (`task_events`), and the feed that both are in together with
//! messages, in the order of their owner's numbers.
//!
//! Events that are appended here, and messages, get their numbers and are written when the transaction is committed, so
//! they may be appended at any point of it: see [`Tx`].

mod feed;
mod timeline;
mod turn;

pub use feed::{FeedItem, FeedScope, after, newest, output};
pub(crate) use feed::{between, statements as feed_statements};
pub(crate) use timeline::statements as timeline_statements;
pub use timeline::{COUNTED, HistoryEntry, TimelineFilter, TimelineScope, timeline};
pub use turn::complete_turn;
pub(crate) use turn::statements as turn_statements;

use crate::{
    Noun, Page, Seek, StoreError, Tx,
    columns::{Cells, Entity, all},
    counters::count,
    db::on,
    error::Act,
    statements::statements,
};
use makima_model::{
    ContractId, EventId, EventKind, HistoryEvent, OwnerId, Phase, TaskEvent, TaskEventKind, TaskId,
    TaskStatus, Timestamp,
};
use serde_json::Value;

/// An entry of the timeline that has no number yet.
#[derive(Debug, Clone, PartialEq)]
pub struct NewHistory {
    /// Its id.
    pub id: EventId,
    /// Whose it is.
    pub owner: OwnerId,
    /// The contract that it belongs to.
    pub contract: Option<ContractId>,
    /// The task that it belongs to.
    pub task: Option<TaskId>,
    /// What it is about.
    pub kind: EventKind,
    /// What exactly happened, such as `task_created`.
    pub subtype: String,
    /// The contract's phase at that moment.
    pub phase: Option<Phase>,
    /// The rest.
    pub data: Value,
    /// When.
    pub created_at: Timestamp,
}

/// An event of a task that has no number yet.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTaskEvent {
    /// Its id.
    pub id: EventId,
    /// Whose it is.
    pub owner: OwnerId,
    /// The task.
    pub task: TaskId,
    /// The run that it happened in, from 1; 0 outside a run.
    pub run_number: i64,
    /// What happened.
    pub kind: TaskEventKind,
    /// Of a change of status: the one before.
    pub previous_status: Option<TaskStatus>,
    /// Of a change of status: the one after.
    pub new_status: Option<TaskStatus>,
    /// The rest.
    pub data: Value,
    /// When.
    pub created_at: Timestamp,
}

impl Entity for HistoryEvent {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: cells.id("id")?,
            owner: cells.id("owner_id")?,
            seq: cells.int("seq")?,
            contract: cells.maybe_id("contract_id")?,
            task: cells.maybe_id("task_id")?,
            kind: cells.word("event_type")?,
            subtype: cells.text("event_subtype")?,
            phase: cells.maybe_word("phase")?,
            data: cells.json("event_data")?,
            created_at: cells.at("created_at")?,
        })
    }
}

impl Entity for TaskEvent {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: cells.id("id")?,
            task: cells.id("task_id")?,
            seq: cells.int("seq")?,
            run_number: cells.int("run_number")?,
            kind: cells.word("event_type")?,
            previous_status: cells.maybe_word("previous_status")?,
            new_status: cells.maybe_word("new_status")?,
            data: cells.json("event_data")?,
            created_at: cells.at("created_at")?,
        })
    }
}

statements! {
    @numbered {
        OF_TASK by "seq" = "SELECT * FROM task_events WHERE owner_id = $3 AND task_id = $4";
        OF_TASK_AND_KIND by "seq" = "SELECT * FROM task_events WHERE owner_id = $3 AND task_id = $4 AND event_type = $5";
    }
}

/// Appends an entry to the timeline.
pub fn append_history(tx: &mut Tx, event: NewHistory) {
    tx.outbox.history(event);
}

/// Appends an event to its task's.
pub fn append_task_event(tx: &mut Tx, event: NewTaskEvent) {
    tx.outbox.task_event(event);
}

/// The task's events, all or those of one kind.
pub async fn of_task(
    tx: &mut Tx,
    owner: OwnerId,
    task: TaskId,
    kind: Option<TaskEventKind>,
    seek: Seek<i64>,
) -> Result<Page<TaskEvent, i64>, StoreError> {
    let rows = match kind {
        None => on!(tx, |c| sqlx::query_as(OF_TASK.in_order(seek.order))
            .bind(seek.seq())
            .bind(seek.rows())
            .bind(owner.uuid())
            .bind(task.uuid())
            .fetch_all(c)
            .await),
        Some(kind) => on!(tx, |c| sqlx::query_as(OF_TASK_AND_KIND.in_order(seek.order))
            .bind(seek.seq())
            .bind(seek.rows())
            .bind(owner.uuid())
            .bind(task.uuid())
            .bind(kind.as_str())
            .fetch_all(c)
            .await),
    };
    let events = all(rows.act("list a task's events")?);
    let kind = kind.map(TaskEventKind::as_str);
    let total = count(tx, owner, task.uuid(), Noun::TaskEvent, kind, None).await?;
    Ok(seek.page(events, total, |event: &TaskEvent| event.seq))
}
