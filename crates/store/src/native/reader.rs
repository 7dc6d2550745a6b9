//! Reading an agent's record of any length, a piece at a time.

use super::lines::split;
use crate::{
    Db, StoreError, Tx,
    codec::{maybe_unpacked, unpack_record},
    columns::{Cells, Entity, all, text, wrong},
    db::on,
    error::Act,
    page::{PIECE_ROWS, fitting},
    statements::statements,
};
use makima_model::{
    Branch, NativeLine, OwnerId, Position,
    branch::{Span, spans},
};
use std::collections::VecDeque;

/// A record, and its place on its branch.
pub(crate) struct Stored {
    ordinal: i64,
    record: FileLines,
}

/// Lines that the agent wrote at once.
#[derive(Debug, Clone, PartialEq)]
pub struct FileLines {
    /// The number of the message that they belong to.
    pub seq: i64,
    /// The session's file that they are of; the main one is the empty name.
    pub file: String,
    /// The lines.
    pub lines: Vec<NativeLine>,
}

impl Entity for Stored {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        let message = maybe_unpacked(cells, "message_codec", "message_body")?;
        let record = unpack_record(cells.int("codec")?, cells.bytes("body")?, message.as_deref());
        let record = record.map_err(|error| wrong("body", error))?;
        let record = FileLines { seq: cells.int("seq")?, file: cells.text("file")?, lines: split(&record)? };
        Ok(Self { ordinal: cells.int("ordinal")?, record })
    }
}

/// Records of one file, or of all, behind a place on a branch, with the messages that they belong to.
macro_rules! records {
    ($columns:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM native_entries AS record LEFT JOIN conversation_messages AS message \
            ON message.branch_id = record.branch_id AND message.seq = record.seq \
            WHERE record.branch_id = $1 AND record.owner_id = $2 \
            AND (record.file = $3 OR $3 IS NULL) AND (record.seq, record.ordinal) > ($4, $5) AND record.seq < $6 \
            ORDER BY record.seq, record.ordinal LIMIT $7"
        )
    };
}

statements! {
    SIZES = records!("CAST(length(record.body) + COALESCE(length(message.body), 0) AS BIGINT)");
    RECORDS = records!("record.seq, record.ordinal, record.file, record.codec, record.body, \
        message.codec AS message_codec, message.body AS message_body");
}

/// Reads the lines of one of the session's files at a position, or of all of them on a branch, in order, a piece at a time.
#[derive(Debug)]
pub struct LineReader {
    db: Db,
    owner: OwnerId,
    /// `None`: all of them.
    file: Option<String>,
    spans: VecDeque<Span>,
    /// The place of the last record that was read of the first span.
    after: (i64, i64),
}

/// Before every record of a branch.
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
        let file = Some(text(file).into_owned());
        Ok(Self { db: db.clone(), owner, file, spans, after: BEGINNING })
    }

    /// Reads what belongs to a branch's own messages up to its head, of all files.
    pub fn of_branch(db: &Db, owner: OwnerId, branch: &Branch) -> Self {
        let spans = [Span { branch: branch.id, seqs: branch.base_seq()..branch.head_seq }].into();
        Self { db: db.clone(), owner, file: None, spans, after: BEGINNING }
    }

    /// The next lines, each with the number of its message; empty when there are no more.
    pub async fn next(&mut self) -> Result<Vec<(i64, NativeLine)>, StoreError> {
        let records = self.records().await?;
        let lines = records
            .into_iter()
            .flat_map(|FileLines { seq, lines, .. }| lines.into_iter().map(move |line| (seq, line)));
        Ok(lines.collect())
    }

    /// The same, as the agent wrote them together.
    pub async fn records(&mut self) -> Result<Vec<FileLines>, StoreError> {
        let mut tx = self.db.read().await?;
        while let Some(span) = self.spans.front().cloned() {
            let records = self.piece(&mut tx, &span).await?;
            if let Some(last) = records.last() {
                self.after = (last.record.seq, last.ordinal);
                return Ok(records.into_iter().map(|stored| stored.record).collect());
            }
            self.spans.pop_front();
            self.after = BEGINNING;
        }
        Ok(Vec::new())
    }

    async fn piece(&self, tx: &mut Tx, span: &Span) -> Result<Vec<Stored>, StoreError> {
        let (after, end) = (self.after, span.seqs.end);
        let sizes: Vec<i64> = on!(tx, |c| sqlx::query_scalar(SIZES)
            .bind(span.branch.uuid())
            .bind(self.owner.uuid())
            .bind(self.file.as_deref())
            .bind(after.0)
            .bind(after.1)
            .bind(end)
            .bind(PIECE_ROWS)
            .fetch_all(c)
            .await)
        .act("measure an agent's record")?;
        let rows = on!(tx, |c| sqlx::query_as(RECORDS)
            .bind(span.branch.uuid())
            .bind(self.owner.uuid())
            .bind(self.file.as_deref())
            .bind(after.0)
            .bind(after.1)
            .bind(end)
            .bind(fitting(&sizes))
            .fetch_all(c)
            .await);
        Ok(all(rows.act("read an agent's record")?))
    }
}
