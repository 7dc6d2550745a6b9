use crate::{
    App,
    caller::Caller,
    error::ApiError,
    extract::{Path, Query},
    routes::operations::{Answer, answered},
};
use axum::extract::State;
use makima_model::TaskId;
use makima_wire::{Deletion, Operation};

/// Puts a task into the trash, or erases it for good.
///
/// Undoing the operation has it back as it was. `purge` erases it, also where it is in the trash already: its conversation, its
/// checkpoints, and on its daemon its worktree. That can't be undone; the user's own repository is left as it is. With an agent at work
/// 409 `ALREADY_RUNNING`, unless `stop`: then the agent is stopped first. After 25 s, 202 with the operation, which goes on.
#[utoipa::path(delete, path = "/api/v1/mesh/tasks/{id}", tag = "tasks", params(("id" = TaskId, Path), Deletion),
    responses((status = 200, body = Operation),
        (status = 202, body = Operation, description = "It goes on: look at the operation"), ApiError))]
pub(crate) async fn delete_task(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<TaskId>,
    Query(how): Query<Deletion>,
) -> Result<Answer, ApiError> {
    Ok(answered(app.delete_task(caller, id, how).await?))
}
