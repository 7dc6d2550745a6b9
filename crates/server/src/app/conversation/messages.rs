//! The messages of a conversation as they are shown: a piece at a time, each tool's result with what the tool was called with.

use makima_model::{Branch, OwnerId, Position};
use makima_store::{Db, Reader, StoreError, Tx, UnreadMessage, conversations};
use serde_json::value::RawValue;
use std::collections::HashMap;

/// How many of the agent's messages before the first one that is shown may hold the calls of results that are.
const LOOKED_BACK: u32 = 100;

/// The messages of a conversation, oldest first.
pub(crate) struct Messages {
    reader: Reader,
    /// A piece that was read before it was asked for.
    ahead: Option<Vec<ShownMessage>>,
    with_calls: bool,
    with_results: bool,
    /// Calls whose results haven't come yet: what the tool was called with isn't stored twice.
    calls: HashMap<String, Box<RawValue>>,
    before: Option<Before>,
}

/// A message that is shown.
pub(crate) struct ShownMessage {
    pub(crate) message: UnreadMessage,
    /// Of a tool's result: what the tool was called with, where that is known.
    pub(crate) input: Option<Box<RawValue>>,
}

/// What was said before the first message that is shown.
struct Before {
    db: Db,
    owner: OwnerId,
    lineage: Vec<Branch>,
    /// How far back it was looked.
    at: Position,
    left: u32,
}

impl Messages {
    pub(crate) fn of(reader: Reader) -> Self {
        Self {
            reader,
            ahead: None,
            with_calls: true,
            with_results: true,
            calls: HashMap::new(),
            before: None,
        }
    }

    /// The same without what tools put out.
    pub(super) fn without_results(self) -> Self {
        Self { reader: self.reader.without_results(), with_results: false, ..self }
    }

    /// The same without what tools were called with.
    pub(super) fn without_calls(self) -> Self {
        Self { with_calls: false, ..self }
    }

    /// The same, of messages from `start` on: the calls of the first results may lie before that.
    pub(crate) fn looking_back(self, db: &Db, owner: OwnerId, lineage: Vec<Branch>, start: Position) -> Self {
        let before = Before { db: db.clone(), owner, lineage, at: start, left: LOOKED_BACK };
        Self { before: Some(before), ..self }
    }

    /// Reads the first piece, in this transaction.
    pub(crate) async fn read_ahead(&mut self, tx: &mut Tx) -> Result<(), StoreError> {
        let unread = self.reader.next_unread_in(tx).await?;
        self.ahead = Some(self.shown(unread, Some(tx)).await?);
        Ok(())
    }

    /// Whether there are no more.
    pub(crate) fn is_at_end(&self) -> bool {
        self.ahead.is_none() && self.reader.is_at_end()
    }

    /// The next piece; empty when there is no more.
    pub(crate) async fn next(&mut self) -> Result<Vec<ShownMessage>, StoreError> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(ahead);
        }
        let unread = self.reader.next_unread().await?;
        self.shown(unread, None).await
    }

    /// The messages with what their tools were called with, which is looked for in this transaction, or else in others.
    async fn shown(
        &mut self,
        unread: Vec<UnreadMessage>,
        mut tx: Option<&mut Tx>,
    ) -> Result<Vec<ShownMessage>, StoreError> {
        let mut piece = Vec::with_capacity(unread.len());
        for mut message in unread {
            let mut input = None;
            if !self.with_calls {
                message.said.tool_calls = None;
            } else if self.with_results {
                self.calls.extend(message.calls()?.into_iter().map(|call| (call.id, call.input)));
                if let Some(id) = &message.said.tool_call_id {
                    input = self.input(id, tx.as_deref_mut()).await?;
                }
            }
            piece.push(ShownMessage { message, input });
        }
        Ok(piece)
    }

    /// What the tool was called with whose result this is.
    async fn input(
        &mut self,
        call: &str,
        mut tx: Option<&mut Tx>,
    ) -> Result<Option<Box<RawValue>>, StoreError> {
        while !self.calls.contains_key(call)
            && let Some(before) = &mut self.before
            && let Some(message) = before.next(tx.as_deref_mut()).await?
        {
            for call in message.calls()? {
                self.calls.entry(call.id).or_insert(call.input);
            }
        }
        Ok(self.calls.remove(call))
    }
}

impl Before {
    /// The agent's last message that wasn't looked at yet.
    async fn next(&mut self, tx: Option<&mut Tx>) -> Result<Option<UnreadMessage>, StoreError> {
        if self.left == 0 || self.at.seq == 0 {
            return Ok(None);
        }
        let mut own = None;
        let tx = match tx {
            Some(tx) => tx,
            None => own.insert(self.db.read().await?),
        };
        let found = conversations::agent_before(tx, self.owner, &self.lineage, self.at, self.at.seq).await?;
        self.left -= 1;
        self.at.seq = found.as_ref().map_or(0, |found| found.seq);
        Ok(found)
    }
}
