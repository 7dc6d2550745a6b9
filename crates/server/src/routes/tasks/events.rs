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

/// What happened in a task's runs, newest first: changes of its status, questions, turns, checkpoints, notices.
#[utoipa::path(get, path = "/api/v1/mesh/tasks/{id}/events", tag = "tasks", params(("id" = TaskId, Path), List),
    responses((status = 200, body = TaskEventList), ApiError))]
pub(crate) async fn list_events(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<TaskId>,
    Query(list): Query<List>,
) -> Result<Json<TaskEventList>, ApiError> {
    let page = app.task_events(caller, id, &list).await?;
    let events = page.rows.into_iter().map(shown::task_event).collect();
    Ok(Json(TaskEventList { events, total_count: page.total, cursor: page.cursor }))
}
