//! Chats: conversations and their messages, of which one conversation goes on. An owner's chat about all tasks and those of
//! contracts are kept in tables of their own that are alike; [`Chat`] says which.

mod message;
mod sql;

pub use message::{ChatMessage, message, messages, say};
pub(crate) use sql::statements;

use crate::{
    Key, Noun, Page, Seek, StoreError, Tx,
    columns::{At, Cells, Entity, all, one, text},
    counters::count,
    db::{affected, on},
    error::Act,
};
use makima_model::{Chat, ChatConversationId, ContractId, OwnerId, Timestamp};
use sql::Sql;
use sqlx::types::Uuid;

/// A conversation of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatConversation {
    /// Its id.
    pub id: ChatConversationId,
    /// Whose it is.
    pub owner: OwnerId,
    /// Its name, for people.
    pub name: String,
    /// Whether it is the one that goes on.
    pub is_active: bool,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When something was last said in it, or it was changed.
    pub updated_at: Timestamp,
}

impl Entity for ChatConversation {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: cells.id("id")?,
            owner: cells.id("owner_id")?,
            name: cells.text("name")?,
            is_active: cells.flag("is_active")?,
            created_at: cells.at("created_at")?,
            updated_at: cells.at("updated_at")?,
        })
    }
}

/// The row whose chat it is: the owner's, or the contract's.
fn scope(owner: OwnerId, chat: Chat) -> Uuid {
    chat.contract().map_or(owner.uuid(), ContractId::uuid)
}

/// Lets nobody else change the chat until the end of this transaction; what comes to be in it has times in their order then.
/// `false`: there is no such chat.
pub async fn lock(tx: &mut Tx, owner: OwnerId, chat: Chat) -> Result<bool, StoreError> {
    let found = on!(tx, |c| sqlx::query(Sql::of(chat).lock)
        .bind(owner.uuid())
        .bind(scope(owner, chat))
        .execute(c)
        .await
        .map(affected))
    .act("lock a chat")?;
    Ok(found > 0)
}

/// Begins a conversation of a chat that is [locked](lock). If it is the active one, no other is any more.
pub async fn begin(tx: &mut Tx, chat: Chat, conversation: &ChatConversation) -> Result<(), StoreError> {
    let ChatConversation { id, owner, name, is_active, created_at, updated_at } = conversation;
    if *is_active {
        deactivate(tx, *owner, chat).await?;
    }
    on!(tx, |c| {
        let insert = sqlx::query(Sql::of(chat).begin)
            .bind(id.uuid())
            .bind(owner.uuid())
            .bind(text(name))
            .bind(*is_active)
            .bind(At(*created_at))
            .bind(At(*updated_at));
        match chat.contract() {
            Some(contract) => insert.bind(contract.uuid()).execute(c).await.map(affected),
            None => insert.execute(c).await.map(affected),
        }
    })
    .act("begin a chat's conversation")?;
    tx.outbox.count(*owner, scope(*owner, chat), Noun::ChatConversation, "", "", 1);
    Ok(())
}

/// The conversation of the chat that goes on.
pub async fn active(tx: &mut Tx, owner: OwnerId, chat: Chat) -> Result<Option<ChatConversation>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(Sql::of(chat).active)
        .bind(owner.uuid())
        .bind(scope(owner, chat))
        .fetch_optional(c)
        .await);
    Ok(one(row.act("read a chat's active conversation")?))
}

/// Makes this the conversation of a [locked](lock) chat that goes on. `None`: the chat has no such conversation.
pub async fn activate(
    tx: &mut Tx,
    owner: OwnerId,
    chat: Chat,
    id: ChatConversationId,
    at: Timestamp,
) -> Result<Option<ChatConversation>, StoreError> {
    deactivate(tx, owner, chat).await?;
    let row = on!(tx, |c| sqlx::query_as(Sql::of(chat).activate)
        .bind(owner.uuid())
        .bind(scope(owner, chat))
        .bind(id.uuid())
        .bind(At(at))
        .fetch_optional(c)
        .await);
    Ok(one(row.act("take up a chat's conversation")?))
}

/// The conversation of the chat with this id.
pub async fn conversation(
    tx: &mut Tx,
    owner: OwnerId,
    chat: Chat,
    id: ChatConversationId,
) -> Result<Option<ChatConversation>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(Sql::of(chat).conversation)
        .bind(owner.uuid())
        .bind(scope(owner, chat))
        .bind(id.uuid())
        .fetch_optional(c)
        .await);
    Ok(one(row.act("read a chat's conversation")?))
}

// A statement of its own: PostgreSQL looks at the unique index after each row, not after each statement.
async fn deactivate(tx: &mut Tx, owner: OwnerId, chat: Chat) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(Sql::of(chat).deactivate)
        .bind(owner.uuid())
        .bind(scope(owner, chat))
        .execute(c)
        .await
        .map(affected))
    .act("leave a chat's conversation")?;
    Ok(())
}

/// Gives a conversation another name. `None`: the chat has no such conversation.
pub async fn rename(
    tx: &mut Tx,
    owner: OwnerId,
    chat: Chat,
    id: ChatConversationId,
    name: &str,
    at: Timestamp,
) -> Result<Option<ChatConversation>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(Sql::of(chat).rename)
        .bind(owner.uuid())
        .bind(scope(owner, chat))
        .bind(id.uuid())
        .bind(At(at))
        .bind(text(name))
        .fetch_optional(c)
        .await);
    Ok(one(row.act("rename a chat's conversation")?))
}

/// The conversations of the chat.
pub async fn list(
    tx: &mut Tx,
    owner: OwnerId,
    chat: Chat,
    seek: Seek,
) -> Result<Page<ChatConversation>, StoreError> {
    let (at, id) = seek.key();
    let rows = on!(tx, |c| sqlx::query_as(Sql::of(chat).conversations.in_order(seek.order))
        .bind(at)
        .bind(id)
        .bind(seek.rows())
        .bind(owner.uuid())
        .bind(scope(owner, chat))
        .fetch_all(c)
        .await);
    let conversations = all(rows.act("list a chat's conversations")?);
    let total = how_many(tx, owner, chat).await?;
    Ok(seek.page(conversations, total, |conversation: &ChatConversation| Key {
        at: conversation.created_at,
        id: conversation.id.uuid(),
    }))
}

/// How many conversations the chat has.
pub async fn how_many(tx: &mut Tx, owner: OwnerId, chat: Chat) -> Result<i64, StoreError> {
    count(tx, owner, scope(owner, chat), Noun::ChatConversation, None, None).await
}
