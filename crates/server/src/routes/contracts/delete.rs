use crate::{
    App,
    caller::Caller,
    error::ApiError,
    extract::{Path, Query},
    routes::operations::{Answer, answered},
};
use axum::extract::State;
use makima_model::ContractId;
use makima_wire::{Deletion, Operation};

/// Puts a contract and its tasks into the trash, or erases them for good.
///
/// Undoing the operation brings back exactly what it put there. `purge` erases, also what is in the trash already, and can't be
/// undone; the user's own repository is left as it is. With an agent at work 409 `ALREADY_RUNNING`, unless `stop`: then agents are
/// stopped first. After 25 s, 202 with the operation, which goes on.
#[utoipa::path(delete, path = "/api/v1/contracts/{id}", tag = "contracts",
    params(("id" = ContractId, Path), Deletion),
    responses((status = 200, body = Operation),
        (status = 202, body = Operation, description = "It goes on: look at the operation"), ApiError))]
pub(crate) async fn delete_contract(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<ContractId>,
    Query(how): Query<Deletion>,
) -> Result<Answer, ApiError> {
    Ok(answered(app.delete_contract(caller, id, how).await?))
}
