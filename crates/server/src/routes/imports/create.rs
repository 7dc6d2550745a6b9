use super::shown;
use crate::{App, caller::Caller, error::ApiError, extract::Body};
use axum::{Json, extract::State, http::StatusCode};
use makima_wire::{CreateImport, Import};

/// Begins to import a session: makes the task that it becomes, which has never run.
///
/// What the session's file tells is appended piece by piece, then the import is finished. A session that a run of the owner's
/// made is 409, and `details.taskId` is its task; so is a copy that is there already.
#[utoipa::path(post, path = "/api/v1/imports", tag = "imports", request_body = CreateImport,
    responses((status = 201, body = Import), ApiError))]
pub(crate) async fn create_import(
    caller: Caller,
    State(app): State<App>,
    Body(wanted): Body<CreateImport>,
) -> Result<(StatusCode, Json<Import>), ApiError> {
    Ok((StatusCode::CREATED, Json(shown(app.create_import(caller, wanted).await?))))
}
