//! What the agent itself recorded, verbatim: lines of its session's files. Each belongs to a message by its number, so that a
//! prefix of the conversation is a prefix of the session.

use crate::{
    Db, StoreError, Tx,
    codec::{pack, unpacked},
    columns::{Cells, Entity, all, maybe_text, text, wrong},
    db::{affected, on},
    error::Act,
    page::{PIECE_ROWS, fitting},
    statements::{portions, statements},
};
use makima_model::{
    Branch, BranchId, NativeLine, OwnerId, Position,
    branch::{Span, spans},
};
use sqlx::AssertSqlSafe;
use std::collections::VecDeque;

/// A line, and its place on its branch.
struct StoredLine {
    seq: i64,
    ordinal: i64,
    line: NativeLine,
}

impl Entity for StoredLine {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        let line =
            String::from_utf8(unpacked(cells, "codec", "body")?).map_err(|error| wrong("body", error))?;
        Ok(Self {
            seq: cells.int("seq")?,
            ordinal: cells.int("ordinal")?,
            line: NativeLine { uuid: cells.maybe_text("uuid")?, line },
        })
    }
}

statements! {
    LAST_ORDINAL = "SELECT CAST(COALESCE(MAX(ordinal), -1) AS BIGINT) FROM native_entries \
        WHERE branch_id = $1 AND owner_id = $2 AND seq = $3";
    SIZES = "SELECT CAST(length(body) AS BIGINT) FROM native_entries WHERE branch_id = $1 AND owner_id = $2 \
        AND file = $3 AND (seq, ordinal) > ($4, $5) AND seq < $6 ORDER BY seq, ordinal LIMIT $7";
    LINES = "SELECT seq, ordinal, uuid, codec, body FROM native_entries WHERE branch_id = $1 AND owner_id = $2 \
        AND file = $3 AND (seq, ordinal) > ($4, $5) AND seq < $6 ORDER BY seq, ordinal LIMIT $7";
    @inserts {
        APPEND = "INSERT INTO native_entries (owner_id, branch_id, seq, ordinal, file, uuid, codec, body)";
    }
}

/// Appends lines that belong to message `seq` of the branch, behind those that it has. Lines that stand before a branch's
/// own first message have the number before it: −1 at the beginning of all.
pub async fn append(
    tx: &mut Tx,
    owner: OwnerId,
    branch: BranchId,
    seq: i64,
    file: &str,
    lines: &[NativeLine],
) -> Result<(), StoreError> {
    let act = "append an agent's record";
    let last: i64 = on!(tx, |c| sqlx::query_scalar(LAST_ORDINAL)
        .bind(branch.uuid())
        .bind(owner.uuid())
        .bind(seq)
        .fetch_one(c)
        .await)
    .act(act)?;
    let rows: Vec<_> =
        (last + 1..).zip(lines).map(|(ordinal, line)| (ordinal, line, pack(line.line.as_bytes()))).collect();
    for portion in portions(&rows) {
        on!(tx, |c| {
            let mut insert = sqlx::query(AssertSqlSafe(APPEND.of(portion.len())));
            for (ordinal, line, packed) in portion {
                insert = insert
                    .bind(owner.uuid())
                    .bind(branch.uuid())
                    .bind(seq)
                    .bind(ordinal)
                    .bind(text(file))
                    .bind(maybe_text(line.uuid.as_deref()))
                    .bind(packed.codec)
                    .bind(packed.body.as_slice());
            }
            insert.execute(c).await.map(affected)
        })
        .act(act)?;
    }
    Ok(())
}

/// Reads the lines of one of the session's files at a position, in order, a piece at a time.
#[derive(Debug)]
pub struct LineReader {
    db: Db,
    owner: OwnerId,
    file: String,
    spans: VecDeque<Span>,
    /// The place of the last line that was read of the first span.
    after: (i64, i64),
}

/// Before every line of a branch.
const BEGINNING: (i64, i64) = (i64::MIN, i64::MIN);

impl LineReader {
    /// Reads `file` (the main one is the empty name) as it was at `at`. `lineage` is that of the position's branch.
    pub fn new(
        db: &Db,
        owner: OwnerId,
        lineage: &[Branch],
        at: Position,
        file: &str,
    ) -> Result<Self, StoreError> {
        let spans = spans(lineage, at)?.into();
        Ok(Self { db: db.clone(), owner, file: text(file).into_owned(), spans, after: BEGINNING })
    }

    /// The next lines, each with the number of its message; empty when there are no more.
    pub async fn next(&mut self) -> Result<Vec<(i64, NativeLine)>, StoreError> {
        let mut tx = self.db.read().await?;
        while let Some(span) = self.spans.front() {
            let (branch, end) = (span.branch, span.seqs.end);
            let sizes: Vec<i64> = on!(tx, |c| sqlx::query_scalar(SIZES)
                .bind(branch.uuid())
                .bind(self.owner.uuid())
                .bind(self.file.as_str())
                .bind(self.after.0)
                .bind(self.after.1)
                .bind(end)
                .bind(PIECE_ROWS)
                .fetch_all(c)
                .await)
            .act("measure an agent's record")?;
            if sizes.is_empty() {
                self.spans.pop_front();
                self.after = BEGINNING;
                continue;
            }
            let lines = on!(tx, |c| sqlx::query_as(LINES)
                .bind(branch.uuid())
                .bind(self.owner.uuid())
                .bind(self.file.as_str())
                .bind(self.after.0)
                .bind(self.after.1)
                .bind(end)
                .bind(fitting(&sizes))
                .fetch_all(c)
                .await);
            let lines: Vec<StoredLine> = all(lines.act("read an agent's record")?);
            if let Some(last) = lines.last() {
                self.after = (last.seq, last.ordinal);
                return Ok(lines.into_iter().map(|stored| (stored.seq, stored.line)).collect());
            }
            self.spans.pop_front();
            self.after = BEGINNING;
        }
        Ok(Vec::new())
    }
}
