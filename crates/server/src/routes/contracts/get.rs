use super::shown;
use crate::{App, caller::Caller, error::ApiError, extract::Path};
use axum::{Json, extract::State};
use makima_model::ContractId;
use makima_wire::Contract;

/// A contract.
#[utoipa::path(get, path = "/api/v1/contracts/{id}", tag = "contracts", params(("id" = ContractId, Path)),
    responses((status = 200, body = Contract), ApiError))]
pub(crate) async fn get_contract(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<ContractId>,
) -> Result<Json<Contract>, ApiError> {
    Ok(Json(shown(app.contract(caller, id).await?)))
}
