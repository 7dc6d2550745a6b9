//! The next things that an owner's index has not yet.

use super::{
    Standing,
    document::{Document, Maker},
    micros, standing,
};
use crate::{
    StoreError, Tx, Wake,
    columns::{Cells, Entity, all, maybe_text},
    db::{affected, on},
    error::Act,
    events,
    statements::{portions, statements},
};
use makima_model::{CheckpointId, ContractId, MessageRole, OwnerId, TaskId};
use sqlx::AssertSqlSafe;

/// How many numbers a portion has at most, and how many bytes of messages, packed, but for a single message that has more: whoever
/// else wants to write waits while it is written.
const NUMBERS: i64 = 256;
const BYTES: i64 = 1 << 17;

/// How much a message takes.
struct Size {
    seq: i64,
    bytes: i64,
}

impl Entity for Size {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self { seq: cells.int("feed_seq")?, bytes: cells.int("bytes")? })
    }
}

statements! {
    SIZES = "SELECT feed_seq, CAST(length(body) AS BIGINT) AS bytes FROM conversation_messages \
        WHERE owner_id = $1 AND feed_seq > $2 AND feed_seq <= $3 ORDER BY feed_seq";
    ADVANCE = "UPDATE search_owners SET seq = $4 WHERE owner_id = $1 AND seq = $2 AND erasures = $3";
    @inserts {
        DOCUMENTS = "INSERT INTO search_documents (id, task_id, contract_id, checkpoint_id, role, tools, is_error, moment)";
    }
    @dialects {
        WORDS = "INSERT INTO search_words (rowid, words) VALUES ($1, $3)",
            "INSERT INTO search_words (rowid, piece, words) VALUES ($1, $2, CAST(CAST($3 AS TEXT) AS TSVECTOR))";
    }
}

/// Documents that are made, and are to be kept.
#[derive(Debug)]
#[must_use = "a portion that isn't kept can't be found"]
pub struct Portion {
    owner: OwnerId,
    after: Standing,
    last: i64,
    documents: Vec<Document>,
}

impl Portion {
    /// Reads what comes next; `None`: everything is there. All that takes time is done here, in a transaction that keeps nobody waiting.
    pub async fn read(tx: &mut Tx, owner: OwnerId) -> Result<Option<Self>, StoreError> {
        let Some(after) = standing(tx, owner).await? else { return Ok(None) };
        if after.behind() <= 0 {
            return Ok(None);
        }
        let last = fitting(tx, owner, after.seq, after.newest.min(after.seq + NUMBERS)).await?;
        let items = events::between(tx, owner, after.seq, last).await?;
        let maker = Maker { number: after.number, engine: tx.engine() };
        let mut documents = Vec::with_capacity(items.len());
        for item in items {
            documents.extend(maker.document(tx, &item).await?);
        }
        Ok(Some(Self { owner, after, last, documents }))
    }

    /// Keeps it. `false`: another server was before us, or something was erased since it was read, and nothing is done.
    pub async fn keep(self, tx: &mut Tx) -> Result<bool, StoreError> {
        let act = "advance an index";
        let Self { owner, after, last, documents } = self;
        let advanced = on!(tx, |c| sqlx::query(ADVANCE)
            .bind(owner.uuid())
            .bind(after.seq)
            .bind(after.erasures)
            .bind(last)
            .execute(c)
            .await
            .map(affected))
        .act(act)?;
        if advanced == 0 {
            return Ok(false);
        }
        let base = after.base();
        for portion in portions(&documents) {
            insert(tx, base, portion).await?;
        }
        let statement = WORDS.of(tx.engine());
        for document in &documents {
            for (piece, words) in (0_i64..).zip(&document.words) {
                on!(tx, |c| sqlx::query(statement)
                    .bind(base + document.seq)
                    .bind(piece)
                    .bind(words.as_str())
                    .execute(c)
                    .await
                    .map(affected))
                .act("index words")?;
            }
        }
        tx.wake(Wake::Indexed(owner));
        Ok(true)
    }
}

/// The last number of a portion that begins after `seq`.
async fn fitting(tx: &mut Tx, owner: OwnerId, seq: i64, last: i64) -> Result<i64, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(SIZES).bind(owner.uuid()).bind(seq).bind(last).fetch_all(c).await);
    let sizes: Vec<Size> = all(rows.act("measure messages")?);
    let mut bytes = 0;
    for (before, Size { seq, bytes: more }) in sizes.iter().enumerate() {
        bytes += more;
        if bytes > BYTES {
            return Ok(if before == 0 { *seq } else { seq - 1 });
        }
    }
    Ok(last)
}

async fn insert(tx: &mut Tx, base: i64, documents: &[Document]) -> Result<(), StoreError> {
    let statement = DOCUMENTS.of(tx.engine(), documents.len());
    on!(tx, |c| {
        let mut insert = sqlx::query(AssertSqlSafe(statement));
        for document in documents {
            insert = insert
                .bind(base + document.seq)
                .bind(document.task.map(TaskId::uuid))
                .bind(document.contract.map(ContractId::uuid))
                .bind(document.checkpoint.map(CheckpointId::uuid))
                .bind(document.role.map(MessageRole::as_str))
                .bind(maybe_text(document.tools.as_deref()))
                .bind(document.is_error)
                .bind(micros(document.at));
        }
        insert.execute(c).await.map(affected)
    })
    .act("index what happened")?;
    Ok(())
}
