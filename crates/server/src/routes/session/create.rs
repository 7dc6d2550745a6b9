use super::cookie;
use crate::{App, app::SESSION_LIVES, error::ApiError, extract::Body, routes::me};
use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use makima_wire::{Me, SignIn};

/// Signs a browser in with the token of a link, once: the answer sets the session's cookie.
#[utoipa::path(post, path = "/api/v1/session", tag = "access", request_body = SignIn,
    responses((status = 201, body = Me), ApiError))]
pub(crate) async fn sign_in(
    State(app): State<App>,
    Body(link): Body<SignIn>,
) -> Result<impl IntoResponse, ApiError> {
    let (caller, secret) = app.sign_in(&link.token).await?;
    let me = me::shown(&app, caller).await?;
    Ok((StatusCode::CREATED, cookie(&app, &secret, SESSION_LIVES.as_secs()), Json(me)))
}
