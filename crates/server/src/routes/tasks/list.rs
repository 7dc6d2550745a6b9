use super::shown;
use crate::{App, caller::Caller, error::ApiError, extract::Query};
use axum::{Json, extract::State};
use makima_wire::{ListTasks, TaskList};

/// The tasks, newest first.
#[utoipa::path(get, path = "/api/v1/mesh/tasks", tag = "tasks", params(ListTasks),
    responses((status = 200, body = TaskList), ApiError))]
pub(crate) async fn list_tasks(
    caller: Caller,
    State(app): State<App>,
    Query(wanted): Query<ListTasks>,
) -> Result<Json<TaskList>, ApiError> {
    let page = app.tasks(caller, &wanted).await?;
    let tasks = page.rows.into_iter().map(shown).collect();
    Ok(Json(TaskList { tasks, total_count: page.total, cursor: page.cursor }))
}
