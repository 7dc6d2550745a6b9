use crate::{App, caller::Caller, error::ApiError, extract::Path};
use axum::{
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use futures::stream;
use makima_model::RunId;

/// The conversation that a run goes on with, as JSON lines of `SessionLine`, oldest first.
pub(crate) async fn get_session(
    caller: Caller,
    State(app): State<App>,
    Path(run): Path<RunId>,
) -> Result<Response, ApiError> {
    let session = app.session(caller, run).await?;
    let pieces = stream::try_unfold(session, |mut session| async move {
        let piece = session.next().await?;
        if piece.is_empty() {
            return Ok(None);
        }
        let mut text = Vec::new();
        for line in &piece {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Some((Bytes::from(text), session)))
    });
    Ok(([("content-type", "application/x-ndjson")], Body::from_stream(pieces)).into_response())
}
