//! Messages to a task's agent, kept until a run is given them.

use crate::{
    StoreError, Tx,
    codec::{pack, unpacked},
    columns::{At, Cells, Entity, all, wrong},
    db::{affected, on},
    error::Act,
    statements::statements,
};
use makima_model::{MessageId, OwnerId, PrincipalId, RunId, TaskId, Timestamp};

/// A message to a task's agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxMessage {
    /// The id that it has in the conversation.
    pub id: MessageId,
    /// Whose it is.
    pub owner: OwnerId,
    /// The task.
    pub task: TaskId,
    /// Who says it.
    pub principal: PrincipalId,
    /// What is said.
    pub content: String,
    /// When.
    pub created_at: Timestamp,
    /// The run that was given it.
    pub delivered: Option<RunId>,
}

impl Entity for InboxMessage {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        let content = unpacked(cells, "codec", "body")?;
        Ok(Self {
            id: cells.id("message_id")?,
            owner: cells.id("owner_id")?,
            task: cells.id("task_id")?,
            principal: cells.id("principal_id")?,
            content: String::from_utf8(content).map_err(|error| wrong("body", error))?,
            created_at: cells.at("created_at")?,
            delivered: cells.maybe_id("delivered_run_id")?,
        })
    }
}

statements! {
    PUT = "INSERT INTO task_inbox (message_id, owner_id, task_id, principal_id, codec, body, created_at, \
        delivered_run_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    UNDELIVERED = "SELECT * FROM task_inbox WHERE task_id = $1 AND owner_id = $2 AND delivered_run_id IS NULL \
        ORDER BY created_at, message_id";
    DELIVERED = "UPDATE task_inbox SET delivered_run_id = $3 \
        WHERE message_id = $1 AND owner_id = $2 AND delivered_run_id IS NULL";
}

/// Keeps a message until a run is given it.
pub async fn put(tx: &mut Tx, message: &InboxMessage) -> Result<(), StoreError> {
    let packed = pack(message.content.as_bytes());
    on!(tx, |c| sqlx::query(PUT)
        .bind(message.id.uuid())
        .bind(message.owner.uuid())
        .bind(message.task.uuid())
        .bind(message.principal.uuid())
        .bind(packed.codec)
        .bind(packed.body)
        .bind(At(message.created_at))
        .bind(message.delivered.map(RunId::uuid))
        .execute(c)
        .await
        .map(affected))
    .act("keep a message to an agent")?;
    Ok(())
}

/// The messages that no run was given, oldest first.
pub async fn undelivered(tx: &mut Tx, owner: OwnerId, task: TaskId) -> Result<Vec<InboxMessage>, StoreError> {
    let rows =
        on!(tx, |c| sqlx::query_as(UNDELIVERED).bind(task.uuid()).bind(owner.uuid()).fetch_all(c).await);
    Ok(all(rows.act("list the messages to an agent")?))
}

/// The run is given the message, and nobody else. Whether it is.
pub async fn delivered(tx: &mut Tx, owner: OwnerId, id: MessageId, run: RunId) -> Result<bool, StoreError> {
    let given = on!(tx, |c| sqlx::query(DELIVERED)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(run.uuid())
        .execute(c)
        .await
        .map(affected))
    .act("give a message to a run")?;
    Ok(given > 0)
}
