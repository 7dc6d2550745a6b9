use super::shown;
use crate::{
    App,
    caller::Caller,
    error::ApiError,
    extract::{Body, Path},
};
use axum::{Json, extract::State};
use makima_model::TaskId;
use makima_wire::{ReassignTask, Task};

/// Gives a task that has not started to another daemon.
///
/// 409 once it has a worktree on a daemon's machine.
#[utoipa::path(post, path = "/api/v1/mesh/tasks/{id}/reassign", tag = "tasks", params(("id" = TaskId, Path)),
    request_body = ReassignTask, responses((status = 200, body = Task), ApiError))]
pub(crate) async fn reassign_task(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<TaskId>,
    Body(wanted): Body<ReassignTask>,
) -> Result<Json<Task>, ApiError> {
    Ok(Json(shown(app.reassign_task(caller, id, wanted.target_daemon_id).await?)))
}
