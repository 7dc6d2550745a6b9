//! Reading a conversation of any length, a piece at a time.

use super::{
    StoredMessage, UnreadMessage,
    message::{Read, read_span, size, sizes},
};
use crate::{
    Db, StoreError, Tx,
    page::{PIECE_BYTES, PIECE_ROWS, fitting},
};
use makima_model::{
    Branch, OwnerId, Position,
    branch::{Span, spans},
};
use std::{collections::VecDeque, ops::Range};

/// Reads messages of a conversation in order, a piece at a time, so that never more than a piece is held. Each piece is read
/// in a transaction of its own: what is behind a position never changes, and a slow listener holds nothing open.
#[derive(Debug)]
pub struct Reader {
    db: Db,
    owner: OwnerId,
    spans: VecDeque<Span>,
    with_results: bool,
}

impl Reader {
    /// Reads messages `seqs` of the conversation at `at`. `lineage` is [that](super::lineage) of the position's branch.
    pub fn new(
        db: &Db,
        owner: OwnerId,
        lineage: &[Branch],
        at: Position,
        seqs: Range<i64>,
    ) -> Result<Self, StoreError> {
        let spans = spans(lineage, at)?
            .into_iter()
            .map(|span| Span {
                branch: span.branch,
                seqs: seqs.start.max(span.seqs.start)..seqs.end.min(span.seqs.end),
            })
            .filter(|span| !span.seqs.is_empty())
            .collect();
        Ok(Self { db: db.clone(), owner, spans, with_results: true })
    }

    /// The same without tools' results.
    #[must_use]
    pub fn without_results(self) -> Self {
        Self { with_results: false, ..self }
    }

    /// The next messages; empty when there are no more.
    pub async fn next(&mut self) -> Result<Vec<StoredMessage>, StoreError> {
        self.piece().await
    }

    /// The same, to be passed on.
    pub async fn next_unread(&mut self) -> Result<Vec<UnreadMessage>, StoreError> {
        self.piece().await
    }

    /// The same, in this transaction.
    pub async fn next_unread_in(&mut self, tx: &mut Tx) -> Result<Vec<UnreadMessage>, StoreError> {
        self.piece_in(tx).await
    }

    /// Whether there are no more messages.
    pub fn is_at_end(&self) -> bool {
        self.spans.is_empty()
    }

    async fn piece<M: Read>(&mut self) -> Result<Vec<M>, StoreError> {
        if self.is_at_end() {
            return Ok(Vec::new());
        }
        self.piece_in(&mut self.db.read().await?).await
    }

    async fn piece_in<M: Read>(&mut self, tx: &mut Tx) -> Result<Vec<M>, StoreError> {
        while let Some(span) = self.spans.front_mut() {
            let most = span.seqs.start..span.seqs.end.min(span.seqs.start.saturating_add(PIECE_ROWS));
            let size = size(tx, self.owner, span.branch, most.clone()).await?;
            let end = if size.bytes <= PIECE_BYTES {
                most.start + size.messages
            } else {
                most.start + fitting(&sizes(tx, self.owner, span.branch, most.clone()).await?)
            };
            let messages = read_span(tx, self.owner, span.branch, most.start..end, self.with_results).await?;
            span.seqs.start = end;
            if span.seqs.is_empty() || size.messages == 0 {
                self.spans.pop_front();
            }
            if !messages.is_empty() {
                return Ok(messages);
            }
        }
        Ok(Vec::new())
    }
}
