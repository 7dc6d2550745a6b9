//! Conversations, read a piece at a time.

use super::{App, tasks::existing};
use crate::{caller::Caller, error::ApiError};
use makima_model::{NativeLine, Position, RunId, TaskId};
use makima_store::{Reader, StoreError, StoredMessage, Task, conversations, native::LineReader};
use makima_wire::frame::SessionLine;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};

/// A task's conversation, at one moment.
pub(crate) struct ConversationView {
    pub(crate) task: Task,
    pub(crate) messages: Messages,
}

/// The messages of a conversation, oldest first, each tool's result with what the tool was called with.
pub(crate) struct Messages {
    reader: Reader,
    /// Calls whose results haven't come yet: what the tool was called with isn't stored twice.
    calls: HashMap<String, Value>,
}

impl Messages {
    pub(super) fn of(reader: Reader) -> Self {
        Self { reader, calls: HashMap::new() }
    }

    /// The next piece; empty when there is no more.
    pub(crate) async fn next(&mut self) -> Result<Vec<(StoredMessage, Option<Value>)>, StoreError> {
        let piece = self.reader.next().await?;
        Ok(piece
            .into_iter()
            .map(|stored| {
                for call in &stored.message.tool_calls {
                    self.calls.insert(call.id.clone(), call.input.clone());
                }
                let input = stored.message.tool_call_id.as_ref().and_then(|id| self.calls.remove(id));
                (stored, input)
            })
            .collect())
    }
}

/// What a run goes on with: of each message the lines of the agent's own record where there are any, else the message.
pub(crate) struct Session {
    messages: Reader,
    lines: LineReader,
    /// Lines that were read ahead, with the number of their message.
    ahead: VecDeque<(i64, NativeLine)>,
    lines_end: bool,
    end: bool,
}

impl Session {
    /// The next piece; empty when there is no more.
    pub(crate) async fn next(&mut self) -> Result<Vec<SessionLine>, StoreError> {
        let mut piece = Vec::new();
        if self.end {
            return Ok(piece);
        }
        let messages = self.messages.next().await?;
        if messages.is_empty() {
            self.end = true;
            self.take_lines(i64::MAX, &mut piece).await?;
        }
        for stored in messages {
            self.take_lines(stored.seq - 1, &mut piece).await?;
            let before = piece.len();
            self.take_lines(stored.seq, &mut piece).await?;
            if piece.len() == before {
                piece.push(SessionLine::Message(stored.message));
            }
        }
        Ok(piece)
    }

    /// Moves the lines of messages up to `seq` to `piece`.
    async fn take_lines(&mut self, seq: i64, piece: &mut Vec<SessionLine>) -> Result<(), StoreError> {
        loop {
            while self.ahead.front().is_some_and(|(of, _)| *of <= seq) {
                piece.extend(self.ahead.pop_front().map(|(_, line)| SessionLine::Native(line)));
            }
            if self.lines_end || !self.ahead.is_empty() {
                return Ok(());
            }
            self.ahead = self.lines.next().await?.into();
            self.lines_end = self.ahead.is_empty();
        }
    }
}

impl App {
    /// The whole conversation of a task, as it is now.
    pub(crate) async fn conversation(&self, by: Caller, id: TaskId) -> Result<ConversationView, ApiError> {
        let mut tx = self.db().read().await?;
        let task = existing(&mut tx, by.owner, id).await?;
        let lineage = conversations::lineage(&mut tx, by.owner, task.conversation).await?;
        let at = Position { branch: task.conversation, seq: task.message_count };
        let reader = Reader::new(self.db(), by.owner, &lineage, at, 0..at.seq)?;
        Ok(ConversationView { task, messages: Messages::of(reader) })
    }

    /// The conversation that a run of a daemon goes on with, as it was when the run was placed.
    pub(crate) async fn session(&self, by: Caller, run: RunId) -> Result<Session, ApiError> {
        let run = self.run(by.owner, run).await?;
        let mut tx = self.db().read().await?;
        let lineage = conversations::lineage(&mut tx, by.owner, run.branch).await?;
        let at = Position { branch: run.branch, seq: run.turn_seq };
        Ok(Session {
            messages: Reader::new(self.db(), by.owner, &lineage, at, 0..at.seq)?,
            lines: LineReader::new(self.db(), by.owner, &lineage, at, "")?,
            ahead: VecDeque::new(),
            lines_end: false,
            end: false,
        })
    }
}
