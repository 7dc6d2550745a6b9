//! Events: what happened, for timelines and for the live feed.
//!
//! Both kinds carry `seq`, one ascending number for each owner. It may have holes: nothing follows from one.

use crate::{ContractId, EventId, OwnerId, Phase, TaskId, TaskStatus, Timestamp, text::words};
use serde_json::Value;

words! {
    /// What a history event is about (specification, §5.3).
    EventKind, "kind of event" {
        /// A task.
        Task = "task",
        /// Something that was said in a chat.
        Chat = "chat",
        /// A checkpoint.
        Checkpoint = "checkpoint",
        /// A contract: its phase, name, description or status.
        Phase = "phase",
        /// Files that a turn changed.
        File = "file",
    }
}

words! {
    /// What entries of the timeline are asked for by.
    HistoryType, "type of event" {
        /// A task was made.
        TaskCreated = "task_created",
        /// A task has completed.
        TaskCompleted = "task_completed",
        /// A turn of a task's agent ended.
        TaskTurn = "task_turn",
        /// Anything else that became of a task: another status, and what changes of history made of it.
        TaskStatus = "task_status",
        /// A checkpoint was made.
        Checkpoint = "checkpoint",
        /// A contract's phase, name, description or status changed.
        PhaseChange = "phase_change",
        /// Something was said in a chat.
        Chat = "chat",
        /// A turn changed files.
        FileChange = "file_change",
    }
}

impl HistoryType {
    /// The kind of the events that it asks for.
    pub fn kind(self) -> EventKind {
        match self {
            Self::TaskCreated | Self::TaskCompleted | Self::TaskTurn | Self::TaskStatus => EventKind::Task,
            Self::Checkpoint => EventKind::Checkpoint,
            Self::PhaseChange => EventKind::Phase,
            Self::Chat => EventKind::Chat,
            Self::FileChange => EventKind::File,
        }
    }
}

words! {
    /// What happened in a task's run (specification, §1.1).
    TaskEventKind, "kind of task event" {
        /// Something to know that is no message of the conversation.
        Output = "output",
        /// Its status changed.
        StatusChange = "status_change",
        /// A question was asked.
        Question = "question",
        /// A question was answered, or no longer needs to be.
        Answer = "answer",
        /// A turn ended.
        Turn = "turn",
        /// A checkpoint was made, or could not be.
        Checkpoint = "checkpoint",
        /// The task branch was taken to the user's repository, or not.
        Published = "published",
        /// The agent's session began.
        Session = "session",
    }
}

words! {
    /// Where a change was asked for.
    Origin, "origin" {
        /// The HTTP API.
        Api = "api",
        /// The command line.
        Cli = "cli",
        /// The web UI.
        Web = "web",
        /// An agent.
        Agent = "agent",
        /// The server itself.
        Server = "server",
    }
}

/// One entry of the timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEvent {
    /// Its id.
    pub id: EventId,
    /// Whose it is.
    pub owner: OwnerId,
    /// Its number among the owner's events and output.
    pub seq: i64,
    /// The contract that it belongs to.
    pub contract: Option<ContractId>,
    /// The task that it belongs to.
    pub task: Option<TaskId>,
    /// What it is about.
    pub kind: EventKind,
    /// What exactly happened, such as `task_created`.
    pub subtype: String,
    /// The contract's phase at that moment.
    pub phase: Option<Phase>,
    /// The rest.
    pub data: Value,
    /// When.
    pub created_at: Timestamp,
}

/// One event of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskEvent {
    /// Its id.
    pub id: EventId,
    /// The task.
    pub task: TaskId,
    /// Its number among the owner's events and output.
    pub seq: i64,
    /// The run that it happened in, from 1; 0 outside a run.
    pub run_number: i64,
    /// What happened.
    pub kind: TaskEventKind,
    /// Of a change of status: the one before.
    pub previous_status: Option<TaskStatus>,
    /// Of a change of status: the one after.
    pub new_status: Option<TaskStatus>,
    /// The rest.
    pub data: Value,
    /// When.
    pub created_at: Timestamp,
}
