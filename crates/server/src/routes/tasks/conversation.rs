use crate::{
    App,
    app::{ConversationView, Messages},
    caller::Caller,
    error::ApiError,
    extract::Path,
    routes::shown,
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use makima_model::TaskId;
use makima_wire::Conversation;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The whole conversation of a task, oldest message first. It is streamed: however long it is, it is never held.
#[utoipa::path(get, path = "/api/v1/mesh/tasks/{id}/conversation", tag = "tasks", params(("id" = TaskId, Path)),
    responses((status = 200, body = Conversation), ApiError))]
pub(crate) async fn get_conversation(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<TaskId>,
) -> Result<Response, ApiError> {
    let ConversationView { task, messages } = app.conversation(caller, id).await?;
    let head = Conversation {
        task_id: task.id,
        task_name: task.name,
        status: task.status,
        total_tokens: task.total_tokens,
        total_cost: task.total_cost,
        messages: Vec::new(),
    };
    // The messages are the last field: what stands before them is written with none, and then opened again.
    let head = serde_json::to_string(&head).map_err(ApiError::internal)?;
    let head = head.trim_end_matches("]}").to_owned();
    let body = stream::once(async { Ok(Bytes::from(head)) })
        .chain(pieces(messages))
        .chain(stream::once(async { Ok::<_, BoxError>(Bytes::from_static(b"]}")) }));
    Ok(([("content-type", "application/json")], Body::from_stream(body)).into_response())
}

fn pieces(messages: Messages) -> impl futures::Stream<Item = Result<Bytes, BoxError>> {
    stream::try_unfold((messages, true), |(mut messages, mut first)| async move {
        let piece = messages.next().await?;
        if piece.is_empty() {
            return Ok(None);
        }
        let mut text = Vec::new();
        for (stored, input) in piece {
            if !std::mem::take(&mut first) {
                text.push(b',');
            }
            serde_json::to_writer(&mut text, &shown::message(stored, input))?;
        }
        Ok(Some((Bytes::from(text), (messages, first))))
    })
}
