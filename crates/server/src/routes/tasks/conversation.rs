use crate::{
    App, app::ConversationView, caller::Caller, error::ApiError, extract::Path,
    routes::streamed::with_messages,
};
use axum::{extract::State, response::Response};
use makima_model::TaskId;
use makima_wire::Conversation;

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
    with_messages(&head, messages)
}
