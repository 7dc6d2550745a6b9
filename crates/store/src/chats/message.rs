//! What is said in chats.

use super::sql::Sql;
use crate::{
    Key, Noun, Page, Seek, StoreError, Tx,
    codec::{pack, unpacked},
    columns::{At, Cells, Entity, all, one, wrong},
    counters::count,
    db::{affected, on},
    error::Act,
};
use makima_model::{
    Chat, ChatContext, ChatConversationId, MessageId, MessageRole, OwnerId, TaskId, Timestamp,
};

/// A message of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// Its id.
    pub id: MessageId,
    /// Whose it is.
    pub owner: OwnerId,
    /// The conversation that it was said in.
    pub conversation: ChatConversationId,
    /// Who speaks.
    pub role: MessageRole,
    /// What is said.
    pub content: String,
    /// What it is about.
    pub context: ChatContext,
    /// The task that it is about; `None` also where that task is gone.
    pub context_task: Option<TaskId>,
    /// When.
    pub created_at: Timestamp,
}

impl Entity for ChatMessage {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        let content = unpacked(cells, "codec", "content")?;
        Ok(Self {
            id: cells.id("id")?,
            owner: cells.id("owner_id")?,
            conversation: cells.id("conversation_id")?,
            role: cells.word("role")?,
            content: String::from_utf8(content).map_err(|error| wrong("content", error))?,
            context: cells.word("context_type")?,
            context_task: cells.maybe_id("context_task_id")?,
            created_at: cells.at("created_at")?,
        })
    }
}

/// Says something in a conversation of the chat.
pub async fn say(tx: &mut Tx, chat: Chat, message: &ChatMessage) -> Result<(), StoreError> {
    let act = "say something in a chat";
    let packed = pack(message.content.as_bytes());
    on!(tx, |c| sqlx::query(Sql::of(chat).say)
        .bind(message.id.uuid())
        .bind(message.owner.uuid())
        .bind(message.conversation.uuid())
        .bind(message.role.as_str())
        .bind(packed.codec)
        .bind(packed.body)
        .bind(message.context.as_str())
        .bind(message.context_task.map(TaskId::uuid))
        .bind(At(message.created_at))
        .execute(c)
        .await
        .map(affected))
    .act(act)?;
    on!(tx, |c| sqlx::query(Sql::of(chat).touch)
        .bind(message.conversation.uuid())
        .bind(message.owner.uuid())
        .bind(At(message.created_at))
        .execute(c)
        .await
        .map(affected))
    .act(act)?;
    tx.outbox.count(message.owner, message.conversation.uuid(), Noun::ChatMessage, "", "", 1);
    Ok(())
}

/// What was said under this id, in any of the chat's conversations.
pub async fn message(
    tx: &mut Tx,
    owner: OwnerId,
    chat: Chat,
    id: MessageId,
) -> Result<Option<ChatMessage>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(Sql::of(chat).message)
        .bind(id.uuid())
        .bind(owner.uuid())
        .fetch_optional(c)
        .await);
    Ok(one(row.act("read what was said in a chat")?))
}

/// What was said in a conversation of the chat.
pub async fn messages(
    tx: &mut Tx,
    owner: OwnerId,
    chat: Chat,
    conversation: ChatConversationId,
    seek: Seek,
) -> Result<Page<ChatMessage>, StoreError> {
    let (at, id) = seek.key();
    let rows = on!(tx, |c| sqlx::query_as(Sql::of(chat).messages.in_order(seek.order))
        .bind(at)
        .bind(id)
        .bind(seek.rows())
        .bind(owner.uuid())
        .bind(conversation.uuid())
        .fetch_all(c)
        .await);
    let messages = all(rows.act("list a chat's messages")?);
    let total = count(tx, owner, conversation.uuid(), Noun::ChatMessage, None, None).await?;
    Ok(seek
        .page(messages, total, |message: &ChatMessage| Key { at: message.created_at, id: message.id.uuid() }))
}
