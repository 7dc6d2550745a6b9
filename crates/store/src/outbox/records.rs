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
use std::collections::HashMap;

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

/// Writes records with their numbers. `messages` are those that the same transaction wrote.
pub(super) async fn write_records(
    tx: &mut Tx,
    records: Vec<(i64, NewRecord)>,
    messages: &[(i64, NewMessage)],
) -> Result<(), StoreError> {
    let act = "write agents' records";
    let written: HashMap<(BranchId, i64), &Packed> =
        messages.iter().map(|(_, message)| ((message.branch, message.seq), &message.body)).collect();
    // The records of one message come one after the other.
    let mut last: Option<((BranchId, i64), Option<Vec<u8>>)> = None;
    let mut rows = Vec::with_capacity(records.len());
    for (ordinal, record) in records {
        let message = (record.branch, record.seq);
        let content = match last.take() {
            Some((known, content)) if known == message => content,
            _ => {
                let read;
                let packed = match written.get(&message) {
                    Some(packed) => Some(*packed),
                    None => {
                        read = content(tx, record.owner, message).await?;
                        read.as_ref()
                    }
                };
                packed
                    .map(|packed| unpack(packed.codec, packed.body.clone()))
                    .transpose()
                    .map_err(|error| wrong("body", error))
                    .act(act)?
            }
        };
        let packed = pack_record(&record.content, content.as_deref());
        last = Some((message, content));
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
        .act(act)?;
    }
    Ok(())
}

/// What a message says that was there before.
async fn content(
    tx: &mut Tx,
    owner: OwnerId,
    (branch, seq): (BranchId, i64),
) -> Result<Option<Packed>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(CONTENT)
        .bind(branch.uuid())
        .bind(owner.uuid())
        .bind(seq)
        .fetch_optional(c)
        .await);
    Ok(one(row.act("read what a record belongs to")?).map(|Content(packed)| packed))
}
