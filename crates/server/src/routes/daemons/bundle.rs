use crate::{
    App,
    caller::Caller,
    error::ApiError,
    extract::{Path, Query},
};
use axum::{body::Bytes, extract::State, http::StatusCode};
use makima_model::ExportId;
use serde::Deserialize;

/// Where a part of a bundle goes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// How many bytes were sent before it.
    at: u64,
}

/// Takes a part of a git bundle for an export; what was sent from there on before is written over.
pub(crate) async fn put_bundle_part(
    caller: Caller,
    State(app): State<App>,
    Path((export, number)): Path<(ExportId, u32)>,
    Query(Part { at }): Query<Part>,
    part: Bytes,
) -> Result<StatusCode, ApiError> {
    app.take_bundle_part(caller.owner, (export, number), at, part).await?;
    Ok(StatusCode::NO_CONTENT)
}
