use super::tagged;
use crate::{App, caller::Caller, error::ApiError, extract::Path};
use axum::{extract::State, response::IntoResponse};
use makima_model::ContractId;
use makima_wire::Contract;

/// A contract.
#[utoipa::path(get, path = "/api/v1/contracts/{id}", tag = "contracts", params(("id" = ContractId, Path)),
    responses((status = 200, body = Contract, headers(("ETag" = String, description = "The tag of the contract"))), ApiError))]
pub(crate) async fn get_contract(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<ContractId>,
) -> Result<impl IntoResponse, ApiError> {
    Ok(tagged(app.contract(caller, id).await?))
}
