//! The owner's chat about a contract.

use super::{conversation, conversations, message, messages};
use crate::{
    App,
    caller::Caller,
    error::ApiError,
    extract::{Body, Path, Query},
    precondition::Expected,
};
use axum::{Json, extract::State, http::StatusCode};
use makima_model::{Chat, ChatConversationId, ContractId};
use makima_wire::{
    ChatConversation, ChatConversationList, ChatMessage, ChatMessageList, CreateChatConversation, List,
    RenameChatConversation, SayInChat,
};

/// What was said about a contract, newest first: the messages of the conversation that goes on.
#[utoipa::path(get, path = "/api/v1/contracts/{id}/chat", tag = "chats", params(("id" = ContractId, Path), List),
    responses((status = 200, body = ChatMessageList), ApiError))]
pub(crate) async fn list_contract_chat_messages(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<ContractId>,
    Query(list): Query<List>,
) -> Result<Json<ChatMessageList>, ApiError> {
    Ok(Json(messages(app.chat_messages(caller, Chat::Contract(id), &list).await?)))
}

/// Says something about a contract, in the conversation that goes on.
///
/// The first message begins one, called like the contract. `contextType` is `contract`, or `task` with `contextTaskId`:
/// one of the contract's tasks. The message is kept, and told in the timeline. Nobody answers yet.
#[utoipa::path(post, path = "/api/v1/contracts/{id}/chat", tag = "chats", params(("id" = ContractId, Path)),
    request_body = SayInChat, responses((status = 201, body = ChatMessage), ApiError))]
pub(crate) async fn say_in_contract_chat(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<ContractId>,
    Body(wanted): Body<SayInChat>,
) -> Result<(StatusCode, Json<ChatMessage>), ApiError> {
    Ok((StatusCode::CREATED, Json(message(app.say_in_chat(caller, Chat::Contract(id), wanted).await?))))
}

/// The conversations about a contract, newest first.
#[utoipa::path(get, path = "/api/v1/contracts/{id}/chat/conversations", tag = "chats", params(("id" = ContractId,
    Path), List),
    responses((status = 200, body = ChatConversationList), ApiError))]
pub(crate) async fn list_contract_chat_conversations(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<ContractId>,
    Query(list): Query<List>,
) -> Result<Json<ChatConversationList>, ApiError> {
    Ok(Json(conversations(
        Chat::Contract(id),
        app.chat_conversations(caller, Chat::Contract(id), &list).await?,
    )))
}

/// Begins a conversation about a contract. It goes on from now instead of the one before, which is kept.
#[utoipa::path(post, path = "/api/v1/contracts/{id}/chat/conversations", tag = "chats", params(("id" = ContractId,
    Path)),
    request_body = CreateChatConversation, responses((status = 201, body = ChatConversation), ApiError))]
pub(crate) async fn create_contract_chat_conversation(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<ContractId>,
    Body(wanted): Body<CreateChatConversation>,
) -> Result<(StatusCode, Json<ChatConversation>), ApiError> {
    let begun = app.begin_chat_conversation(caller, Chat::Contract(id), wanted.name).await?;
    Ok((StatusCode::CREATED, Json(conversation(Chat::Contract(id), begun))))
}

/// Gives a conversation about a contract another name.
#[utoipa::path(patch, path = "/api/v1/contracts/{id}/chat/conversations/{cid}", tag = "chats",
    params(("id" = ContractId, Path), ("cid" = ChatConversationId, Path)),
    request_body = RenameChatConversation, responses((status = 200, body = ChatConversation), ApiError))]
pub(crate) async fn rename_contract_chat_conversation(
    caller: Caller,
    State(app): State<App>,
    Path((id, cid)): Path<(ContractId, ChatConversationId)>,
    expected: Expected,
    Body(wanted): Body<RenameChatConversation>,
) -> Result<Json<ChatConversation>, ApiError> {
    let renamed =
        app.rename_chat_conversation(caller, Chat::Contract(id), cid, &expected, &wanted.name).await?;
    Ok(Json(conversation(Chat::Contract(id), renamed)))
}

/// Takes up a conversation about a contract again: it goes on from now instead of the present one.
#[utoipa::path(post, path = "/api/v1/contracts/{id}/chat/conversations/{cid}/activate", tag = "chats",
    params(("id" = ContractId, Path), ("cid" = ChatConversationId, Path)),
    responses((status = 200, body = ChatConversation), ApiError))]
pub(crate) async fn activate_contract_chat_conversation(
    caller: Caller,
    State(app): State<App>,
    Path((id, cid)): Path<(ContractId, ChatConversationId)>,
) -> Result<Json<ChatConversation>, ApiError> {
    let taken_up = app.activate_chat_conversation(caller, Chat::Contract(id), cid).await?;
    Ok(Json(conversation(Chat::Contract(id), taken_up)))
}
