//! Writing agents' own records, packed beside the messages that they belong to: most were, before the transaction began.

use super::{NewMessage, NewRecord};
use crate::{
    StoreError, Tx,
    codec::{Packed, pack_record, unpack},
    columns::{Cells, Entity, one, wrong},
    conversations::Body,
    db::{affected, on},
    error::Act,
    statements::{portions, statements},
};
use makima_model::{BranchId, OwnerId};
use sqlx::AssertSqlSafe;
use std::{borrow::Cow, collections::HashMap, sync::Arc};

/// What a message says, as its row has it.
struct Content(Packed);

impl Entity for Content {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self(Packed { codec: cells.int("codec")?, body: cells.bytes("body")? }))
    }
}

statements! {
    CONTENT = "SELECT codec, body FROM conversation_messages WHERE branch_id = $1 AND owner_id = $2 AND seq = $3";
    @inserts {
        RECORDS = "INSERT INTO native_entries (owner_id, branch_id, seq, ordinal, file, codec, body)";
    }
}

/// Where a message stands.
type Place = (BranchId, i64);

/// Writes records with their numbers. `messages` are those that the same transaction wrote.
pub(super) async fn write_records(
    tx: &mut Tx,
    records: &[(i64, NewRecord)],
    messages: &[(i64, NewMessage)],
) -> Result<(), StoreError> {
    let bodies = messages.iter().map(|(_, new)| ((new.branch, new.seq), &new.message.body));
    let mut texts = Texts { written: bodies.collect(), last: None };
    let mut rows = Vec::with_capacity(records.len());
    for (ordinal, record) in records {
        rows.push((ordinal, record, texts.packed(tx, record).await?));
    }
    for portion in portions(&rows) {
        let statement = RECORDS.of(tx.engine(), portion.len());
        on!(tx, |c| {
            let mut insert = sqlx::query(AssertSqlSafe(statement));
            for (ordinal, record, packed) in portion {
                insert = insert
                    .bind(record.owner.uuid())
                    .bind(record.branch.uuid())
                    .bind(record.seq)
                    .bind(*ordinal)
                    .bind(record.file.as_str())
                    .bind(packed.codec)
                    .bind(packed.body.as_slice());
            }
            insert.execute(c).await.map(affected)
        })
        .act("write agents' records")?;
    }
    Ok(())
}

/// What messages say: those of this transaction, and those that were there before.
struct Texts<'a> {
    written: HashMap<Place, &'a Arc<Body>>,
    /// The last one of those before that was asked for: the records of one message come one after the other.
    last: Option<(Place, Option<Vec<u8>>)>,
}

impl Texts<'_> {
    /// The record, packed beside the message that stands where it belongs.
    async fn packed<'r>(
        &mut self,
        tx: &mut Tx,
        record: &'r NewRecord,
    ) -> Result<Cow<'r, Packed>, StoreError> {
        let place = (record.branch, record.seq);
        if let Some(body) = self.written.get(&place) {
            return Ok(match record.lines.packed_beside(body) {
                Some(packed) => Cow::Borrowed(packed),
                None => Cow::Owned(pack_record(record.lines.content(), Some(&body.content))),
            });
        }
        if self.last.as_ref().is_none_or(|(known, _)| *known != place) {
            let packed = stored(tx, record.owner, place).await?;
            let text = packed.map(|packed| unpack(packed.codec, packed.body)).transpose();
            let text = text.map_err(|error| wrong("body", error)).act("read what a record belongs to")?;
            self.last = Some((place, text));
        }
        let text = self.last.as_ref().and_then(|(_, text)| text.as_deref());
        Ok(Cow::Owned(pack_record(record.lines.content(), text)))
    }
}

/// What a message says that was there before.
async fn stored(tx: &mut Tx, owner: OwnerId, (branch, seq): Place) -> Result<Option<Packed>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(CONTENT)
        .bind(branch.uuid())
        .bind(owner.uuid())
        .bind(seq)
        .fetch_optional(c)
        .await);
    Ok(one(row.act("read what a record belongs to")?).map(|Content(packed)| packed))
}
