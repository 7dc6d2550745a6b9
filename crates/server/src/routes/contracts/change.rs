use super::shown;
use crate::{
    App,
    caller::Caller,
    error::ApiError,
    extract::{Body, Path},
};
use axum::{Json, extract::State};
use makima_model::ContractId;
use makima_wire::{ChangeContract, Contract};

/// Changes a contract's name, description or status.
///
/// What is absent stays as it is. The timeline tells what was before.
#[utoipa::path(patch, path = "/api/v1/contracts/{id}", tag = "contracts", params(("id" = ContractId, Path)),
    request_body = ChangeContract, responses((status = 200, body = Contract), ApiError))]
pub(crate) async fn change_contract(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<ContractId>,
    Body(wanted): Body<ChangeContract>,
) -> Result<Json<Contract>, ApiError> {
    Ok(Json(shown(app.change_contract(caller, id, wanted).await?)))
}
