use super::shown;
use crate::{App, caller::Caller, error::ApiError, extract::Query};
use axum::{Json, extract::State};
use makima_model::ContractId;
use makima_wire::TaskList;
use serde::Deserialize;

/// Which tasks.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Those of this contract alone.
    contract_id: Option<ContractId>,
    /// How many rows at most: 100 unless told, 1000 at most.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Where the page before ended: its `cursor`.
    cursor: Option<String>,
}

/// The tasks, newest first.
#[utoipa::path(get, path = "/api/v1/mesh/tasks", tag = "tasks", params(Which),
    responses((status = 200, body = TaskList), ApiError))]
pub(crate) async fn list_tasks(
    caller: Caller,
    State(app): State<App>,
    Query(which): Query<Which>,
) -> Result<Json<TaskList>, ApiError> {
    let list = makima_wire::List { limit: which.limit, cursor: which.cursor };
    let page = app.tasks(caller, which.contract_id, &list).await?;
    let tasks = page.rows.into_iter().map(shown).collect();
    Ok(Json(TaskList { tasks, total_count: page.total, cursor: page.cursor }))
}
