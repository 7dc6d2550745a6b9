use super::shown;
use crate::{App, caller::Caller, error::ApiError, extract::Path};
use axum::{Json, extract::State};
use makima_model::KeyId;
use makima_wire::Key;

/// Revokes an API key, for good. One that was revoked before stays as it is.
#[utoipa::path(post, path = "/api/v1/keys/{id}/revoke", tag = "access", params(("id" = KeyId, Path)),
    responses((status = 200, body = Key), ApiError))]
pub(crate) async fn revoke_key(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<KeyId>,
) -> Result<Json<Key>, ApiError> {
    Ok(Json(shown(app.revoke_key(caller, id).await?)))
}
