use super::shown;
use crate::{
    App,
    caller::Caller,
    error::ApiError,
    extract::{LargeBody, Path},
};
use axum::{Json, extract::State};
use makima_model::ImportId;
use makima_wire::{AppendToImport, Import};

/// Takes more of a session, whole or not at all.
///
/// Each byte of the file is taken once: where `from` is not how much of it is here, it is 409, and `details.bytes` says where to go
/// on; the very same request again answers as the first. What is said here after the session was imported stays: the file then
/// goes on beside it, on a branch of its own. A body may have 192 MiB.
#[utoipa::path(post, path = "/api/v1/imports/{id}/entries", tag = "imports", params(("id" = ImportId, Path)),
    request_body = AppendToImport, responses((status = 200, body = Import), ApiError))]
pub(crate) async fn append_to_import(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<ImportId>,
    LargeBody(wanted): LargeBody<AppendToImport>,
) -> Result<Json<Import>, ApiError> {
    Ok(Json(shown(app.append_to_import(caller, id, wanted).await?)))
}
