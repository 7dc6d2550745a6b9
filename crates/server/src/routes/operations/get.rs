use super::shown;
use crate::{App, caller::Caller, error::ApiError, extract::Path};
use axum::{Json, extract::State};
use makima_model::OperationId;
use makima_wire::Operation;

/// An operation.
#[utoipa::path(get, path = "/api/v1/operations/{id}", tag = "operations", params(("id" = OperationId, Path)),
    responses((status = 200, body = Operation), ApiError))]
pub(crate) async fn get_operation(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<OperationId>,
) -> Result<Json<Operation>, ApiError> {
    Ok(Json(shown(app.operation(caller, id).await?)))
}
