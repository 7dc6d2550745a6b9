//! Writing agents' own records, packed beside the messages that they belong to.

use super::{NewMessage, NewRecord};
use crate::{
    StoreError, Tx,
    codec::{Packed, pack_record, unpack},
    columns::{Cells, Entity, one, wrong},
    db::{affected, on},
    error::Act,
    statements::{portions, statements},
};
use makima_model::{BranchId, OwnerId};
use sqlx::AssertSqlSafe;

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
    records: Vec<(i64, NewRecord)>,
    messages: &[(i64, NewMessage)],
) -> Result<(), StoreError> {
    let mut texts = Texts { written: messages, last: None };
    let mut rows = Vec::with_capacity(records.len());
    for (ordinal, record) in records {
        let text = texts.of(tx, record.owner, (record.branch, record.seq)).await?;
        let packed = pack_record(&record.content, text);
        rows.push((ordinal, record, packed));
    }
    for portion in portions(&rows) {
        on!(tx, |c| {
            let mut insert = sqlx::query(AssertSqlSafe(RECORDS.of(portion.len())));
            for (ordinal, record, packed) in portion {
                insert = insert
                    .bind(record.owner.uuid())
                    .bind(record.branch.uuid())
                    .bind(record.seq)
                    .bind(ordinal)
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
    written: &'a [(i64, NewMessage)],
    /// The last one that was asked for: the records of one message come one after the other.
    last: Option<(Place, Option<Vec<u8>>)>,
}

impl Texts<'_> {
    async fn of(&mut self, tx: &mut Tx, owner: OwnerId, place: Place) -> Result<Option<&[u8]>, StoreError> {
        if self.last.as_ref().is_none_or(|(known, _)| *known != place) {
            let mut written = self.written.iter().map(|(_, message)| message);
            let packed = match written.find(|message| (message.branch, message.seq) == place) {
                Some(message) => Some(message.body.clone()),
                None => stored(tx, owner, place).await?,
            };
            let text = packed.map(|packed| unpack(packed.codec, packed.body)).transpose();
            let text = text.map_err(|error| wrong("body", error)).act("read what a record belongs to")?;
            self.last = Some((place, text));
        }
        Ok(self.last.as_ref().and_then(|(_, text)| text.as_deref()))
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
