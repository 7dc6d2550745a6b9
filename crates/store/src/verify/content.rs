//! Whether every row can be read by what reads it: words that are known, contents that their codecs unpack and that parse,
//! agents' records beside the messages that they were packed with.

use super::Watch;
use crate::{
    ApiKey, ChatConversation, ChatMessage, Checkpoint, Command, Import, InboxMessage, QuestionRow, Run,
    Snapshot, StoreError, StoredMessage, Task, Tx, User,
    columns::{Cells, Entity, Of},
    db::on,
    error::Act,
    idempotency::Known as KeptRequest,
    native::Stored,
    statements::Statement,
};
use futures::TryStreamExt;
use makima_model::{
    BlobRef, Branch, Contract, Daemon, HistoryEvent, Operation, TaskEvent,
    verify::{Finding, Progress, Report},
};
use sqlx::types::Uuid;
use std::marker::PhantomData;

/// What the rows of a statement are.
struct Kind {
    /// One of them.
    noun: &'static str,
    /// All of them.
    nouns: &'static str,
    /// How many there are.
    count: &'static str,
    /// All of them, as they are read, and `looked_at`: the id that is told.
    rows: &'static str,
}

/// Declares what is read, and as what: `entity: one, all, table, id, columns, joins;`.
macro_rules! contents {
    ($($entity:ty: $noun:literal, $nouns:literal, $table:literal, $id:literal, $columns:literal $(, $joins:literal)?;)*) => {
        const KINDS: &[Kind] = &[$(Kind {
            noun: $noun,
            nouns: $nouns,
            count: concat!("SELECT COUNT(*) FROM ", $table),
            rows: concat!("SELECT entry.", $id, " AS looked_at, ", $columns, " FROM ", $table, " AS entry", $($joins)?),
        }),*];

        /// Reads every row of every table.
        pub(super) async fn look(tx: &mut Tx, report: &mut Report, watch: Watch<'_>) -> Result<(), StoreError> {
            let mut kinds = KINDS.iter();
            $(if let Some(kind) = kinds.next() {
                kind.read::<$entity>(tx, report, watch).await?;
            })*
            Ok(())
        }
    };
}

contents! {
    User: "user", "users", "users", "id", "entry.*";
    ApiKey: "key", "keys", "api_keys", "id", "entry.*";
    Daemon: "daemon", "daemons", "daemons", "id", "entry.*, CAST(0 AS BIGINT) AS running_tasks";
    Contract: "contract", "contracts", "contracts", "id", "entry.*";
    Task: "task", "tasks", "tasks", "id", "entry.*, CAST(0 AS BIGINT) AS message_count";
    Branch: "branch", "branches", "conversation_branches", "id", "entry.*";
    Run: "run", "runs", "runs", "id", "entry.*";
    Command: "command", "commands", "daemon_commands", "id", "entry.*";
    Checkpoint: "checkpoint", "checkpoints", "task_checkpoints", "id", "entry.*";
    Snapshot: "snapshot", "snapshots", "conversation_snapshots", "id", "entry.*";
    QuestionRow: "question", "questions", "task_questions", "id", "entry.*";
    InboxMessage: "message", "messages to agents", "task_inbox", "message_id", "entry.*";
    Operation: "operation", "operations", "operations", "id", "entry.*";
    KeptRequest: "request", "requests that are done once", "idempotency_keys", "attempt_id", "entry.*";
    Import: "import", "imports", "imports", "id", "entry.*, task.deleted_at",
        " LEFT JOIN tasks AS task ON task.id = entry.task_id";
    HistoryEvent: "event", "events of the timeline", "history_events", "id", "entry.*";
    TaskEvent: "event", "events of tasks", "task_events", "id", "entry.*";
    BlobRef: "blob of user", "blobs", "blobs", "owner_id", "entry.*";
    ChatConversation: "conversation", "conversations of the chat", "mesh_chat_conversations", "id", "entry.*";
    ChatMessage: "message", "messages of the chat", "mesh_chat_messages", "id", "entry.*";
    ChatConversation: "conversation", "conversations of contracts' chats", "contract_chat_conversations", "id", "entry.*";
    ChatMessage: "message", "messages of contracts' chats", "contract_chat_messages", "id", "entry.*";
    StoredMessage: "message", "messages", "conversation_messages", "id", "entry.*";
    // Where a record's message can't be unpacked, that is told of the message.
    Stored: "record of branch", "records of agents", "native_entries", "branch_id",
        "entry.seq, entry.ordinal, entry.file, entry.codec, entry.body, \
        message.codec AS message_codec, message.body AS message_body",
        " LEFT JOIN conversation_messages AS message ON message.branch_id = entry.branch_id AND message.seq = entry.seq";
}

/// A row that was looked at.
struct Looked<T> {
    id: Uuid,
    wrong: Option<sqlx::Error>,
    of: PhantomData<fn() -> T>,
}

impl<T: Entity> Entity for Looked<T> {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self { id: cells.id("looked_at")?, wrong: T::read(cells).err(), of: PhantomData })
    }
}

/// After how many rows it is told how far it has come.
const STRIDE: u64 = 1000;

impl Kind {
    async fn read<T: Entity>(
        &self,
        tx: &mut Tx,
        report: &mut Report,
        watch: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<(), StoreError> {
        let act = "read all rows";
        let of: i64 = on!(tx, |c| sqlx::query_scalar(self.count).fetch_one(c).await).act(act)?;
        let of = u64::try_from(of).unwrap_or(0);
        let mut done = 0;
        let read = on!(tx, |c| {
            let mut rows = sqlx::query_as(self.rows).fetch(c);
            loop {
                if done % STRIDE == 0 {
                    watch(Progress { what: self.nouns, done, of });
                }
                let row: Option<Of<Looked<T>>> = match rows.try_next().await {
                    Ok(row) => row,
                    Err(error) => break Err(error),
                };
                let Some(Of(Looked { id, wrong, .. })) = row else { break Ok(()) };
                done += 1;
                if let Some(wrong) = wrong {
                    report.add(self.finding(id, &wrong));
                }
            }
        });
        read.act(act)?;
        report.count(self.nouns, done);
        Ok(())
    }

    fn finding(&self, id: Uuid, wrong: &sqlx::Error) -> Finding {
        Finding {
            rule: "unreadable".to_owned(),
            object: format!("{} {}", self.noun, id.hyphenated()),
            found: format!("it can't be read: {wrong}"),
            advice: "a newer Makima wrote it, or it is damaged: use the newest version; else take the database from a backup, or \
                keep a copy of the data and report it with this line"
                .to_owned(),
        }
    }
}

/// The statements of this module.
pub(super) fn statements() -> impl Iterator<Item = Statement> {
    KINDS.iter().flat_map(|kind| [Statement::Plain(kind.count), Statement::Plain(kind.rows)])
}
