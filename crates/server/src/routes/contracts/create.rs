use super::shown;
use crate::{App, caller::Caller, error::ApiError, extract::Body};
use axum::{Json, extract::State, http::StatusCode};
use makima_wire::{Contract, CreateContract};

/// Makes a contract, in phase `research`.
///
/// A connected daemon looks whether it reaches the repository and the branch; with none connected that shows when the
/// first task starts.
#[utoipa::path(post, path = "/api/v1/contracts", tag = "contracts", request_body = CreateContract,
    responses((status = 201, body = Contract), ApiError))]
pub(crate) async fn create_contract(
    caller: Caller,
    State(app): State<App>,
    Body(wanted): Body<CreateContract>,
) -> Result<(StatusCode, Json<Contract>), ApiError> {
    let contract = app.create_contract(caller, wanted).await?;
    Ok((StatusCode::CREATED, Json(shown(contract))))
}
