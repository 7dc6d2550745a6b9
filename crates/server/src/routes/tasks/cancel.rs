use super::shown;
use crate::{App, caller::Caller, error::ApiError, extract::Path};
use axum::{Json, extract::State};
use makima_model::TaskId;
use makima_wire::Task;

/// Stops a task for good: it is never resumed by itself.
///
/// A live run is stopped first, with everything kept; where that takes longer than a request waits, the task is
/// `cancelled` when its run has ended.
#[utoipa::path(post, path = "/api/v1/mesh/tasks/{id}/cancel", tag = "tasks", params(("id" = TaskId, Path)),
    responses((status = 200, body = Task), ApiError))]
pub(crate) async fn cancel_task(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<TaskId>,
) -> Result<Json<Task>, ApiError> {
    Ok(Json(shown(app.cancel_task(caller, id).await?)))
}
