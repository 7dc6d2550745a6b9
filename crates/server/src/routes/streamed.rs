//! Answers that hold a conversation: streamed, so that it is never held, however long it is.

use crate::{app::Messages, error::ApiError, routes::shown};
use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use futures::{Stream, StreamExt, stream};
use serde::Serialize;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// `head` as JSON, with the messages in its last field: an array that is empty in `head`.
pub(crate) fn with_messages(head: &impl Serialize, messages: Messages) -> Result<Response, ApiError> {
    let head = serde_json::to_string(head).map_err(ApiError::internal)?;
    // What stands before the messages is written with none, and then opened again.
    let head = head.strip_suffix("]}").unwrap_or(&head).to_owned();
    let body = stream::once(async { Ok(Bytes::from(head)) })
        .chain(pieces(messages))
        .chain(stream::once(async { Ok::<_, BoxError>(Bytes::from_static(b"]}")) }));
    Ok(([("content-type", "application/json")], Body::from_stream(body)).into_response())
}

fn pieces(messages: Messages) -> impl Stream<Item = Result<Bytes, BoxError>> {
    stream::try_unfold((messages, true), |(mut messages, mut first)| async move {
        let piece = messages.next().await?;
        if piece.is_empty() {
            return Ok(None);
        }
        let mut text = Vec::new();
        for message in piece {
            if !std::mem::take(&mut first) {
                text.push(b',');
            }
            serde_json::to_writer(&mut text, &shown::passed_on(message))?;
        }
        Ok(Some((Bytes::from(text), (messages, first))))
    })
}
