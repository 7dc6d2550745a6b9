use super::tagged;
use crate::{
    App,
    caller::Caller,
    error::ApiError,
    extract::{Body, Path},
};
use axum::{extract::State, response::IntoResponse};
use makima_model::ContractId;
use makima_wire::{Contract, SetPhase};

/// Takes a contract to another phase, forward or back.
///
/// The timeline tells of it. The phase that it is in already: 409.
#[utoipa::path(post, path = "/api/v1/contracts/{id}/phase", tag = "contracts", params(("id" = ContractId, Path)),
    request_body = SetPhase, responses((status = 200, body = Contract, headers(("ETag" = String, description = "The tag of the contract"))), ApiError))]
pub(crate) async fn set_phase(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<ContractId>,
    Body(wanted): Body<SetPhase>,
) -> Result<impl IntoResponse, ApiError> {
    Ok(tagged(app.set_phase(caller, id, wanted.phase).await?))
}
