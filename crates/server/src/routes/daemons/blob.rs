use crate::{App, blobs::BlobError, caller::Caller, error::ApiError, extract::Path};
use axum::{body::Bytes, extract::State, http::StatusCode};

/// Keeps a blob under the hash of its content.
pub(crate) async fn put_blob(
    caller: Caller,
    State(app): State<App>,
    Path(hash): Path<String>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    match app.keep_blob(caller.owner, &hash, &bytes).await? {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(error @ BlobError::Folder { .. }) => Err(ApiError::internal(error)),
        Err(error) => Err(ApiError::unprocessable(error.to_string())),
    }
}
