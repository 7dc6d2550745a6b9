//! Requests that are carried out once, however often they are sent.
//!
//! A request is [claimed](claim) before it is carried out; what came of it is [noted](note_effect) in the transaction of its
//! effect, so that both are there or neither is; its answer is [kept](keep_answer) for whoever sends it again. An attempt
//! that no longer [renews](renew) its hold has died: the next one takes over, and goes on from the effect if there is one.
//! An attempt that only seemed dead finds itself replaced when it comes to its effect, and has none.

use crate::{
    StoreError, Tx,
    codec::{maybe_unpacked, pack},
    columns::{At, Cells, Entity, one},
    db::{affected, on},
    error::Act,
    statements::statements,
};
use makima_model::{AttemptId, OwnerId, Timestamp};
use sqlx::types::Uuid;
use std::time::Duration;

/// A request that is to be carried out once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Whose request it is.
    pub owner: OwnerId,
    /// The method and the path.
    pub route: &'a str,
    /// What its sender calls it.
    pub key: &'a str,
    /// The hash of all else that was asked.
    pub request: &'a [u8; 32],
}

/// What a request was answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The tag of what was answered.
    pub etag: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Whether a request is to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// By the attempt that claimed it. An effect that is there already isn't made again.
    Yours {
        /// What an earlier attempt came to, of which nobody was told.
        effect: Option<Uuid>,
    },
    /// Not now: another attempt is about to.
    InProgress,
    /// No: the key was used for another request.
    OtherRequest,
    /// No: it was, and this was the answer.
    Answered(Answer),
}

/// A row.
struct Known {
    request: Vec<u8>,
    held_until: Timestamp,
    effect: Option<Uuid>,
    status: Option<i64>,
    etag: Option<String>,
    body: Option<Vec<u8>>,
    created_at: Timestamp,
}

impl Entity for Known {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            request: cells.bytes("request")?,
            held_until: cells.at("held_until")?,
            effect: cells.maybe_uuid("effect_id")?,
            status: cells.maybe_int("status")?,
            etag: cells.maybe_text("etag")?,
            body: maybe_unpacked(cells, "codec", "body")?,
            created_at: cells.at("created_at")?,
        })
    }
}

statements! {
    BEGIN = "INSERT INTO idempotency_keys (owner_id, route, idempotency_key, request, attempt_id, held_until, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (owner_id, route, idempotency_key) DO NOTHING";
    // Changes nothing: who has the row's lock goes by what it reads.
    LOCK = "UPDATE idempotency_keys SET created_at = created_at \
        WHERE owner_id = $1 AND route = $2 AND idempotency_key = $3 RETURNING *";
    BEGIN_ANEW = "UPDATE idempotency_keys SET request = $4, attempt_id = $5, held_until = $6, created_at = $7, \
        effect_id = NULL, status = NULL, etag = NULL, codec = NULL, body = NULL \
        WHERE owner_id = $1 AND route = $2 AND idempotency_key = $3";
    TAKE_OVER = "UPDATE idempotency_keys SET attempt_id = $4, held_until = $5 \
        WHERE owner_id = $1 AND route = $2 AND idempotency_key = $3";
    RENEW = "UPDATE idempotency_keys SET held_until = $3 WHERE attempt_id = $1 AND owner_id = $2 AND status IS NULL";
    NOTE_EFFECT = "UPDATE idempotency_keys SET effect_id = $3 \
        WHERE attempt_id = $1 AND owner_id = $2 AND effect_id IS NULL AND status IS NULL";
    KEEP_ANSWER = "UPDATE idempotency_keys SET status = $3, etag = $4, codec = $5, body = $6 \
        WHERE attempt_id = $1 AND owner_id = $2 AND status IS NULL";
    FORGET_UNDONE = "DELETE FROM idempotency_keys \
        WHERE attempt_id = $1 AND owner_id = $2 AND effect_id IS NULL AND status IS NULL";
    FORGET_OLD = "DELETE FROM idempotency_keys WHERE attempt_id IN \
        (SELECT attempt_id FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
    HAS_OLD = "SELECT COUNT(*) FROM (SELECT 1 FROM idempotency_keys WHERE created_at < $1 LIMIT 1) AS old";
}

/// Claims a request for an attempt, which holds it for `lease` and is remembered for `kept`.
pub async fn claim(
    tx: &mut Tx,
    asked: Asked<'_>,
    attempt: AttemptId,
    lease: Duration,
    kept: Duration,
) -> Result<Claim, StoreError> {
    let act = "claim a request";
    let now = tx.now().await?;
    let until = now.plus(lease);
    let Asked { owner, route, key, request } = asked;
    for statement in [BEGIN, BEGIN_ANEW] {
        let begun = on!(tx, |c| sqlx::query(statement)
            .bind(owner.uuid())
            .bind(route)
            .bind(key)
            .bind(request.as_slice())
            .bind(attempt.uuid())
            .bind(At(until))
            .bind(At(now))
            .execute(c)
            .await
            .map(affected))
        .act(act)?;
        if begun > 0 {
            return Ok(Claim::Yours { effect: None });
        }
        let row = on!(tx, |c| sqlx::query_as(LOCK)
            .bind(owner.uuid())
            .bind(route)
            .bind(key)
            .fetch_optional(c)
            .await);
        let Some(known) = one::<Known>(row.act(act)?) else {
            // It was forgotten in this very moment.
            return Ok(Claim::InProgress);
        };
        if known.created_at >= now.minus(kept) {
            return take_over(tx, asked, attempt, known, (now, until)).await;
        }
    }
    Ok(Claim::InProgress)
}

/// Claims a request of which something is known.
async fn take_over(
    tx: &mut Tx,
    Asked { owner, route, key, request }: Asked<'_>,
    attempt: AttemptId,
    known: Known,
    (now, until): (Timestamp, Timestamp),
) -> Result<Claim, StoreError> {
    if known.request != request {
        return Ok(Claim::OtherRequest);
    }
    if let Some(status) = known.status {
        let status = u16::try_from(status).unwrap_or_default();
        return Ok(Claim::Answered(Answer {
            status,
            etag: known.etag,
            body: known.body.unwrap_or_default(),
        }));
    }
    if known.held_until > now {
        return Ok(Claim::InProgress);
    }
    on!(tx, |c| sqlx::query(TAKE_OVER)
        .bind(owner.uuid())
        .bind(route)
        .bind(key)
        .bind(attempt.uuid())
        .bind(At(until))
        .execute(c)
        .await
        .map(affected))
    .act("take a request over")?;
    Ok(Claim::Yours { effect: known.effect })
}

/// Holds a request for another `lease` from now on. Whether the attempt still has it.
pub async fn renew(
    tx: &mut Tx,
    owner: OwnerId,
    attempt: AttemptId,
    lease: Duration,
) -> Result<bool, StoreError> {
    let until = tx.now().await?.plus(lease);
    let held = on!(tx, |c| sqlx::query(RENEW)
        .bind(attempt.uuid())
        .bind(owner.uuid())
        .bind(At(until))
        .execute(c)
        .await
        .map(affected))
    .act("go on with a request")?;
    Ok(held > 0)
}

/// Notes, within the effect's own transaction, what a request came to. Whether the attempt still has it: if not, the
/// transaction must not be committed, since another one makes the effect.
pub async fn note_effect(
    tx: &mut Tx,
    owner: OwnerId,
    attempt: AttemptId,
    effect: Uuid,
) -> Result<bool, StoreError> {
    let noted = on!(tx, |c| sqlx::query(NOTE_EFFECT)
        .bind(attempt.uuid())
        .bind(owner.uuid())
        .bind(effect)
        .execute(c)
        .await
        .map(affected))
    .act("note what a request came to")?;
    Ok(noted > 0)
}

/// Keeps the answer to a request, for whoever sends it again. Whether the attempt still had it.
pub async fn keep_answer(
    tx: &mut Tx,
    owner: OwnerId,
    attempt: AttemptId,
    answer: &Answer,
) -> Result<bool, StoreError> {
    let packed = pack(&answer.body);
    let kept = on!(tx, |c| sqlx::query(KEEP_ANSWER)
        .bind(attempt.uuid())
        .bind(owner.uuid())
        .bind(i64::from(answer.status))
        .bind(answer.etag.as_deref())
        .bind(packed.codec)
        .bind(packed.body)
        .execute(c)
        .await
        .map(affected))
    .act("keep an answer")?;
    Ok(kept > 0)
}

/// Gives a request up: without an effect as if it had never been sent, else for the next attempt to go on with at once.
pub async fn give_up(tx: &mut Tx, owner: OwnerId, attempt: AttemptId) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(FORGET_UNDONE)
        .bind(attempt.uuid())
        .bind(owner.uuid())
        .execute(c)
        .await
        .map(affected))
    .act("give a request up")?;
    renew(tx, owner, attempt, Duration::ZERO).await?;
    Ok(())
}

/// Whether there is a request to [forget](forget_old): any owner.
pub async fn has_old(tx: &mut Tx, before: Timestamp) -> Result<bool, StoreError> {
    let old: i64 = on!(tx, |c| sqlx::query_scalar(HAS_OLD).bind(At(before)).fetch_one(c).await)
        .act("look for old requests")?;
    Ok(old > 0)
}

/// Forgets the oldest requests that were sent before this, at most `limit`; says how many there were: any owner.
pub async fn forget_old(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    on!(tx, |c| sqlx::query(FORGET_OLD).bind(At(before)).bind(limit).execute(c).await.map(affected))
        .act("forget old requests")
}
