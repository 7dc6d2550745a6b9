//! Conversations, read a piece at a time.

mod messages;
mod session;

pub(crate) use messages::{Messages, ShownMessage};

use super::{
    App, Listed, lists,
    points::{self, Moment},
    tasks::existing,
};
use crate::{caller::Caller, cursor::ListMark, error::ApiError};
use makima_model::{Branch, Position, TaskId, branch::way};
use makima_store::{Reader, StoreError, Task, Tx, conversations};
use makima_wire::{List, ReadConversation};
use std::ops::Range;

/// A task's conversation at one moment, or some of it.
pub(crate) struct ConversationView {
    pub(crate) task: Task,
    /// The moment, where one was asked for.
    pub(crate) moment: Option<Moment>,
    /// Where what is older begins, if there is something.
    pub(crate) cursor: Option<String>,
    pub(crate) messages: Messages,
}

/// A conversation that is looked at.
struct Looked {
    task: Task,
    at: Position,
    lineage: Vec<Branch>,
    with_results: bool,
}

impl App {
    /// The conversation of a task: all of it, or the part that is wanted, as it is now or was at a point.
    pub(crate) async fn conversation(
        &self,
        by: Caller,
        id: TaskId,
        wanted: &ReadConversation,
    ) -> Result<ConversationView, ApiError> {
        let limit = lists::limit(wanted.limit)?.map(i64::from);
        if wanted.cursor.is_some() && wanted.around.is_some() {
            return Err(ApiError::bad_request(
                "cursor and around exclude each other: a cursor goes on from what was seen, older",
            ));
        }
        let (with_calls, with_results) =
            (wanted.include_tool_calls.unwrap_or(true), wanted.include_tool_results.unwrap_or(true));
        let point = wanted.at.as_ref().map(ToString::to_string).unwrap_or_default();
        let shown = format!("{with_calls} {with_results}");
        let mark = ListMark::new("conversation", by.owner, None, &[&id.to_string(), &point, &shown]);
        let before = wanted.cursor.as_deref().map(|cursor| mark.key::<Position>(cursor)).transpose()?;

        let mut tx = self.db().read().await?;
        let task = existing(&mut tx, by.owner, id).await?;
        let mut moment = None;
        let at = match (before, &wanted.at) {
            (Some(before), _) if points::is_of_history(&mut tx, &task, before).await? => before,
            // It is not of this task, whatever it says of itself.
            (Some(_), _) => return Err(ListMark::refused()),
            (None, Some(point)) => {
                let found = points::resolve(&mut tx, &task, point, self.clock().now()).await?;
                moment.insert(found).position
            }
            (None, None) => points::head(&task),
        };
        let mut looked = Looked::at(&mut tx, task, at, with_results).await?;
        let seqs = match (wanted.around, limit) {
            (Some(message), limit) => {
                let (holder, place) = points::around(&mut tx, &looked.task, message).await?;
                if wanted.at.is_none() {
                    looked = Looked::at(&mut tx, looked.task, holder, with_results).await?;
                } else if !looked.holds(place.after())? {
                    return Err(ApiError::not_found("message of that task at that point"));
                }
                looked.around(&mut tx, place.seq, limit).await?
            }
            (None, limit) => looked.last(&mut tx, looked.at.seq, limit).await?..looked.at.seq,
        };
        let older = Position { seq: seqs.start, ..looked.at };
        let cursor = looked.is_anything_before(&mut tx, older.seq).await?.then(|| mark.cursor(&older));
        let reader = Reader::new(self.db(), by.owner, &looked.lineage, looked.at, seqs)?;
        let all = Messages::of(reader);
        let mut messages = match (with_calls, with_results) {
            (true, true) => all.looking_back(self.db(), by.owner, looked.lineage, older),
            (false, true) => all.without_calls(),
            (true, false) => all.without_results(),
            (false, false) => all.without_calls().without_results(),
        };
        messages.read_ahead(&mut tx).await?;
        Ok(ConversationView { task: looked.task, moment, cursor, messages })
    }

    /// A page of the branches of a task's conversation.
    pub(crate) async fn branches(
        &self,
        by: Caller,
        id: TaskId,
        list: &List,
    ) -> Result<(Task, Listed<Branch>), ApiError> {
        let mark = ListMark::new("branches", by.owner, list.order, &[&id.to_string()]);
        let (seek, total) = lists::seek_counted(list, mark)?;
        let mut tx = self.db().read().await?;
        let task = existing(&mut tx, by.owner, id).await?;
        let page = conversations::list(&mut tx, by.owner, id, seek, total).await?;
        Ok((task, lists::listed_counted(page, mark)))
    }
}

impl Looked {
    async fn at(tx: &mut Tx, task: Task, at: Position, with_results: bool) -> Result<Self, StoreError> {
        let lineage = conversations::lineage(tx, task.owner, at.branch).await?;
        Ok(Self { task, at, lineage, with_results })
    }

    /// Whether it begins with what was said until then.
    fn holds(&self, at: Position) -> Result<bool, StoreError> {
        Ok(way(&self.lineage, self.at)?
            .iter()
            .any(|passed| passed.branch == at.branch && at.seq <= passed.seq))
    }

    /// Where the last messages before `end` begin, as many as are wanted.
    async fn last(&self, tx: &mut Tx, end: i64, count: Option<i64>) -> Result<i64, StoreError> {
        let Some(count) = count else { return Ok(0) };
        if self.with_results || count == 0 {
            return Ok((end - count).max(0));
        }
        let wanted = usize::try_from(count).unwrap_or(0);
        let seqs =
            conversations::last_before(tx, self.task.owner, &self.lineage, self.at, end, wanted).await?;
        Ok(seqs.get(wanted - 1).copied().unwrap_or(0))
    }

    /// Half of the wanted messages before this one; it and the other half from there on.
    async fn around(&self, tx: &mut Tx, message: i64, count: Option<i64>) -> Result<Range<i64>, StoreError> {
        let Some(count) = count else { return Ok(0..self.at.seq) };
        let start = self.last(tx, message, Some(count / 2)).await?;
        let rest = count - count / 2;
        if self.with_results {
            return Ok(start..(message + rest).min(self.at.seq));
        }
        let wanted = usize::try_from(rest).unwrap_or(0);
        let seqs =
            conversations::first_after(tx, self.task.owner, &self.lineage, self.at, message, wanted).await?;
        Ok(start..seqs.get(wanted - 1).map_or(self.at.seq, |last| last + 1))
    }

    async fn is_anything_before(&self, tx: &mut Tx, seq: i64) -> Result<bool, StoreError> {
        if self.with_results || seq == 0 {
            return Ok(seq > 0);
        }
        let before = conversations::last_before(tx, self.task.owner, &self.lineage, self.at, seq, 1).await?;
        Ok(!before.is_empty())
    }
}
