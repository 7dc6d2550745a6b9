use crate::{App, caller::Caller, error::ApiError, extract::Path};
use axum::{body::Bytes, extract::State, http::StatusCode};

/// Keeps a blob under the hash of its content.
pub(crate) async fn put_blob(
    caller: Caller,
    State(app): State<App>,
    Path(hash): Path<String>,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    app.keep_blob(caller.owner, &hash, &bytes).await?;
    Ok(StatusCode::NO_CONTENT)
}
