use super::shown;
use crate::{App, caller::Caller, error::ApiError, extract::Path};
use axum::{Json, extract::State, http::StatusCode};
use makima_model::TaskId;
use makima_wire::Task;

/// Stops a task's agent and keeps everything that it said and did.
///
/// The agent is interrupted, then given time to end its turn. Answers once the run has ended, or with 202 after 25 s, when
/// it is still about to.
#[utoipa::path(post, path = "/api/v1/mesh/tasks/{id}/stop", tag = "tasks", params(("id" = TaskId, Path)),
    responses((status = 200, body = Task), (status = 202, body = Task, description = "It is about to stop"), ApiError))]
pub(crate) async fn stop_task(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<TaskId>,
) -> Result<(StatusCode, Json<Task>), ApiError> {
    let task = app.stop_task(caller, id).await?;
    let status = if task.task.status.is_live() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(shown(task))))
}
