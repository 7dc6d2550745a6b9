use super::shown;
use crate::{
    App,
    caller::Caller,
    error::ApiError,
    extract::{Body, Path},
};
use axum::{Json, extract::State};
use makima_model::ImportId;
use makima_wire::{FinishImport, Import};

/// Says that all of a session's file is here, as far as it goes now: its task is `completed` or `interrupted`, as the session ended.
///
/// The file may grow: more is appended then, and it is finished again.
#[utoipa::path(post, path = "/api/v1/imports/{id}/finish", tag = "imports", params(("id" = ImportId, Path)),
    request_body = FinishImport, responses((status = 200, body = Import), ApiError))]
pub(crate) async fn finish_import(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<ImportId>,
    Body(wanted): Body<FinishImport>,
) -> Result<Json<Import>, ApiError> {
    Ok(Json(shown(app.finish_import(caller, id, wanted).await?)))
}
