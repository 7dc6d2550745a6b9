//! What can be found: a message, a checkpoint, or another event, with the words of it.

use super::words;
use crate::{
    Checkpoint, FeedItem, HistoryEntry, StoreError, StoredMessage, Tx, chats, checkpoints, db::Engine,
};
use makima_model::{
    Chat, CheckpointId, ContractId, EventKind, HistoryEvent, Message, MessageId, MessageRole, TaskEvent,
    TaskEventKind, TaskId, Timestamp,
    search::{Text, of_checkpoint, of_history_event, of_message, of_task_event},
};
use serde_json::Value;

/// A row of `search_documents`, and the words that are kept beside it.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) seq: i64,
    pub(super) task: Option<TaskId>,
    /// Where it belongs to no task.
    pub(super) contract: Option<ContractId>,
    pub(super) checkpoint: Option<CheckpointId>,
    pub(super) role: Option<MessageRole>,
    pub(super) tools: Option<String>,
    pub(super) is_error: bool,
    pub(super) at: Timestamp,
    /// On SQLite one line, on PostgreSQL pieces.
    pub(super) words: Vec<String>,
}

/// Makes documents of the owner whose number it is.
pub(super) struct Maker {
    pub(super) number: i64,
    pub(super) engine: Engine,
}

impl Maker {
    /// The document of something; `None` where nobody looks for it.
    pub(super) async fn document(
        &self,
        tx: &mut Tx,
        item: &FeedItem,
    ) -> Result<Option<Document>, StoreError> {
        Ok(match item {
            FeedItem::Message(stored) => Some(self.message(stored)),
            FeedItem::TaskEvent(event) => self.task_event(event),
            FeedItem::History(HistoryEntry { event, .. }) => self.history_event(tx, event).await?,
        })
    }

    fn message(&self, stored: &StoredMessage) -> Document {
        let message = &stored.message;
        let tools = message.tool_calls.iter().map(|call| call.name.as_str());
        Document {
            seq: stored.feed_seq,
            task: Some(stored.task),
            contract: None,
            checkpoint: None,
            role: Some(message.role),
            tools: listed(tools.chain(message.tool_name.as_deref())),
            is_error: is_error(message),
            at: message.timestamp,
            words: self.words(&of_message(message)),
        }
    }

    fn task_event(&self, event: &TaskEvent) -> Option<Document> {
        let texts = of_task_event(event)?;
        Some(Document {
            seq: event.seq,
            task: Some(event.task),
            contract: None,
            checkpoint: None,
            role: None,
            tools: listed(asked_for(event).into_iter()),
            is_error: tells_of_error(event),
            at: event.created_at,
            words: self.words(&texts),
        })
    }

    async fn history_event(&self, tx: &mut Tx, event: &HistoryEvent) -> Result<Option<Document>, StoreError> {
        let Some(texts) = of_history_event(event) else { return Ok(None) };
        let checkpoint = checkpoint_of(tx, event).await?;
        let said = said_in_full(tx, event).await?;
        let words = match (&checkpoint, &said) {
            (Some(checkpoint), _) => self.words(&of_checkpoint(&checkpoint.made)),
            (None, Some(said)) => self.words(&[Text { text: said.into(), tool: None }]),
            (None, None) => self.words(&texts),
        };
        Ok(Some(Document {
            seq: event.seq,
            task: event.task,
            contract: event.contract.filter(|_| event.task.is_none()),
            checkpoint: checkpoint.map(|checkpoint| checkpoint.made.id),
            role: said_by(event),
            tools: None,
            is_error: is_failure(event),
            at: event.created_at,
            words,
        }))
    }

    fn words(&self, texts: &[Text<'_>]) -> Vec<String> {
        match self.engine {
            Engine::Sqlite => vec![words::line(texts)],
            Engine::Postgres => words::pieces(texts, self.number),
        }
    }
}

/// Names of tools, so that one of them can be looked for.
fn listed<'a>(tools: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut tools: Vec<String> = tools.map(str::to_lowercase).collect();
    tools.sort();
    tools.dedup();
    (!tools.is_empty()).then(|| tools.join(", "))
}

/// Whether a message tells that something went wrong.
pub(super) fn is_error(message: &Message) -> bool {
    message.is_error == Some(true)
}

/// Whether an event of a task does.
pub(super) fn tells_of_error(event: &TaskEvent) -> bool {
    // Of checkpoints only those are looked for that could not be made.
    event.kind == TaskEventKind::Checkpoint
        || event.data["level"] == "error"
        || event.data["failure"].is_object()
}

/// Whether an entry of the timeline does.
pub(super) fn is_failure(event: &HistoryEvent) -> bool {
    event.kind == EventKind::Task
        && (event.data["failure"].is_object() || event.data["newStatus"] == "failed")
}

/// The tool that a question asks for.
pub(super) fn asked_for(event: &TaskEvent) -> Option<&str> {
    event.data["question"]["toolName"].as_str()
}

/// The checkpoint that an entry of the timeline tells of: with all of its files.
pub(super) async fn checkpoint_of(
    tx: &mut Tx,
    event: &HistoryEvent,
) -> Result<Option<Checkpoint>, StoreError> {
    let id = event.data["id"].as_str().filter(|_| event.kind == EventKind::Checkpoint);
    match id.and_then(|id| id.parse().ok()) {
        Some(id) => checkpoints::even_put_away(tx, event.owner, id).await,
        None => Ok(None),
    }
}

/// Who said what an entry of the timeline tells of.
pub(super) fn said_by(event: &HistoryEvent) -> Option<MessageRole> {
    event.data["role"].as_str().filter(|_| event.kind == EventKind::Chat)?.parse().ok()
}

/// The chat that an entry of the timeline tells of, and the message in it.
pub(super) fn chat_of(event: &HistoryEvent) -> Option<(Chat, MessageId)> {
    let id = event.data["messageId"].as_str().filter(|_| event.kind == EventKind::Chat)?;
    Some((event.contract.map_or(Chat::Mesh, Chat::Contract), id.parse().ok()?))
}

/// What was said in a chat, where the entry of the timeline has not all of it.
pub(super) async fn said_in_full(tx: &mut Tx, event: &HistoryEvent) -> Result<Option<String>, StoreError> {
    match chat_of(event).filter(|_| event.data["truncated"] == Value::Bool(true)) {
        Some((chat, id)) => Ok(chats::message(tx, event.owner, chat, id).await?.map(|said| said.content)),
        None => Ok(None),
    }
}
