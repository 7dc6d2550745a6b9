use super::shown;
use crate::{App, caller::Caller, error::ApiError, extract::Query};
use axum::{Json, extract::State};
use makima_wire::{ListOperations, OperationList};

/// The changes of history, newest first: who made which, when and from where.
#[utoipa::path(get, path = "/api/v1/operations", tag = "operations", params(ListOperations),
    responses((status = 200, body = OperationList), ApiError))]
pub(crate) async fn list_operations(
    caller: Caller,
    State(app): State<App>,
    Query(wanted): Query<ListOperations>,
) -> Result<Json<OperationList>, ApiError> {
    let page = app.operations(caller, &wanted).await?;
    let operations = page.rows.into_iter().map(shown).collect();
    Ok(Json(OperationList { operations, total_count: page.total, cursor: page.cursor }))
}
