//! The vocabulary of Makima: ids, entities, state machines, points and the branch algebra.
//!
//! Everything here is a value or a function from values to values. Nothing touches the world: no files, no processes,
//! no network, no database; time and fresh ids come from [`Clock`], which the caller hands in.

pub mod branch;
mod chat;
mod checkpoint;
mod clean;
mod clock;
mod contract;
mod daemon;
pub mod diff;
mod event;
mod ids;
mod import;
mod message;
mod name;
mod operation;
pub mod placement;
mod point;
mod question;
mod record;
mod run;
pub mod search;
mod snapshot;
mod task;
mod text;
pub mod verify;

pub use branch::{Branch, BranchReason, Position};
pub use chat::{Chat, ChatContext};
pub use checkpoint::{
    BlobRef, CheckpointKind, CheckpointMade, FileAction, FileChange, NotHeld, NotHeldReason, shown_path,
};
pub use clean::clean;
pub use clock::{Clock, Timestamp, TimestampError};
pub use contract::{Contract, ContractStatus, Phase};
pub use daemon::{AgentInfo, Daemon, DaemonStatus};
pub use event::{EventKind, HistoryEvent, HistoryType, Origin, TaskEvent, TaskEventKind};
pub use ids::{
    AttemptId, BranchId, ChatConversationId, CheckpointId, CommandId, ContractId, DaemonId, EventId,
    ExportId, IdError, ImportId, KeyId, MessageId, OperationId, OwnerId, PrincipalId, QuestionId, RunId,
    SnapshotId, TaskId,
};
pub use import::ImportSource;
pub use message::{Message, MessageRole, ToolCall};
pub use name::{branch_name, name_from_plan, slug};
pub use operation::{Circumstances, Head, NotUndoable, Operation, OperationKind, OperationState, Reversal};
pub use point::{CommitPrefix, Point, PointError};
pub use question::{Answer, Question, QuestionKind};
pub use record::{Entry, NativeLine, NoticeLevel, Published, Record};
pub use run::{AgentFailure, FailureKind, RunEnd, RunOutcome, StopReason, TurnEnd, TurnOutcome, Usage};
pub use snapshot::SnapshotType;
pub use task::{PermissionMode, TaskRole, TaskStatus};
pub use text::UnknownWord;
