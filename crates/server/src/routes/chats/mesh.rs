//! The owner's chat about all tasks.

use super::{conversation, conversations, message, messages};
use crate::{
    App,
    caller::Caller,
    error::ApiError,
    extract::{Body, Path, Query},
    precondition::Expected,
};
use axum::{Json, extract::State, http::StatusCode};
use makima_model::{Chat, ChatConversationId};
use makima_wire::{
    ChatConversation, ChatConversationList, ChatMessage, ChatMessageList, CreateChatConversation, List,
    RenameChatConversation, SayInChat,
};

/// What was said about all tasks, newest first: the messages of the conversation that goes on.
#[utoipa::path(get, path = "/api/v1/mesh/chat", tag = "chats", params(List),
    responses((status = 200, body = ChatMessageList), ApiError))]
pub(crate) async fn list_mesh_chat_messages(
    caller: Caller,
    State(app): State<App>,
    Query(list): Query<List>,
) -> Result<Json<ChatMessageList>, ApiError> {
    Ok(Json(messages(app.chat_messages(caller, Chat::Mesh, &list).await?)))
}

/// Says something about all tasks, in the conversation that goes on.
///
/// The first message begins one, called `Conversation 1`. `contextType` is `mesh` (all tasks), or `task` with
/// `contextTaskId`. The message is kept, and told in the timeline. Nobody answers yet.
#[utoipa::path(post, path = "/api/v1/mesh/chat", tag = "chats", request_body = SayInChat,
    responses((status = 201, body = ChatMessage), ApiError))]
pub(crate) async fn say_in_mesh_chat(
    caller: Caller,
    State(app): State<App>,
    Body(wanted): Body<SayInChat>,
) -> Result<(StatusCode, Json<ChatMessage>), ApiError> {
    Ok((StatusCode::CREATED, Json(message(app.say_in_chat(caller, Chat::Mesh, wanted).await?))))
}

/// The conversations about all tasks, newest first.
#[utoipa::path(get, path = "/api/v1/mesh/chat/conversations", tag = "chats", params(List),
    responses((status = 200, body = ChatConversationList), ApiError))]
pub(crate) async fn list_mesh_chat_conversations(
    caller: Caller,
    State(app): State<App>,
    Query(list): Query<List>,
) -> Result<Json<ChatConversationList>, ApiError> {
    Ok(Json(conversations(Chat::Mesh, app.chat_conversations(caller, Chat::Mesh, &list).await?)))
}

/// Begins a conversation about all tasks. It goes on from now instead of the one before, which is kept.
#[utoipa::path(post, path = "/api/v1/mesh/chat/conversations", tag = "chats",
    request_body = CreateChatConversation, responses((status = 201, body = ChatConversation), ApiError))]
pub(crate) async fn create_mesh_chat_conversation(
    caller: Caller,
    State(app): State<App>,
    Body(wanted): Body<CreateChatConversation>,
) -> Result<(StatusCode, Json<ChatConversation>), ApiError> {
    let begun = app.begin_chat_conversation(caller, Chat::Mesh, wanted.name).await?;
    Ok((StatusCode::CREATED, Json(conversation(Chat::Mesh, begun))))
}

/// Gives a conversation about all tasks another name.
#[utoipa::path(patch, path = "/api/v1/mesh/chat/conversations/{cid}", tag = "chats",
    params(("cid" = ChatConversationId, Path)),
    request_body = RenameChatConversation, responses((status = 200, body = ChatConversation), ApiError))]
pub(crate) async fn rename_mesh_chat_conversation(
    caller: Caller,
    State(app): State<App>,
    Path(cid): Path<ChatConversationId>,
    expected: Expected,
    Body(wanted): Body<RenameChatConversation>,
) -> Result<Json<ChatConversation>, ApiError> {
    let renamed = app.rename_chat_conversation(caller, Chat::Mesh, cid, &expected, &wanted.name).await?;
    Ok(Json(conversation(Chat::Mesh, renamed)))
}

/// Takes up a conversation about all tasks again: it goes on from now instead of the present one.
#[utoipa::path(post, path = "/api/v1/mesh/chat/conversations/{cid}/activate", tag = "chats",
    params(("cid" = ChatConversationId, Path)),
    responses((status = 200, body = ChatConversation), ApiError))]
pub(crate) async fn activate_mesh_chat_conversation(
    caller: Caller,
    State(app): State<App>,
    Path(cid): Path<ChatConversationId>,
) -> Result<Json<ChatConversation>, ApiError> {
    let taken_up = app.activate_chat_conversation(caller, Chat::Mesh, cid).await?;
    Ok(Json(conversation(Chat::Mesh, taken_up)))
}
