//! The feed: events, task events and messages, in one order.

use super::timeline::{HistoryEntry, entries};
use crate::{
    Noun, Page, Seek, StoreError, StoredMessage, Tx,
    columns::{Entity, Of, all},
    counters::count,
    db::on,
    error::Act,
    page::Order,
    statements::statements,
};
use makima_model::{ContractId, OwnerId, TaskEvent, TaskEventKind, TaskId};
use sqlx::{postgres::PgRow, sqlite::SqliteRow, types::Uuid};

/// One thing that happened or was said.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedItem {
    /// An entry of the timeline.
    History(HistoryEntry),
    /// An event of a task.
    TaskEvent(TaskEvent),
    /// A message.
    Message(StoredMessage),
}

impl FeedItem {
    /// Its number among the owner's.
    pub fn seq(&self) -> i64 {
        match self {
            Self::History(entry) => entry.event.seq,
            Self::TaskEvent(event) => event.seq,
            Self::Message(message) => message.feed_seq,
        }
    }
}

/// What of the owner's is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedScope {
    /// Everything.
    Owner,
    /// What belongs to a contract and its tasks.
    Contract(ContractId),
    /// What belongs to a task.
    Task(TaskId),
}

impl FeedScope {
    fn id(self) -> Option<Uuid> {
        match self {
            Self::Owner => None,
            Self::Contract(contract) => Some(contract.uuid()),
            Self::Task(task) => Some(task.uuid()),
        }
    }
}

/// Rows of a table behind a number and up to another, of a scope.
macro_rules! after {
    ($rows:expr, $seq:literal, $scope:literal) => {
        concat!(
            $rows,
            "owner_id = $1 AND ",
            $seq,
            " > $2 AND ",
            $seq,
            " <= $3 ",
            $scope,
            " ORDER BY ",
            $seq,
            " LIMIT $4"
        )
    };
}

// A contract's tasks are asked for in a way that no planner takes for a reason to read all that they have and sort it, for each page.
statements! {
    NEWEST = "SELECT seq FROM owner_sequences WHERE owner_id = $1";
    HISTORY = after!(entries!(), "seq", "");
    HISTORY_OF_CONTRACT = after!(entries!(), "seq", "AND contract_id = $5");
    HISTORY_OF_TASK = after!(entries!(), "seq", "AND task_id = $5");
    EVENTS = after!("SELECT * FROM task_events WHERE ", "seq", "");
    EVENTS_OF_CONTRACT = after!("SELECT * FROM task_events WHERE ", "seq",
        "AND (task_id IN (SELECT id FROM tasks WHERE contract_id = $5)) IS TRUE");
    EVENTS_OF_TASK = after!("SELECT * FROM task_events WHERE ", "seq", "AND task_id = $5");
    MESSAGES = after!("SELECT * FROM conversation_messages WHERE ", "feed_seq", "");
    MESSAGES_OF_CONTRACT = after!("SELECT * FROM conversation_messages WHERE ", "feed_seq",
        "AND (task_id IN (SELECT id FROM tasks WHERE contract_id = $5)) IS TRUE");
    MESSAGES_OF_TASK = after!("SELECT * FROM conversation_messages WHERE ", "feed_seq", "AND task_id = $5");
    @numbered {
        OUTPUT_EVENTS by "seq" = "SELECT * FROM task_events WHERE owner_id = $3 AND task_id = $4 \
            AND event_type = 'output' AND seq <= $5";
        OUTPUT_MESSAGES by "feed_seq" = "SELECT * FROM conversation_messages WHERE owner_id = $3 AND task_id = $4 \
            AND feed_seq <= $5";
    }
}

/// The number of the owner's newest event, task event or message; 0 before the first.
pub async fn newest(tx: &mut Tx, owner: OwnerId) -> Result<i64, StoreError> {
    let seq: Option<i64> = on!(tx, |c| sqlx::query_scalar(NEWEST).bind(owner.uuid()).fetch_optional(c).await)
        .act("read the newest number")?;
    Ok(seq.unwrap_or(0))
}

/// What happened and was said after number `seq`, in order, `limit` at most. None is ever missed: numbers become visible in
/// their order. They may have holes.
pub async fn after(
    tx: &mut Tx,
    owner: OwnerId,
    seq: i64,
    scope: FeedScope,
    limit: u32,
) -> Result<Vec<FeedItem>, StoreError> {
    let newest = newest(tx, owner).await?;
    let mut items = Part { owner, after: seq, newest, limit: i64::from(limit), scope }.items(tx).await?;
    items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(items)
}

/// Everything of the owner's after number `seq` and up to `last`, to which they have come, in order.
pub(crate) async fn between(
    tx: &mut Tx,
    owner: OwnerId,
    seq: i64,
    last: i64,
) -> Result<Vec<FeedItem>, StoreError> {
    Part { owner, after: seq, newest: last, limit: last - seq, scope: FeedScope::Owner }.items(tx).await
}

/// What is read of each table.
struct Part {
    owner: OwnerId,
    after: i64,
    /// All up to this one are there for each of the queries, even where something is added between them.
    newest: i64,
    limit: i64,
    scope: FeedScope,
}

impl Part {
    async fn items(&self, tx: &mut Tx) -> Result<Vec<FeedItem>, StoreError> {
        let history = self.of(tx, [HISTORY, HISTORY_OF_CONTRACT, HISTORY_OF_TASK]).await?;
        let events = self.of(tx, [EVENTS, EVENTS_OF_CONTRACT, EVENTS_OF_TASK]).await?;
        let messages = self.of(tx, [MESSAGES, MESSAGES_OF_CONTRACT, MESSAGES_OF_TASK]).await?;
        let mut items: Vec<FeedItem> = (history.into_iter().map(FeedItem::History))
            .chain(events.into_iter().map(FeedItem::TaskEvent))
            .chain(messages.into_iter().map(FeedItem::Message))
            .collect();
        items.sort_by_key(FeedItem::seq);
        Ok(items)
    }

    /// Reads by the statement for the scope: of an owner, a contract, or a task.
    async fn of<T: Entity + Send + Unpin>(
        &self,
        tx: &mut Tx,
        [of_owner, of_contract, of_task]: [&'static str; 3],
    ) -> Result<Vec<T>, StoreError>
    where
        Of<T>: for<'r> sqlx::FromRow<'r, SqliteRow> + for<'r> sqlx::FromRow<'r, PgRow>,
    {
        let text = match self.scope {
            FeedScope::Owner => of_owner,
            FeedScope::Contract(_) => of_contract,
            FeedScope::Task(_) => of_task,
        };
        let rows = on!(tx, |c| {
            let query = sqlx::query_as(text)
                .bind(self.owner.uuid())
                .bind(self.after)
                .bind(self.newest)
                .bind(self.limit);
            match self.scope.id() {
                Some(id) => query.bind(id).fetch_all(c).await,
                None => query.fetch_all(c).await,
            }
        });
        Ok(all(rows.act("read the feed")?))
    }
}

/// What the task's runs said and told: its messages and output events, by their numbers.
pub async fn output(
    tx: &mut Tx,
    owner: OwnerId,
    task: TaskId,
    seek: Seek<i64>,
) -> Result<Page<FeedItem, i64>, StoreError> {
    let act = "read a task's output";
    let newest = newest(tx, owner).await?;
    let events = on!(tx, |c| sqlx::query_as(OUTPUT_EVENTS.in_order(seek.order))
        .bind(seek.seq())
        .bind(seek.rows())
        .bind(owner.uuid())
        .bind(task.uuid())
        .bind(newest)
        .fetch_all(c)
        .await);
    let events: Vec<TaskEvent> = all(events.act(act)?);
    let messages = on!(tx, |c| sqlx::query_as(OUTPUT_MESSAGES.in_order(seek.order))
        .bind(seek.seq())
        .bind(seek.rows())
        .bind(owner.uuid())
        .bind(task.uuid())
        .bind(newest)
        .fetch_all(c)
        .await);
    let messages: Vec<StoredMessage> = all(messages.act(act)?);
    let mut items: Vec<FeedItem> = events.into_iter().map(FeedItem::TaskEvent).collect();
    items.extend(messages.into_iter().map(FeedItem::Message));
    items.sort_by_key(FeedItem::seq);
    if seek.order == Order::Newest {
        items.reverse();
    }
    let output = TaskEventKind::Output.as_str();
    let total = count(tx, owner, task.uuid(), Noun::Message, None, None).await?
        + count(tx, owner, task.uuid(), Noun::TaskEvent, Some(output), None).await?;
    Ok(seek.page(items, total, FeedItem::seq))
}
