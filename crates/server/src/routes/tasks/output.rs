use crate::{
    App,
    caller::Caller,
    error::ApiError,
    extract::{Path, Query},
    routes::shown,
};
use axum::{Json, extract::State};
use makima_model::TaskId;
use makima_wire::{List, TaskEventList};

/// What a task's agent put out, newest first: the messages of its conversation, and notices that are none.
#[utoipa::path(get, path = "/api/v1/mesh/tasks/{id}/output", tag = "tasks", params(("id" = TaskId, Path), List),
    responses((status = 200, body = TaskEventList), ApiError))]
pub(crate) async fn list_output(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<TaskId>,
    Query(list): Query<List>,
) -> Result<Json<TaskEventList>, ApiError> {
    let page = app.task_output(caller, id, &list).await?;
    let events = page.rows.into_iter().filter_map(shown::output).collect();
    Ok(Json(TaskEventList { events, total_count: page.total, cursor: page.cursor }))
}
