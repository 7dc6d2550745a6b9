//! Answers that hold a conversation: streamed, so that it is never held, however long it is.

use crate::{
    app::{Messages, ShownMessage},
    error::ApiError,
    routes::shown,
};
use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use futures::{Stream, StreamExt, stream};
use serde::Serialize;
use tokio::task::JoinHandle;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// `head` as JSON, with the messages in its last field: an array that is empty in `head`. What fits one piece is sent as a whole.
pub(crate) async fn with_messages(
    head: &impl Serialize,
    mut messages: Messages,
) -> Result<Response, ApiError> {
    let mut text = serde_json::to_vec(head).map_err(ApiError::internal)?;
    // What stands before the messages is written with none, and then opened again.
    text.truncate(text.len().saturating_sub(END.len()));
    write(&mut text, true, messages.next().await?).map_err(ApiError::internal)?;
    let body = if messages.is_at_end() {
        text.extend_from_slice(END);
        Body::from(text)
    } else {
        let rest = pieces(messages).chain(stream::once(async { Ok(Bytes::from_static(END)) }));
        Body::from_stream(stream::once(async { Ok::<_, BoxError>(Bytes::from(text)) }).chain(rest))
    };
    Ok(([("content-type", "application/json")], body).into_response())
}

/// What closes the list of messages and what it stands in.
const END: &[u8] = b"]}";

/// The pieces behind the first: each is made while the one before it is on its way, so no more than two are held.
fn pieces(messages: Messages) -> impl Stream<Item = Result<Bytes, BoxError>> {
    stream::try_unfold(made(messages), |coming| async move {
        let (piece, messages) = coming.await??;
        Ok((!piece.is_empty()).then(|| (piece, made(messages))))
    })
}

/// Makes the next piece, empty behind the last, whether it is waited for or not.
fn made(mut messages: Messages) -> JoinHandle<Result<(Bytes, Messages), BoxError>> {
    tokio::spawn(async move {
        let mut text = Vec::new();
        write(&mut text, false, messages.next().await?)?;
        Ok((Bytes::from(text), messages))
    })
}

/// Writes the messages of a piece, the first one or one behind it.
fn write(text: &mut Vec<u8>, is_first: bool, piece: Vec<ShownMessage>) -> serde_json::Result<()> {
    for (number, message) in piece.into_iter().enumerate() {
        if !is_first || number > 0 {
            text.push(b',');
        }
        serde_json::to_writer(&mut *text, &shown::passed_on(message))?;
    }
    Ok(())
}
