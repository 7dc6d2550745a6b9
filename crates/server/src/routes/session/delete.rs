use super::cookie;
use crate::{App, caller::Caller, error::ApiError};
use axum::{extract::State, http::StatusCode, response::IntoResponse};

/// Ends the browser's session. Called with an API key it does nothing: that is revoked, not signed out.
#[utoipa::path(delete, path = "/api/v1/session", tag = "access", responses((status = 204), ApiError))]
pub(crate) async fn sign_out(caller: Caller, State(app): State<App>) -> Result<impl IntoResponse, ApiError> {
    app.sign_out(caller).await?;
    Ok((StatusCode::NO_CONTENT, cookie(&app, "", 0)))
}
