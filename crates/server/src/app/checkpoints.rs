//! Checkpoints, listed.

use super::{App, Listed, lists, tasks::existing};
use crate::{caller::Caller, cursor::ListMark, error::ApiError};
use makima_model::TaskId;
use makima_store::checkpoints::{self, Checkpoint};
use makima_wire::List;

impl App {
    /// A page of a task's checkpoints.
    pub(crate) async fn checkpoints(
        &self,
        by: Caller,
        id: TaskId,
        list: &List,
    ) -> Result<Listed<Checkpoint>, ApiError> {
        let mark = ListMark::new("checkpoints", by.owner, list.order, &[&id.to_string()]);
        let seek = lists::seek(list, mark)?;
        let mut tx = self.db().read().await?;
        existing(&mut tx, by.owner, id).await?;
        Ok(lists::listed(checkpoints::list(&mut tx, by.owner, id, seek).await?, mark))
    }
}
