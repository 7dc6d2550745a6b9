use super::shown;
use crate::{App, caller::Caller, error::ApiError, extract::Body};
use axum::{Json, extract::State, http::StatusCode};
use makima_wire::{CreateKey, CreatedKey};

/// Makes an API key. `apiKey` is told this once.
#[utoipa::path(post, path = "/api/v1/keys", tag = "access", request_body = CreateKey,
    responses((status = 201, body = CreatedKey), ApiError))]
pub(crate) async fn create_key(
    caller: Caller,
    State(app): State<App>,
    Body(wanted): Body<CreateKey>,
) -> Result<(StatusCode, Json<CreatedKey>), ApiError> {
    let (key, api_key) = app.create_key_for(caller, &wanted.name).await?;
    Ok((StatusCode::CREATED, Json(CreatedKey { key: shown(key), api_key })))
}
