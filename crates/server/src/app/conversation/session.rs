//! What a run goes on with.

use crate::{App, caller::Caller, error::ApiError};
use makima_model::{NativeLine, Position, RunId};
use makima_store::{Reader, StoreError, conversations, native::LineReader};
use makima_wire::frame::SessionLine;
use std::collections::VecDeque;

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
