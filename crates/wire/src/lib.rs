//! What goes over the network: HTTP bodies, error codes, feed and daemon frames.
//!
//! Shapes only. Field names are the specification's; a change here is a change of the API, which the OpenAPI snapshot
//! shows.

mod body;
mod checkpoint;
mod contract;
mod conversation;
mod daemon;
mod error;
mod event;
pub mod frame;
mod task;

pub use body::{Health, List};
pub use checkpoint::{Checkpoint, CheckpointList, CreateCheckpoint};
pub use contract::{Contract, ContractList, CreateContract};
pub use conversation::{Conversation, ConversationMessage};
pub use daemon::{Daemon, DaemonList};
pub use error::{Code, ErrorBody};
pub use event::{Delta, DeltaKind, FeedData, HistoryEntry, TaskEvent, TaskEventList};
pub use task::{AnswerQuestion, ConversationState, CreateTask, SendMessage, SentMessage, Task, TaskList};

/// Where the API stands below the server's address.
pub const API: &str = "/api/v1";
