//! Chats: of the mesh, and of contracts. The two have routes of their own, and one way of showing what is in them.

pub(crate) mod contract;
pub(crate) mod mesh;

use crate::app::Listed;
use makima_model::Chat;
use makima_store as store;
use makima_wire::{ChatConversation, ChatConversationList, ChatMessage, ChatMessageList};

pub(crate) fn message(message: store::ChatMessage) -> ChatMessage {
    ChatMessage {
        id: message.id,
        conversation_id: message.conversation,
        role: message.role,
        content: message.content,
        context_type: message.context,
        context_task_id: message.context_task,
        created_at: message.created_at,
    }
}

fn messages(page: Listed<store::ChatMessage>) -> ChatMessageList {
    let messages = page.rows.into_iter().map(message).collect();
    ChatMessageList { messages, total_count: page.total, cursor: page.cursor }
}

pub(crate) fn conversation(chat: Chat, conversation: store::ChatConversation) -> ChatConversation {
    ChatConversation {
        id: conversation.id,
        contract_id: chat.contract(),
        name: conversation.name,
        is_active: conversation.is_active,
        created_at: conversation.created_at,
        updated_at: conversation.updated_at,
    }
}

fn conversations(chat: Chat, page: Listed<store::ChatConversation>) -> ChatConversationList {
    let conversations = page.rows.into_iter().map(|row| conversation(chat, row)).collect();
    ChatConversationList { conversations, total_count: page.total, cursor: page.cursor }
}
