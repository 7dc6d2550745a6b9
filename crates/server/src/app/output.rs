//! What a task's runs put out, and what happened in them.

use super::{App, Listed, lists, tasks::existing};
use crate::{caller::Caller, cursor::ListMark, error::ApiError};
use makima_model::{TaskEvent, TaskId};
use makima_store::{FeedItem, events};
use makima_wire::List;

impl App {
    /// A page of what happened in the task's runs.
    pub(crate) async fn task_events(
        &self,
        by: Caller,
        id: TaskId,
        list: &List,
    ) -> Result<Listed<TaskEvent>, ApiError> {
        let mark = ListMark::new("events", by.owner, list.order, &[&id.to_string()]);
        let seek = lists::seek(list, mark)?;
        let mut tx = self.db().read().await?;
        existing(&mut tx, by.owner, id).await?;
        Ok(lists::listed(events::of_task(&mut tx, by.owner, id, None, seek).await?, mark))
    }

    /// A page of what the task's agent put out.
    pub(crate) async fn task_output(
        &self,
        by: Caller,
        id: TaskId,
        list: &List,
    ) -> Result<Listed<FeedItem>, ApiError> {
        let mark = ListMark::new("output", by.owner, list.order, &[&id.to_string()]);
        let seek = lists::seek(list, mark)?;
        let mut tx = self.db().read().await?;
        existing(&mut tx, by.owner, id).await?;
        Ok(lists::listed(events::output(&mut tx, by.owner, id, seek).await?, mark))
    }
}
