use super::shown;
use crate::{App, caller::Caller, error::ApiError, extract::Path};
use axum::{Json, extract::State};
use makima_model::TaskId;
use makima_wire::Task;

/// A task.
#[utoipa::path(get, path = "/api/v1/mesh/tasks/{id}", tag = "tasks", params(("id" = TaskId, Path)),
    responses((status = 200, body = Task), ApiError))]
pub(crate) async fn get_task(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<TaskId>,
) -> Result<Json<Task>, ApiError> {
    Ok(Json(shown(app.task(caller.owner, id).await?)))
}
