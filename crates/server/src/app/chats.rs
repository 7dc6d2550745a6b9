//! Chats: what an owner says about all tasks, or about one contract. The same rules hold of both.

use super::{App, Listed, lists, tasks::existing, texts};
use crate::{caller::Caller, cursor::ListMark, error::ApiError, precondition::Expected};
use makima_model::{
    Chat, ChatContext, ChatConversationId, Contract, ContractId, EventKind, MessageRole, TaskId, Timestamp,
};
use makima_store::{
    StoreError, Tx,
    chats::{self, ChatConversation, ChatMessage},
    events::{self, NewHistory},
};
use makima_wire::{List, SayInChat};
use serde_json::json;

/// How much of a message stands in the timeline.
const EXCERPT: usize = 10_000;

impl App {
    /// Keeps what the owner says, in the conversation that goes on; the first message begins it.
    pub(crate) async fn say_in_chat(
        &self,
        by: Caller,
        chat: Chat,
        wanted: SayInChat,
    ) -> Result<ChatMessage, ApiError> {
        texts::said("content", &wanted.content)?;
        let mut tx = self.db().begin().await?;
        if let Some(id) = by.has_done() {
            let said = chats::message(&mut tx, by.owner, chat, id).await?;
            return said.ok_or_else(|| ApiError::not_found("message"));
        }
        let contract = locked(&mut tx, by, chat).await?;
        let (context, context_task) = about(&mut tx, by, chat, &wanted).await?;
        let now = self.clock().now();
        let conversation = match chats::active(&mut tx, by.owner, chat).await? {
            Some(conversation) => conversation.id,
            None => self.begin(&mut tx, by, chat, contract.as_ref(), None, now).await?.id,
        };
        let message = ChatMessage {
            id: self.clock().new_id(),
            owner: by.owner,
            conversation,
            role: MessageRole::User,
            content: wanted.content,
            context,
            context_task,
            created_at: now,
        };
        chats::say(&mut tx, chat, &message).await?;
        self.tell(&mut tx, contract.as_ref(), &message);
        self.note(&mut tx, by, message.id).await?;
        tx.commit().await?;
        Ok(message)
    }

    /// Notes in the timeline what was said. What is said about all tasks is the owner's alone: it stands in no contract's
    /// timeline and no task's, which agents read.
    fn tell(&self, tx: &mut Tx, contract: Option<&Contract>, message: &ChatMessage) {
        let mut data = json!({
            "conversationId": message.conversation,
            "messageId": message.id,
            "role": message.role,
            "content": message.content.chars().take(EXCERPT).collect::<String>(),
            "contextType": message.context,
        });
        if message.content.chars().nth(EXCERPT).is_some() {
            data["truncated"] = json!(true);
        }
        if let Some(task) = message.context_task {
            data["contextTaskId"] = json!(task);
        }
        events::append_history(
            tx,
            NewHistory {
                id: self.clock().new_id(),
                owner: message.owner,
                contract: contract.map(|contract| contract.id),
                task: message.context_task.filter(|_| contract.is_some()),
                kind: EventKind::Chat,
                subtype: "chat_message".to_owned(),
                phase: contract.map(|contract| contract.phase),
                data,
                created_at: message.created_at,
            },
        );
    }

    /// A page of what was said in the conversation that goes on.
    pub(crate) async fn chat_messages(
        &self,
        by: Caller,
        chat: Chat,
        list: &List,
    ) -> Result<Listed<ChatMessage>, ApiError> {
        let mut tx = self.db().read().await?;
        existing_contract(&mut tx, by, chat).await?;
        let conversation = chats::active(&mut tx, by.owner, chat).await?.map(|conversation| conversation.id);
        let of = conversation.map(|id| id.to_string()).unwrap_or_default();
        let mark = ListMark::new("chat", by.owner, list.order, &[&of]);
        let seek = lists::seek(list, mark)?;
        match conversation {
            Some(id) => Ok(lists::listed(chats::messages(&mut tx, by.owner, chat, id, seek).await?, mark)),
            None => Ok(Listed { rows: Vec::new(), total: 0, cursor: None }),
        }
    }

    /// Begins a conversation, which goes on from now instead of the one before.
    pub(crate) async fn begin_chat_conversation(
        &self,
        by: Caller,
        chat: Chat,
        name: Option<String>,
    ) -> Result<ChatConversation, ApiError> {
        let name = name.map(|name| texts::name("name", &name)).transpose()?;
        let mut tx = self.db().begin().await?;
        if let Some(id) = by.has_done() {
            return chat_conversation(&mut tx, by, chat, id).await;
        }
        let contract = locked(&mut tx, by, chat).await?;
        let conversation = self.begin(&mut tx, by, chat, contract.as_ref(), name, self.clock().now()).await?;
        self.note(&mut tx, by, conversation.id).await?;
        tx.commit().await?;
        Ok(conversation)
    }

    async fn begin(
        &self,
        tx: &mut Tx,
        by: Caller,
        chat: Chat,
        contract: Option<&Contract>,
        name: Option<String>,
        now: Timestamp,
    ) -> Result<ChatConversation, StoreError> {
        let name = match (name, chats::how_many(tx, by.owner, chat).await?, contract) {
            (Some(name), _, _) => name,
            (None, 0, Some(contract)) => contract.name.clone(),
            (None, others, _) => format!("Conversation {}", others + 1),
        };
        let conversation = ChatConversation {
            id: self.clock().new_id(),
            owner: by.owner,
            name,
            is_active: true,
            created_at: now,
            updated_at: now,
        };
        chats::begin(tx, chat, &conversation).await?;
        Ok(conversation)
    }

    /// A page of a chat's conversations.
    pub(crate) async fn chat_conversations(
        &self,
        by: Caller,
        chat: Chat,
        list: &List,
    ) -> Result<Listed<ChatConversation>, ApiError> {
        let of = chat.contract().map(|id| id.to_string()).unwrap_or_default();
        let mark = ListMark::new("chat conversations", by.owner, list.order, &[&of]);
        let seek = lists::seek(list, mark)?;
        let mut tx = self.db().read().await?;
        existing_contract(&mut tx, by, chat).await?;
        Ok(lists::listed(chats::list(&mut tx, by.owner, chat, seek).await?, mark))
    }

    /// Gives a conversation another name.
    pub(crate) async fn rename_chat_conversation(
        &self,
        by: Caller,
        chat: Chat,
        id: ChatConversationId,
        expected: &Expected,
        name: &str,
    ) -> Result<ChatConversation, ApiError> {
        let name = texts::name("name", name)?;
        let mut tx = self.db().begin().await?;
        if let Some(id) = by.has_done() {
            return chat_conversation(&mut tx, by, chat, id).await;
        }
        let renamed = chats::rename(&mut tx, by.owner, chat, id, &name, self.clock().now()).await?;
        let renamed = renamed.ok_or_else(|| ApiError::not_found("conversation"))?;
        // It has no tags.
        expected.holds_of(None)?;
        self.note(&mut tx, by, id).await?;
        tx.commit().await?;
        Ok(renamed)
    }

    /// Takes up a conversation again: it goes on from now instead of the present one.
    pub(crate) async fn activate_chat_conversation(
        &self,
        by: Caller,
        chat: Chat,
        id: ChatConversationId,
    ) -> Result<ChatConversation, ApiError> {
        let mut tx = self.db().begin().await?;
        if let Some(id) = by.has_done() {
            return chat_conversation(&mut tx, by, chat, id).await;
        }
        locked(&mut tx, by, chat).await?;
        if let Some(present) =
            chats::active(&mut tx, by.owner, chat).await?.filter(|present| present.id == id)
        {
            return Ok(present);
        }
        let taken_up = chats::activate(&mut tx, by.owner, chat, id, self.clock().now()).await?;
        let taken_up = taken_up.ok_or_else(|| ApiError::not_found("conversation"))?;
        self.note(&mut tx, by, id).await?;
        tx.commit().await?;
        Ok(taken_up)
    }
}

/// The conversation of a chat, or 404.
async fn chat_conversation(
    tx: &mut Tx,
    by: Caller,
    chat: Chat,
    id: ChatConversationId,
) -> Result<ChatConversation, ApiError> {
    let conversation = chats::conversation(tx, by.owner, chat, id).await?;
    conversation.ok_or_else(|| ApiError::not_found("conversation"))
}

/// Keeps others from changing the chat; of a contract's chat the contract, or 404.
async fn locked(tx: &mut Tx, by: Caller, chat: Chat) -> Result<Option<Contract>, ApiError> {
    if !chats::lock(tx, by.owner, chat).await? {
        return Err(ApiError::not_found("contract"));
    }
    existing_contract(tx, by, chat).await
}

/// Of a contract's chat: the contract, or 404.
async fn existing_contract(tx: &mut Tx, by: Caller, chat: Chat) -> Result<Option<Contract>, ApiError> {
    let Some(id) = chat.contract() else { return Ok(None) };
    super::contracts::existing_contract(tx, by.owner, id).await.map(Some)
}

/// What a message is about.
async fn about(
    tx: &mut Tx,
    by: Caller,
    chat: Chat,
    wanted: &SayInChat,
) -> Result<(ChatContext, Option<TaskId>), ApiError> {
    let task: Option<Option<ContractId>> = match wanted.context_task_id {
        Some(id) => Some(existing(tx, by.owner, id).await?.contract),
        None => None,
    };
    let usual = if task.is_some() { ChatContext::Task } else { chat.context() };
    let context = wanted.context_type.unwrap_or(usual);
    if context != usual {
        return Err(ApiError::unprocessable(match context {
            ChatContext::Task => "contextTaskId is missing: contextType says that it is about a task",
            _ if task.is_some() => "contextTaskId names a task, and contextType says that it is about none",
            ChatContext::Contract => "this chat is about all tasks and has no contract",
            ChatContext::Mesh => "this chat is about its contract alone",
        }));
    }
    if chat.contract().is_some() && task.is_some_and(|contract| contract != chat.contract()) {
        return Err(ApiError::unprocessable("the task that contextTaskId names is none of the contract's"));
    }
    Ok((context, wanted.context_task_id))
}
