use super::shown;
use crate::{App, caller::Caller, error::ApiError, extract::Body};
use axum::{Json, extract::State, http::StatusCode};
use makima_wire::{CreateTask, Task};

/// Makes a task, and starts it unless told otherwise.
///
/// Connected daemons look first whether they reach the repository and the branch: 422 if all say no. With no daemon that
/// can run it the task waits as `pending`, and `statusReason` says for what.
#[utoipa::path(post, path = "/api/v1/mesh/tasks", tag = "tasks", request_body = CreateTask,
    responses((status = 201, body = Task), ApiError))]
pub(crate) async fn create_task(
    caller: Caller,
    State(app): State<App>,
    Body(wanted): Body<CreateTask>,
) -> Result<(StatusCode, Json<Task>), ApiError> {
    let task = app.create_task(caller, wanted).await?;
    Ok((StatusCode::CREATED, Json(shown(task))))
}
