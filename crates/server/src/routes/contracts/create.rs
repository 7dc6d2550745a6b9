use super::tagged;
use crate::{App, caller::Caller, error::ApiError, extract::Body};
use axum::{extract::State, http::StatusCode, response::IntoResponse};
use makima_wire::{Contract, CreateContract};

/// Makes a contract, in phase `research`.
///
/// A connected daemon looks whether it reaches the repository and the branch; with none connected that shows when the
/// first task starts.
#[utoipa::path(post, path = "/api/v1/contracts", tag = "contracts", request_body = CreateContract,
    responses((status = 201, body = Contract, headers(("ETag" = String, description = "The tag of the contract"))), ApiError))]
pub(crate) async fn create_contract(
    caller: Caller,
    State(app): State<App>,
    Body(wanted): Body<CreateContract>,
) -> Result<impl IntoResponse, ApiError> {
    let contract = app.create_contract(caller, wanted).await?;
    Ok((StatusCode::CREATED, tagged(contract)))
}
