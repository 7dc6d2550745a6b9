//! Finding: which documents have all that is looked for, the newest first, and what is told of each.

use super::{
    Standing,
    document::{
        asked_for, chat_of, checkpoint_of, is_error, is_failure, said_by, said_in_full, tells_of_error,
    },
    micros, words,
};
use crate::{
    HistoryEntry, Page, Seek, StoreError, Tx,
    columns::{Cells, Entity, Of, all, one_of, text, wrong},
    db::{Engine, on},
    error::Act,
    events::COUNTED,
    page::{Order, earliest, latest},
    statements::statements,
};
use futures::TryStreamExt;
use makima_model::{
    ContractId, Message, MessageId, MessageRole, OwnerId, Point, TaskEvent, TaskId, Timestamp,
    search::{
        HitKind, Query, Snippet, Text, of_checkpoint, of_history_event, of_message, of_task_event, snippet,
    },
};
use std::collections::HashMap;

/// Which of what is found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchFilter {
    /// What belongs to this task.
    pub task: Option<TaskId>,
    /// What belongs to this contract and its tasks.
    pub contract: Option<ContractId>,
    /// What one of these said; none: anybody, and what nobody said.
    pub roles: Vec<MessageRole>,
    /// What was asked of this tool, or answered by it, whichever the case of its letters.
    pub tool: Option<String>,
    /// What tells of errors alone.
    pub errors_only: bool,
    /// What is of this moment or later ones.
    pub from: Option<Timestamp>,
    /// What is of this moment or earlier ones.
    pub to: Option<Timestamp>,
}

/// The place of a hit: when it was, and its number among what can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SearchKey {
    /// When.
    pub at: Timestamp,
    /// Its number.
    pub id: i64,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchHit {
    /// What it is.
    pub kind: HitKind,
    /// The moment.
    pub point: Point,
    /// Its task.
    pub task: Option<TaskId>,
    /// What that is called.
    pub task_name: Option<String>,
    /// Its contract.
    pub contract: Option<ContractId>,
    /// The message; of what was said in a chat the chat's.
    pub message: Option<MessageId>,
    /// Who said it.
    pub role: Option<MessageRole>,
    /// The tool that was called with it, or answered it.
    pub tool: Option<String>,
    /// Of an event: what happened.
    pub event: Option<String>,
    /// Whether it tells of an error.
    pub is_error: bool,
    /// When.
    pub at: Timestamp,
    /// A piece of it.
    pub snippet: String,
}

/// Documents that have all that is looked for. Parameters: `$4` what they must have; `$5` to `$6` the owner's documents; `$7` on PostgreSQL
/// what one of several pieces must have, in lines, `$8` of them.
macro_rules! sqlite_matches {
    () => {
        "search_words CROSS JOIN search_documents AS document ON document.id = search_words.rowid \
        WHERE search_words MATCH $4 AND search_words.rowid BETWEEN $5 AND $6"
    };
}

// Each is looked up by its id: what the planner knows of words is no reason to read all documents.
macro_rules! postgres_matches {
    () => {
        "(SELECT rowid FROM search_words WHERE words @@ CAST(CAST($4 AS TEXT) AS TSQUERY) \
        UNION SELECT rowid FROM unnest(string_to_array(CAST($7 AS TEXT), chr(10))) AS term \
        JOIN search_words ON words @@ CAST(term AS TSQUERY) GROUP BY rowid HAVING COUNT(DISTINCT term) = $8) AS matching \
        CROSS JOIN LATERAL (SELECT * FROM search_documents WHERE id = matching.rowid LIMIT 1) AS document \
        WHERE document.id BETWEEN $5 AND $6"
    };
}

/// Those that are wanted: of the owner `$9` what is not in the trash, of the task `$10`, the contract `$11`, the roles `$12`, the tool `$13`;
/// only errors if `$14`. A checkpoint that was put away is nowhere.
macro_rules! wanted {
    () => {
        " AND (document.task_id IS NULL OR document.task_id NOT IN \
        (SELECT id FROM tasks WHERE owner_id = $9 AND deleted_at IS NOT NULL)) \
        AND (document.contract_id IS NULL OR document.contract_id NOT IN \
        (SELECT id FROM contracts WHERE owner_id = $9 AND deleted_at IS NOT NULL)) \
        AND (document.checkpoint_id IS NULL OR document.checkpoint_id IN \
        (SELECT id FROM task_checkpoints WHERE id = document.checkpoint_id AND put_away_by IS NULL)) \
        AND (document.task_id = $10 OR $10 IS NULL) \
        AND (document.contract_id = $11 OR document.task_id IN (SELECT id FROM tasks WHERE contract_id = $11) \
        OR $11 IS NULL) \
        AND (CAST($12 AS TEXT) IS NULL OR ', ' || $12 LIKE '%, ' || document.role || ',%') \
        AND (CAST($13 AS TEXT) IS NULL OR ', ' || document.tools || ', ' LIKE $13 ESCAPE '\\') \
        AND (document.is_error OR NOT $14)"
    };
}

/// A page: behind the key `$1`, `$2`, as far as the moment `$15`, `$3` rows, and how many there are. What is told of each is
/// looked up for those alone.
macro_rules! page {
    ($matches:expr, $beyond:literal, $order:literal) => {
        concat!(
            "SELECT document.id, document.task_id, COALESCE(document.contract_id, task.contract_id) AS contract_id, \
            document.moment, task.name AS task_name, found.total FROM (SELECT document.id, COUNT(*) OVER () AS total FROM ",
            $matches,
            wanted!(),
            $beyond,
            " ORDER BY document.moment ",
            $order,
            ", document.id ",
            $order,
            " LIMIT $3) AS found JOIN search_documents AS document ON document.id = found.id \
            LEFT JOIN tasks AS task ON task.id = document.task_id ORDER BY document.moment ",
            $order,
            ", document.id ",
            $order
        )
    };
}

macro_rules! newest {
    ($matches:expr) => {
        page!($matches, " AND (document.moment, document.id) < ($1, $2) AND document.moment >= $15", "DESC")
    };
}

macro_rules! oldest {
    ($matches:expr) => {
        page!($matches, " AND (document.moment, document.id) > ($1, $2) AND document.moment <= $15", "ASC")
    };
}

/// How many are read at once by their numbers.
const AT_ONCE: usize = 32;

macro_rules! numbered {
    ($rows:literal, $seq:literal) => {
        concat!(
            $rows,
            " WHERE owner_id = $1 AND ",
            $seq,
            " IN ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, \
            $25, $26, $27, $28, $29, $30, $31, $32, $33)"
        )
    };
}

statements! {
    MESSAGES = numbered!(
        "SELECT id, role, created_at, token_count, cost_usd, codec, body, feed_seq FROM conversation_messages",
        "feed_seq"
    );
    EVENTS = numbered!("SELECT * FROM task_events", "seq");
    HISTORY = numbered!("SELECT *, NULL AS task_name FROM history_events", "seq");
    @dialects {
        NEWEST = newest!(sqlite_matches!()), newest!(postgres_matches!());
        OLDEST = oldest!(sqlite_matches!()), oldest!(postgres_matches!());
    }
}

/// A document that was found.
struct Row {
    id: i64,
    task: Option<TaskId>,
    task_name: Option<String>,
    contract: Option<ContractId>,
    at: Timestamp,
    /// How many documents there are from this page's first on.
    total: i64,
}

impl Entity for Row {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: cells.int("id")?,
            task: cells.maybe_id("task_id")?,
            task_name: cells.maybe_text("task_name")?,
            contract: cells.maybe_id("contract_id")?,
            at: at(cells.int("moment")?)?,
            total: cells.int("total")?,
        })
    }
}

/// A message, and its number among what is the owner's.
struct Numbered(i64, Message);

impl Entity for Numbered {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self(cells.int("feed_seq")?, Message::read(cells)?))
    }
}

/// The time that is so many microseconds after 1970.
fn at(micros: i64) -> Result<Timestamp, sqlx::Error> {
    let at = chrono::DateTime::from_timestamp_micros(micros);
    at.map(Timestamp::from).ok_or_else(|| wrong("moment", "it is beyond all times"))
}

/// What is told of a hit by what it is of.
#[derive(Debug)]
struct Told {
    kind: HitKind,
    message: Option<MessageId>,
    role: Option<MessageRole>,
    tool: Option<String>,
    event: Option<String>,
    is_error: bool,
    /// The number of a checkpoint.
    number: Option<i64>,
    snippet: String,
}

impl Told {
    fn of(kind: HitKind, snippet: Snippet) -> Self {
        Self {
            kind,
            message: None,
            role: None,
            tool: snippet.tool,
            event: None,
            is_error: false,
            number: None,
            snippet: snippet.text,
        }
    }
}

/// What of the owner has all that is looked for, a page of it. `standing`: where the owner's search stands in this transaction. `total`: what
/// was counted for an earlier page; it is not counted further than just above [`COUNTED`].
pub async fn find(
    tx: &mut Tx,
    owner: OwnerId,
    standing: Standing,
    query: &Query,
    filter: &SearchFilter,
    (seek, total): (Seek<SearchKey>, Option<i64>),
) -> Result<Page<SearchHit, SearchKey>, StoreError> {
    if query.is_empty() {
        return Ok(Page { rows: Vec::new(), next: None, total: 0 });
    }
    let asked = Asked::of(tx.engine(), owner, query, filter, standing);
    let rows = asked.page(tx, seek).await?;
    let total = total.unwrap_or_else(|| rows.first().map_or(0, |row| row.total.min(COUNTED + 1)));
    let page = seek.page(rows, total, |row: &Row| SearchKey { at: row.at, id: row.id });
    let mut told = Looked::at(tx, owner, query, standing.base(), &page.rows).await?;
    let hits = page.rows.into_iter().filter_map(|row| told.remove(&row.id).map(|told| hit(told, row)));
    Ok(Page { rows: hits.collect(), next: page.next, total: page.total })
}

fn hit(told: Told, row: Row) -> SearchHit {
    let point = match (told.kind, told.message, told.number) {
        (HitKind::Message, Some(message), _) => Point::Message(message),
        (HitKind::Checkpoint, _, Some(number)) => Point::Number(number),
        _ => Point::Time(row.at),
    };
    SearchHit {
        kind: told.kind,
        point,
        task: row.task,
        task_name: row.task_name,
        contract: row.contract,
        message: told.message,
        role: told.role,
        tool: told.tool,
        event: told.event,
        is_error: told.is_error,
        at: row.at,
        snippet: told.snippet,
    }
}

/// What is looked for, as statements take it.
struct Asked<'a> {
    owner: OwnerId,
    filter: &'a SearchFilter,
    whole: String,
    each: String,
    terms: i64,
    roles: Option<String>,
    tool: Option<String>,
    ids: (i64, i64),
}

impl<'a> Asked<'a> {
    fn of(
        engine: Engine,
        owner: OwnerId,
        query: &Query,
        filter: &'a SearchFilter,
        standing: Standing,
    ) -> Self {
        let (whole, each) = match engine {
            Engine::Sqlite => (words::matching(query), String::new()),
            Engine::Postgres => words::tsqueries(query, standing.number),
        };
        let base = standing.base();
        Self {
            owner,
            filter,
            whole,
            each,
            terms: i64::try_from(query.terms().len()).unwrap_or(i64::MAX),
            roles: one_of(filter.roles.iter().map(|role| role.as_str())),
            tool: filter.tool.as_deref().map(named),
            ids: (base, base | ((1 << super::BITS) - 1)),
        }
    }

    async fn page(&self, tx: &mut Tx, seek: Seek<SearchKey>) -> Result<Vec<Row>, StoreError> {
        let (from, to) = self.moments();
        let (first, last) = (SearchKey { at: from, id: i64::MIN }, SearchKey { at: to, id: i64::MAX });
        let (statement, key, end) = match seek.order {
            Order::Newest => (&NEWEST, seek.after.map_or(last, |after| after.min(last)), from),
            Order::Oldest => (&OLDEST, seek.after.map_or(first, |after| after.max(first)), to),
        };
        let statement = statement.of(tx.engine());
        let rows = on!(tx, |c| sqlx::query_as(statement)
            .bind(micros(key.at))
            .bind(key.id)
            .bind(seek.rows())
            .bind(self.whole.as_str())
            .bind(self.ids.0)
            .bind(self.ids.1)
            .bind(self.each.as_str())
            .bind(self.terms)
            .bind(self.owner.uuid())
            .bind(self.filter.task.map(TaskId::uuid))
            .bind(self.filter.contract.map(ContractId::uuid))
            .bind(self.roles.as_deref())
            .bind(self.tool.as_deref())
            .bind(self.filter.errors_only)
            .bind(micros(end))
            .fetch_all(c)
            .await);
        Ok(all(rows.act("search")?))
    }

    /// The first and the last moment that are wanted.
    fn moments(&self) -> (Timestamp, Timestamp) {
        (self.filter.from.unwrap_or_else(earliest), self.filter.to.unwrap_or_else(latest))
    }
}

/// What finds a tool among several.
fn named(tool: &str) -> String {
    let mut pattern = String::from("%, ");
    for c in text(&tool.to_lowercase()).chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push_str(", %");
    pattern
}

/// What was looked up of hits, by their ids.
struct Looked<'a> {
    query: &'a Query,
    base: i64,
    told: HashMap<i64, Told>,
}

impl<'a> Looked<'a> {
    async fn at(
        tx: &mut Tx,
        owner: OwnerId,
        query: &'a Query,
        base: i64,
        rows: &[Row],
    ) -> Result<HashMap<i64, Told>, StoreError> {
        let mut looked = Self { query, base, told: HashMap::with_capacity(rows.len()) };
        let seqs: Vec<i64> = rows.iter().map(|row| row.id - base).collect();
        for seqs in seqs.chunks(AT_ONCE) {
            looked.messages(tx, owner, seqs).await?;
        }
        // Most are messages.
        let events: Vec<i64> =
            seqs.into_iter().filter(|seq| !looked.told.contains_key(&(base + seq))).collect();
        for seqs in events.chunks(AT_ONCE) {
            looked.history(tx, owner, seqs).await?;
            looked.task_events(tx, owner, seqs).await?;
        }
        Ok(looked.told)
    }

    /// Messages may be long: each is let go once its piece is made.
    async fn messages(&mut self, tx: &mut Tx, owner: OwnerId, seqs: &[i64]) -> Result<(), StoreError> {
        let read = on!(tx, |c| {
            let mut query = sqlx::query_as(MESSAGES).bind(owner.uuid());
            for seq in padded(seqs) {
                query = query.bind(seq);
            }
            let mut rows = query.fetch(c);
            loop {
                let row: Option<Of<Numbered>> = match rows.try_next().await {
                    Ok(row) => row,
                    Err(error) => break Err(error),
                };
                let Some(Of(Numbered(seq, message))) = row else { break Ok(()) };
                let told = Told::of(HitKind::Message, snippet(&of_message(&message), self.query));
                let told = Told {
                    message: Some(message.id),
                    role: Some(message.role),
                    is_error: is_error(&message),
                    tool: message.tool_name.or(told.tool),
                    ..told
                };
                self.told.insert(self.base + seq, told);
            }
        });
        read.act("read what was found")
    }

    async fn history(&mut self, tx: &mut Tx, owner: OwnerId, seqs: &[i64]) -> Result<(), StoreError> {
        let rows = on!(tx, |c| {
            let mut query = sqlx::query_as(HISTORY).bind(owner.uuid());
            for seq in padded(seqs) {
                query = query.bind(seq);
            }
            query.fetch_all(c).await
        });
        let entries: Vec<HistoryEntry> = all(rows.act("read what was found")?);
        for HistoryEntry { event, .. } in entries {
            let checkpoint = checkpoint_of(tx, &event).await?;
            let said = said_in_full(tx, &event).await?;
            let texts = match (&checkpoint, &said) {
                (Some(checkpoint), _) => of_checkpoint(&checkpoint.made),
                (None, Some(said)) => vec![Text { text: said.into(), tool: None }],
                (None, None) => of_history_event(&event).unwrap_or_default(),
            };
            let kind = if checkpoint.is_some() { HitKind::Checkpoint } else { HitKind::Event };
            let told = Told {
                message: chat_of(&event).map(|(_, id)| id),
                role: said_by(&event),
                event: Some(event.subtype.clone()),
                is_error: is_failure(&event),
                number: checkpoint.as_ref().map(|checkpoint| checkpoint.made.number),
                ..Told::of(kind, snippet(&texts, self.query))
            };
            self.told.insert(self.base + event.seq, told);
        }
        Ok(())
    }

    async fn task_events(&mut self, tx: &mut Tx, owner: OwnerId, seqs: &[i64]) -> Result<(), StoreError> {
        let rows = on!(tx, |c| {
            let mut query = sqlx::query_as(EVENTS).bind(owner.uuid());
            for seq in padded(seqs) {
                query = query.bind(seq);
            }
            query.fetch_all(c).await
        });
        let events: Vec<TaskEvent> = all(rows.act("read what was found")?);
        for event in events {
            let told = Told {
                tool: asked_for(&event).map(str::to_owned),
                event: Some(event.kind.as_str().to_owned()),
                is_error: tells_of_error(&event),
                ..Told::of(HitKind::Event, snippet(&of_task_event(&event).unwrap_or_default(), self.query))
            };
            self.told.insert(self.base + event.seq, told);
        }
        Ok(())
    }
}

/// So many numbers as a statement takes: the first stands for those that are missing.
fn padded(seqs: &[i64]) -> impl Iterator<Item = i64> {
    let first = seqs.first().copied().unwrap_or_default();
    (0..AT_ONCE).map(move |at| seqs.get(at).copied().unwrap_or(first))
}
