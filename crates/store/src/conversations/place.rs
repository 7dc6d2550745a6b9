//! Where in a conversation something stands: found by keys and ranges of keys, never by reading the conversation through.

use super::unread::{UnreadMessage, unread};
use crate::{
    StoreError, Tx,
    columns::{Cells, Entity, all, one},
    db::on,
    error::Act,
    statements::statements,
};
use makima_model::{
    Branch, BranchId, MessageId, OwnerId, Position, Timestamp,
    branch::{Span, spans},
};

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The branch that holds it.
    pub branch: BranchId,
    /// Its number there.
    pub seq: i64,
    /// When it was complete.
    pub at: Timestamp,
}

impl Place {
    /// The moment just after it.
    pub fn after(self) -> Position {
        Position { branch: self.branch, seq: self.seq + 1 }
    }
}

impl Entity for Place {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self { branch: cells.id("branch_id")?, seq: cells.int("seq")?, at: cells.at("created_at")? })
    }
}

statements! {
    PLACES = "SELECT branch_id, seq, created_at FROM conversation_messages WHERE id = $1 AND owner_id = $2 \
        ORDER BY feed_seq DESC";
    PLACE = "SELECT branch_id, seq, created_at FROM conversation_messages WHERE branch_id = $1 AND owner_id = $2 \
        AND seq = $3";
    BEFORE = "SELECT seq FROM conversation_messages WHERE branch_id = $1 AND owner_id = $2 AND seq >= $3 AND seq < $4 \
        AND role <> 'tool' ORDER BY seq DESC LIMIT $5";
    AFTER = "SELECT seq FROM conversation_messages WHERE branch_id = $1 AND owner_id = $2 AND seq >= $3 AND seq < $4 \
        AND role <> 'tool' ORDER BY seq LIMIT $5";
    AGENT_BEFORE = concat!("SELECT ", unread!(), " FROM conversation_messages \
        WHERE branch_id = $1 AND owner_id = $2 AND seq >= $3 AND seq < $4 AND role = 'assistant' ORDER BY seq DESC LIMIT 1");
}

/// Where the message stands; on several branches where a run told it twice, the newest first.
pub async fn places(tx: &mut Tx, owner: OwnerId, id: MessageId) -> Result<Vec<Place>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(PLACES).bind(id.uuid()).bind(owner.uuid()).fetch_all(c).await);
    Ok(all(rows.act("look for a message")?))
}

/// Where message `seq` of the conversation at `at` stands; `None` where it has no such message.
pub async fn place(
    tx: &mut Tx,
    owner: OwnerId,
    lineage: &[Branch],
    at: Position,
    seq: i64,
) -> Result<Option<Place>, StoreError> {
    let spans = spans(lineage, at)?;
    let Some(span) = spans.iter().find(|span| span.seqs.contains(&seq)) else { return Ok(None) };
    let row = on!(tx, |c| sqlx::query_as(PLACE)
        .bind(span.branch.uuid())
        .bind(owner.uuid())
        .bind(seq)
        .fetch_optional(c)
        .await);
    Ok(one(row.act("look for a message")?))
}

/// How many messages the conversation at `at` had at this time: the last of them is from then or before, and the one after it from
/// later. Found by halving, so that it takes no index of its own; where clocks went back there may be several such places, and it
/// is one of them, the end if that is one.
pub async fn until(
    tx: &mut Tx,
    owner: OwnerId,
    lineage: &[Branch],
    at: Position,
    time: Timestamp,
) -> Result<i64, StoreError> {
    // `from` messages are from then or before, as far as was looked; message `to` is from later.
    let (mut from, mut to) = (0, at.seq);
    let mut looked = at.seq - 1;
    while from < to {
        let place = place(tx, owner, lineage, at, looked).await?;
        if place.is_none_or(|place| place.at > time) {
            to = looked;
        } else {
            from = looked + 1;
        }
        looked = from + (to - from) / 2;
    }
    Ok(from)
}

/// The numbers of the last messages before `end` of the conversation at `at`, the last one first, without tools' results.
pub async fn last_before(
    tx: &mut Tx,
    owner: OwnerId,
    lineage: &[Branch],
    at: Position,
    end: i64,
    count: usize,
) -> Result<Vec<i64>, StoreError> {
    let mut seqs = Vec::new();
    for Span { branch, seqs: span } in spans(lineage, at)?.into_iter().rev() {
        if seqs.len() < count && span.start < end {
            let end = end.min(span.end);
            seqs.extend(
                without_results(tx, owner, BEFORE, (branch, span.start, end), count - seqs.len()).await?,
            );
        }
    }
    Ok(seqs)
}

/// The numbers of the first messages from `start` on of the conversation at `at`, in order, without tools' results.
pub async fn first_after(
    tx: &mut Tx,
    owner: OwnerId,
    lineage: &[Branch],
    at: Position,
    start: i64,
    count: usize,
) -> Result<Vec<i64>, StoreError> {
    let mut seqs = Vec::new();
    for Span { branch, seqs: span } in spans(lineage, at)? {
        if seqs.len() < count && start < span.end {
            let start = start.max(span.start);
            seqs.extend(
                without_results(tx, owner, AFTER, (branch, start, span.end), count - seqs.len()).await?,
            );
        }
    }
    Ok(seqs)
}

async fn without_results(
    tx: &mut Tx,
    owner: OwnerId,
    statement: &'static str,
    (branch, start, end): (BranchId, i64, i64),
    count: usize,
) -> Result<Vec<i64>, StoreError> {
    on!(tx, |c| sqlx::query_scalar(statement)
        .bind(branch.uuid())
        .bind(owner.uuid())
        .bind(start)
        .bind(end)
        .bind(i64::try_from(count).unwrap_or(i64::MAX))
        .fetch_all(c)
        .await)
    .act("look for messages")
}

/// The agent's last message before message `seq` of the conversation at `at`.
pub async fn agent_before(
    tx: &mut Tx,
    owner: OwnerId,
    lineage: &[Branch],
    at: Position,
    seq: i64,
) -> Result<Option<UnreadMessage>, StoreError> {
    for Span { branch, seqs: span } in spans(lineage, at)?.into_iter().rev() {
        if span.start >= seq {
            continue;
        }
        let row = on!(tx, |c| sqlx::query_as(AGENT_BEFORE)
            .bind(branch.uuid())
            .bind(owner.uuid())
            .bind(span.start)
            .bind(seq.min(span.end))
            .fetch_optional(c)
            .await);
        if let Some(message) = one(row.act("look for a tool's call")?) {
            return Ok(Some(message));
        }
    }
    Ok(None)
}
