//! The timeline of a contract, of a task and those below it, or of everything.

use super::{App, contracts::existing_contract, lists, tasks::existing};
use crate::{
    caller::{Caller, Via},
    cursor::ListMark,
    error::ApiError,
};
use makima_store::{HistoryEntry, TimelineFilter, TimelineScope, Tx, events, tasks};
use makima_wire::{Code, ListTimeline};

/// A page of it.
pub(crate) struct TimelineView {
    pub(crate) entries: Vec<HistoryEntry>,
    /// How many entries there are, or, where that is a lower bound, how many at least.
    pub(crate) total: i64,
    pub(crate) is_lower_bound: bool,
    /// What the feed had come to when it was read.
    pub(crate) feed_seq: i64,
    pub(crate) cursor: Option<String>,
}

impl App {
    /// A page of a timeline.
    pub(crate) async fn timeline(&self, by: Caller, wanted: &ListTimeline) -> Result<TimelineView, ApiError> {
        if wanted.from.is_some_and(|from| wanted.to.is_some_and(|to| from > to)) {
            return Err(ApiError::unprocessable("from is after to: nothing lies between them"));
        }
        let filter = TimelineFilter {
            types: wanted.event_types.0.clone(),
            phases: wanted.phase.0.clone(),
            from: wanted.from,
            to: wanted.to,
        };
        let list = wanted.list();
        let of = format!("{:?} {:?} {}", wanted.contract_id, wanted.task_id, wanted.include_subtasks);
        let mark = ListMark::new("timeline", by.owner, list.order, &[&of, &format!("{filter:?}")]);
        let mut tx;
        let (page, next) = if filter.is_counted() {
            let seek = lists::seek(&list, mark)?;
            tx = self.db().read().await?;
            let scope = scope(&mut tx, by, wanted).await?;
            let page = events::timeline(&mut tx, by.owner, &scope, &filter, seek, None).await?;
            let next = page.next.map(|key| mark.cursor(&key));
            (page, next)
        } else {
            let (seek, total) = lists::seek_counted(&list, mark)?;
            tx = self.db().read().await?;
            let scope = scope(&mut tx, by, wanted).await?;
            let page = events::timeline(&mut tx, by.owner, &scope, &filter, seek, total).await?;
            let next = page.next.map(|key| lists::counted(key, page.total, mark));
            (page, next)
        };
        Ok(TimelineView {
            entries: page.rows,
            total: if filter.is_counted() { page.total } else { page.total.min(events::COUNTED) },
            is_lower_bound: !filter.is_counted() && page.total > events::COUNTED,
            feed_seq: events::newest(&mut tx, by.owner).await?,
            cursor: next,
        })
    }
}

/// Whose entries are wanted, or 404.
async fn scope(tx: &mut Tx, by: Caller, wanted: &ListTimeline) -> Result<TimelineScope, ApiError> {
    if let Some(id) = wanted.contract_id {
        existing_contract(tx, by.owner, id).await?;
    }
    let Some(id) = wanted.task_id else {
        return Ok(wanted.contract_id.map_or(TimelineScope::Owner, TimelineScope::Contract));
    };
    let task = existing(tx, by.owner, id).await?;
    if wanted.contract_id.is_some() && task.contract != wanted.contract_id {
        return Err(ApiError::not_found("task of that contract"));
    }
    if !wanted.include_subtasks {
        return Ok(TimelineScope::Tasks(vec![id]));
    }
    // All tasks of a tree belong to the same contract. Where they belong to none, they are other tasks to an agent.
    if matches!(by.via, Via::Tool { contract: None, .. }) {
        return Err(ApiError::new(
            Code::Forbidden,
            "an agent's own key opens its own task, and not those below it where they belong to no contract",
        ));
    }
    Ok(TimelineScope::Tasks(tasks::tree(tx, by.owner, id).await?))
}
