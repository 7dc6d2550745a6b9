use super::shown;
use crate::{
    App,
    caller::Caller,
    error::ApiError,
    extract::{Body, Path},
};
use axum::{Json, extract::State};
use makima_model::TaskId;
use makima_wire::{AnswerQuestion, Task};

/// Answers the question that a task waits for.
#[utoipa::path(post, path = "/api/v1/mesh/tasks/{id}/answer", tag = "tasks", params(("id" = TaskId, Path)),
    request_body = AnswerQuestion, responses((status = 200, body = Task), ApiError))]
pub(crate) async fn answer_question(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<TaskId>,
    Body(answer): Body<AnswerQuestion>,
) -> Result<Json<Task>, ApiError> {
    Ok(Json(shown(app.answer_question(caller, id, answer).await?)))
}
