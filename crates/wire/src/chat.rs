//! Chats of the owner: about all tasks, or about one contract.

use crate::shape::{Name, Said};
use makima_model::{ChatContext, ChatConversationId, ContractId, MessageId, MessageRole, TaskId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A conversation of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatConversation {
    /// Its id.
    pub id: ChatConversationId,
    /// Of a contract's chat: the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<ContractId>,
    /// Its name.
    pub name: String,
    /// Whether it is the one that goes on: exactly one of a chat is.
    pub is_active: bool,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When something was last said in it, or it was renamed or taken up again.
    pub updated_at: Timestamp,
}

/// A page of a chat's conversations, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatConversationList {
    /// The rows.
    pub conversations: Vec<ChatConversation>,
    /// How many there are in all.
    pub total_count: i64,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A conversation to begin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateChatConversation {
    /// Its name: 1 to 200 characters, none of them a control character; absent: one is made.
    #[schema(value_type = Option<Name>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Another name for a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenameChatConversation {
    /// 1 to 200 characters, none of them a control character.
    #[schema(value_type = Name)]
    pub name: String,
}

/// A message of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatMessage {
    /// Its id.
    pub id: MessageId,
    /// The conversation that it was said in.
    pub conversation_id: ChatConversationId,
    /// Who speaks: `user`, who is the owner.
    pub role: MessageRole,
    /// What is said.
    pub content: String,
    /// What it is about.
    pub context_type: ChatContext,
    /// The task that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_task_id: Option<TaskId>,
    /// When.
    pub created_at: Timestamp,
}

/// A page of a chat's messages, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatMessageList {
    /// The rows.
    pub messages: Vec<ChatMessage>,
    /// How many there are in all.
    pub total_count: i64,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Something to say in a chat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SayInChat {
    /// What to say: 1 to 1,000,000 characters.
    #[schema(value_type = Said)]
    pub content: String,
    /// What it is about. Absent: the task that is named, else all that the chat is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_type: Option<ChatContext>,
    /// The task that it is about; in a contract's chat one of the contract's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_task_id: Option<TaskId>,
}
