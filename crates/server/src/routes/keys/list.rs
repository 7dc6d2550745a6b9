use super::shown;
use crate::{App, caller::Caller, error::ApiError};
use axum::{Json, extract::State};
use makima_wire::{Key, KeyList};

/// The API keys, oldest first, revoked ones too. The secrets are nowhere.
#[utoipa::path(get, path = "/api/v1/keys", tag = "access", responses((status = 200, body = KeyList), ApiError))]
pub(crate) async fn list_keys(caller: Caller, State(app): State<App>) -> Result<Json<KeyList>, ApiError> {
    let keys: Vec<Key> = app.keys(caller.owner).await?.into_iter().map(shown).collect();
    Ok(Json(KeyList { total_count: keys.len() as i64, keys }))
}
