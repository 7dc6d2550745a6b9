//! What goes over the network: HTTP bodies, error codes, feed and daemon frames.
//!
//! Shapes only. Field names are the specification's; a change here is a change of the API, which the OpenAPI snapshot
//! shows.

mod access;
mod body;
mod chat;
mod checkpoint;
mod contract;
mod conversation;
mod daemon;
mod error;
mod event;
mod export;
pub mod frame;
mod history;
mod import;
mod operation;
mod search;
mod shape;
mod snapshot;
mod task;

pub use access::{CreateKey, CreatedKey, Key, KeyList, Me, SignIn, SignInLink, Via};
pub use body::{Health, List, Order, Words};
pub use chat::{
    ChatConversation, ChatConversationList, ChatMessage, ChatMessageList, CreateChatConversation,
    RenameChatConversation, SayInChat,
};
pub use checkpoint::{
    Checkpoint, CheckpointDiff, CheckpointList, CheckpointPath, CreateCheckpoint, DiffQuery,
};
pub use contract::{ChangeContract, Contract, ContractList, CreateContract, ListContracts, SetPhase};
pub use conversation::{Branch, BranchList, Conversation, ConversationMessage, Moment, ReadConversation};
pub use daemon::{Daemon, DaemonList};
pub use error::{Code, ErrorBody};
pub use event::{Delta, DeltaKind, FeedData, TaskEvent, TaskEventList};
pub use export::{
    EXPORT_VERSION, ExportArchive, ExportFormat, ExportQuery, ExportedCheckpoint, ExportedCode, ExportedFile,
    Manifest, WithoutCode, WithoutCodeReason,
};
pub use history::{EntryType, HistoryEntry, ListHistory, ListTimeline, Timeline};
pub use import::{
    AppendToImport, CreateImport, FilePart, FinishImport, Import, ImportEntry, ImportList, ImportedCommit,
    ImportedLine, ImportedMessage, ListImports,
};
pub use operation::{Deletion, ListOperations, Operation, OperationList, RestoreSnapshot, UndoOperation};
pub use search::{Search, SearchHit, SearchHits};
pub use snapshot::{CreateSnapshot, Snapshot, SnapshotList, SnapshotState};
pub use task::{
    AnswerQuestion, ConversationState, CreateTask, ListTasks, OfContract, ReassignTask, SendMessage,
    SentMessage, Task, TaskList,
};

/// Where the API stands below the server's address.
pub const API: &str = "/api/v1";

/// The header by which a request is carried out once, however often it is sent.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
