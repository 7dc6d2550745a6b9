use super::shown;
use crate::{
    App,
    caller::Caller,
    error::ApiError,
    extract::{Body, Path},
};
use axum::{Json, extract::State, http::StatusCode};
use makima_model::TaskId;
use makima_wire::{SendMessage, SentMessage};

/// Says something to a task's agent.
///
/// A live run is told at the end of its turn. A task that has ended goes on with a new run in the same worktree, with its
/// whole conversation.
#[utoipa::path(post, path = "/api/v1/mesh/tasks/{id}/messages", tag = "tasks", params(("id" = TaskId, Path)),
    request_body = SendMessage, responses((status = 201, body = SentMessage), ApiError))]
pub(crate) async fn send_message(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<TaskId>,
    Body(message): Body<SendMessage>,
) -> Result<(StatusCode, Json<SentMessage>), ApiError> {
    let (message_id, task) = app.send_message(caller, id, message.content).await?;
    Ok((StatusCode::CREATED, Json(SentMessage { message_id, task: shown(task) })))
}
