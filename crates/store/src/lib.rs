//! All SQL, over SQLite and PostgreSQL.
//!
//! [`Db`] opens either engine by its URL; a [`Tx`] is a transaction on it, and every function of the modules here works
//! inside one. Each statement is written once and runs on both engines; what is read comes out as the model's types or
//! as the entities declared here, never as rows. Time and ids are handed in: nothing here makes them.
//!
//! Every row has an owner and every function asks for one, but for the few whose documentation says "any owner": those
//! are the server's own business. What another owner has is absent here.

mod codec;
mod columns;
mod db;
mod error;
mod outbox;
mod statements;

pub mod blobs;
pub mod chats;
pub mod checkpoints;
pub mod commands;
pub mod contracts;
pub mod conversations;
pub mod counters;
pub mod daemons;
pub mod erase;
pub mod events;
pub mod idempotency;
pub mod imports;
pub mod inbox;
pub mod keys;
pub mod native;
pub mod operations;
pub mod page;
pub mod questions;
pub mod runs;
pub mod search;
pub mod snapshots;
pub mod tasks;
pub mod trash;
pub mod users;
pub mod verify;

pub use chats::{ChatConversation, ChatMessage};
pub use checkpoints::Checkpoint;
pub use commands::{Command, CommandState, NewCommand};
pub use conversations::{Reader, StoredMessage, UnreadMessage};
pub use counters::Noun;
pub use db::{Db, Engine, Schema, Tx, Wake};
pub use error::{Hindrance, StoreError};
pub use events::{
    FeedItem, FeedScope, HistoryEntry, NewHistory, NewTaskEvent, TimelineFilter, TimelineScope,
};
pub use imports::{FilePart, Import};
pub use inbox::InboxMessage;
pub use keys::{ApiKey, Caller, KeyKind, NewKey};
pub use page::{Key, Order, Page, Seek};
pub use questions::QuestionRow;
pub use runs::Run;
pub use search::{SearchFilter, SearchHit, SearchKey};
pub use snapshots::Snapshot;
pub use tasks::Task;
pub use users::{User, UserKind};

#[doc(hidden)]
pub use statements::{all as statements, checks};
