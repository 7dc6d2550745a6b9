use crate::{App, caller::Caller, error::ApiError};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use makima_wire::SignInLink;

/// Makes a link that signs a browser in, once, within ten minutes.
#[utoipa::path(post, path = "/api/v1/sign-in-links", tag = "access",
    responses((status = 201, body = SignInLink), ApiError))]
pub(crate) async fn create_sign_in_link(
    caller: Caller,
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<SignInLink>), ApiError> {
    let (token, expires_at) = app.create_sign_in_link(caller.owner).await?;
    // Behind `#`, where no log and no referrer sees it.
    let url = format!("{}/sign-in#{token}", app.hosts().url(&headers));
    Ok((StatusCode::CREATED, Json(SignInLink { url, token, expires_at })))
}
