//! Messages, as they are stored: what is looked for has columns; the rest is packed.

use super::unread::{UnreadMessage, unread};
use crate::{
    StoreError, Tx,
    codec::unpacked,
    columns::{Cells, Entity, Of, all, one, wrong},
    db::on,
    error::Act,
    statements::statements,
};
use makima_model::{
    Branch, BranchId, Message, MessageId, OwnerId, Position, TaskId, ToolCall, branch::spans,
};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A message, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredMessage {
    /// Its number in the conversation.
    pub seq: i64,
    /// The branch that holds it.
    pub branch: BranchId,
    /// The task whose run said it: of a fork's older messages, the task that was forked.
    pub task: TaskId,
    /// The run that said it.
    pub run_number: i64,
    /// Its number among the owner's events and output.
    pub feed_seq: i64,
    /// The message.
    pub message: Message,
}

/// What a message says, without what has columns.
#[derive(Serialize)]
pub(crate) struct NewBody<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<&'a str>,
    #[serde(skip_serializing_if = "<[ToolCall]>::is_empty")]
    tool_calls: &'a [ToolCall],
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_result: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_error: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    incomplete: bool,
}

/// The same, read back.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    content: String,
    thinking: Option<String>,
    tool_calls: Vec<ToolCall>,
    tool_call_id: Option<String>,
    tool_name: Option<String>,
    tool_result: Option<String>,
    is_error: Option<bool>,
    model: Option<String>,
    incomplete: bool,
}

impl<'a> NewBody<'a> {
    pub(crate) fn of(message: &'a Message) -> Self {
        // Taken apart whole, so that a field that is new can't be forgotten here.
        let Message {
            id: _,
            role: _,
            content,
            timestamp: _,
            thinking,
            tool_calls,
            tool_call_id,
            tool_name,
            tool_result,
            is_error,
            token_count: _,
            cost_usd: _,
            model,
            incomplete,
        } = message;
        Self {
            content,
            thinking: thinking.as_deref(),
            tool_calls,
            tool_call_id: tool_call_id.as_deref(),
            tool_name: tool_name.as_deref(),
            tool_result: tool_result.as_deref(),
            is_error: *is_error,
            model: model.as_deref(),
            incomplete: *incomplete,
        }
    }

    pub(crate) fn bytes(&self) -> Result<Vec<u8>, sqlx::Error> {
        serde_json::to_vec(self).map_err(|error| wrong("body", error))
    }
}

impl Entity for StoredMessage {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            seq: cells.int("seq")?,
            branch: cells.id("branch_id")?,
            task: cells.id("task_id")?,
            run_number: cells.int("run_number")?,
            feed_seq: cells.int("feed_seq")?,
            message: Message::read(cells)?,
        })
    }
}

impl Entity for Message {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        let body = unpacked(cells, "codec", "body")?;
        let body: Body = serde_json::from_slice(&body).map_err(|error| wrong("body", error))?;
        Ok(Self {
            id: cells.id("id")?,
            role: cells.word("role")?,
            content: body.content,
            timestamp: cells.at("created_at")?,
            thinking: body.thinking,
            tool_calls: body.tool_calls,
            tool_call_id: body.tool_call_id,
            tool_name: body.tool_name,
            tool_result: body.tool_result,
            is_error: body.is_error,
            token_count: cells.maybe_int("token_count")?,
            cost_usd: cells.maybe_real("cost_usd")?,
            model: body.model,
            incomplete: body.incomplete,
        })
    }
}

macro_rules! span {
    ($columns:expr, $which:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM conversation_messages WHERE branch_id = $1 AND owner_id = $2 AND seq >= $3 AND seq < $4",
            $which,
            " ORDER BY seq"
        )
    };
}

statements! {
    SPAN = span!("*", "");
    SPAN_WITHOUT_RESULTS = span!("*", " AND role <> 'tool'");
    UNREAD_SPAN = span!(unread!(), "");
    UNREAD_SPAN_WITHOUT_RESULTS = span!(unread!(), " AND role <> 'tool'");
    SIZE = "SELECT COUNT(*) AS messages, CAST(COALESCE(SUM(length(body)), 0) AS BIGINT) AS bytes \
        FROM conversation_messages WHERE branch_id = $1 AND owner_id = $2 AND seq >= $3 AND seq < $4";
    SIZES = "SELECT CAST(length(body) AS BIGINT) FROM conversation_messages \
        WHERE branch_id = $1 AND owner_id = $2 AND seq >= $3 AND seq < $4 ORDER BY seq";
    FIND = "SELECT branch_id, seq FROM conversation_messages WHERE id = $1 AND owner_id = $2 \
        ORDER BY feed_seq DESC LIMIT 1";
    END_OF_RUN = "SELECT MAX(seq) + 1 FROM conversation_messages WHERE branch_id = $1 AND owner_id = $2 \
        AND run_number = $3";
}

/// Messages `seqs` of the conversation at `at`, in order. `lineage` is [that](super::lineage) of the position's branch.
/// For a long conversation there is [`Reader`](super::Reader).
pub async fn read(
    tx: &mut Tx,
    owner: OwnerId,
    lineage: &[Branch],
    at: Position,
    seqs: Range<i64>,
) -> Result<Vec<StoredMessage>, StoreError> {
    let mut messages = Vec::new();
    for span in spans(lineage, at)? {
        let seqs = seqs.start.max(span.seqs.start)..seqs.end.min(span.seqs.end);
        if !seqs.is_empty() {
            messages.extend(read_span(tx, owner, span.branch, seqs, true).await?);
        }
    }
    Ok(messages)
}

/// As what messages are read.
pub(super) trait Read: Entity + Send + Unpin {
    /// What reads a span of them, with tools' results and without.
    const SPAN: [&'static str; 2];
}

impl Read for StoredMessage {
    const SPAN: [&'static str; 2] = [SPAN, SPAN_WITHOUT_RESULTS];
}

impl Read for UnreadMessage {
    const SPAN: [&'static str; 2] = [UNREAD_SPAN, UNREAD_SPAN_WITHOUT_RESULTS];
}

pub(super) async fn read_span<M: Read>(
    tx: &mut Tx,
    owner: OwnerId,
    branch: BranchId,
    seqs: Range<i64>,
    with_results: bool,
) -> Result<Vec<M>, StoreError> {
    let [whole, without_results] = M::SPAN;
    let statement = if with_results { whole } else { without_results };
    let rows = on!(tx, |c| sqlx::query_as(statement)
        .bind(branch.uuid())
        .bind(owner.uuid())
        .bind(seqs.start)
        .bind(seqs.end)
        .fetch_all(c)
        .await);
    Ok(all(rows.act("read messages")?))
}

/// How many messages there are, and how many bytes their rows take.
pub(super) struct Size {
    pub(super) messages: i64,
    pub(super) bytes: i64,
}

impl Entity for Size {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self { messages: cells.int("messages")?, bytes: cells.int("bytes")? })
    }
}

/// What these messages come to.
pub(super) async fn size(
    tx: &mut Tx,
    owner: OwnerId,
    branch: BranchId,
    seqs: Range<i64>,
) -> Result<Size, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(SIZE)
        .bind(branch.uuid())
        .bind(owner.uuid())
        .bind(seqs.start)
        .bind(seqs.end)
        .fetch_one(c)
        .await);
    row.act("measure messages").map(|Of(size)| size)
}

/// How many bytes each of these messages takes in its row.
pub(super) async fn sizes(
    tx: &mut Tx,
    owner: OwnerId,
    branch: BranchId,
    seqs: Range<i64>,
) -> Result<Vec<i64>, StoreError> {
    on!(tx, |c| sqlx::query_scalar(SIZES)
        .bind(branch.uuid())
        .bind(owner.uuid())
        .bind(seqs.start)
        .bind(seqs.end)
        .fetch_all(c)
        .await)
    .act("measure messages")
}

/// Where a message stands.
struct Place(BranchId, i64);

impl Entity for Place {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self(cells.id("branch_id")?, cells.int("seq")?))
    }
}

/// The branch that holds the message and its number there: also of one that this very transaction appended.
pub async fn find(tx: &mut Tx, owner: OwnerId, id: MessageId) -> Result<Option<(BranchId, i64)>, StoreError> {
    if let Some(place) = tx.outbox.find(owner, id) {
        return Ok(Some(place));
    }
    let row = on!(tx, |c| sqlx::query_as(FIND).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("look for a message")?).map(|Place(branch, seq)| (branch, seq)))
}

/// How many messages the conversation of `branch` has up to the last that this run said on it; `None` where it said none. It
/// looks through the branch: for what happens seldom.
pub async fn end_of_run(
    tx: &mut Tx,
    owner: OwnerId,
    branch: BranchId,
    run_number: i64,
) -> Result<Option<i64>, StoreError> {
    on!(tx, |c| sqlx::query_scalar(END_OF_RUN)
        .bind(branch.uuid())
        .bind(owner.uuid())
        .bind(run_number)
        .fetch_one(c)
        .await)
    .act("look for the end of a run")
}
