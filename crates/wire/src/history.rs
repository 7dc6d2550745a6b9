//! The timeline: what happened to a contract, to tasks, to everything of an owner.

use crate::{List, Order, Words};
use makima_model::{
    ChatConversationId, CheckpointId, ContractId, EventId, EventKind, FileChange, HistoryType, MessageId,
    MessageRole, Phase, TaskId, Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What an entry of the timeline tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryType {
    /// A task: it was made, its status changed, a turn of its agent ended, a change of history was made to it.
    TaskEvent,
    /// Something was said in a chat.
    ChatMessage,
    /// A contract: its phase, name, description or status changed.
    PhaseChange,
    /// A checkpoint was made.
    Checkpoint,
    /// A turn changed files.
    FileChange,
}

impl From<EventKind> for EntryType {
    fn from(kind: EventKind) -> Self {
        match kind {
            EventKind::Task => Self::TaskEvent,
            EventKind::Chat => Self::ChatMessage,
            EventKind::Phase => Self::PhaseChange,
            EventKind::Checkpoint => Self::Checkpoint,
            EventKind::File => Self::FileChange,
        }
    }
}

/// One entry of the timeline (specification, §2.1). Which fields are there is a matter of what it tells of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// Its id.
    pub id: EventId,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What it tells of.
    pub entry_type: EntryType,
    /// What exactly happened: `task_created`, `task_status`, `task_completed`, `task_turn`, `task_deleted`, `task_restored`,
    /// `task_purged`, `conversation_moved`, `checkpoint_undone`, `checkpoint_restored`, `checkpoint`, `file_change`,
    /// `chat_message`, `phase_change`, `contract_updated`, `contract_deleted`, `contract_restored` or `contract_purged`.
    pub event_type: String,
    /// The contract's phase at that moment; absent where there is no contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<ContractId>,
    /// The task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// What the task is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_name: Option<String>,
    /// What is known besides. Of a `task_turn`: `runNumber`, `turn`, `outcome`, `usage`, `costUsd`, `durationMs`, `tools` (how often each
    /// was called), `failure`. Of a change of status: `previousStatus`, `newStatus`, `reason`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_data: Option<Value>,
    /// Of what was said: the conversation of the chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ChatConversationId>,
    /// Of what was said: the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// Of what was said: by whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<MessageRole>,
    /// What was said: its first 10,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Whether `content` is not all of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// The checkpoint; of a turn: the one that was made after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_id: Option<CheckpointId>,
    /// Its number in the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_number: Option<i64>,
    /// Of a checkpoint: its commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_sha: Option<String>,
    /// Of a checkpoint: what it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Of a checkpoint, of a turn that changed files, and of what a turn changed: the first 500 of the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_changed: Option<Vec<FileChange>>,
    /// How many files besides; the checkpoint itself tells all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_omitted: Option<u64>,
    /// Lines added in all files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines_added: Option<u64>,
    /// Lines removed in all files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines_removed: Option<u64>,
    /// Of a change of phase: the one before; absent of the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_phase: Option<Phase>,
    /// Of a change of phase: the one after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_phase: Option<Phase>,
}

/// A page of a timeline, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// The contract, of a contract's history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<ContractId>,
    /// The entries.
    pub entries: Vec<HistoryEntry>,
    /// How many there are in all.
    pub total_count: i64,
    /// Whether there are more than `totalCount`, which is not counted above a million.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub total_count_is_lower_bound: bool,
    /// The number that the live feed had come to when this was read: it goes on from here, without a gap, with this as `Last-Event-ID`.
    pub feed_seq: i64,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Which entries of a contract's timeline: all conditions that are given hold of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListHistory {
    /// Those of one of these phases; repeated or with commas.
    #[param(value_type = Option<Vec<Phase>>, inline)]
    #[serde(default, skip_serializing_if = "Words::is_empty")]
    pub phase: Words<Phase>,
    /// Those of one of these types; repeated or with commas.
    #[param(value_type = Option<Vec<HistoryType>>, inline)]
    #[serde(default, skip_serializing_if = "Words::is_empty")]
    pub event_types: Words<HistoryType>,
    /// Those of this moment or later ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Those of this moment or earlier ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// How many rows at most: 100 unless told, 1000 at most.
    #[param(minimum = 1, maximum = 1000)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page before ended: its `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// `desc`: newest first, as without it. `asc`: oldest first.
    #[param(inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

/// Which entries of the timeline: all conditions that are given hold of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListTimeline {
    /// Those of this contract and its tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<ContractId>,
    /// Those of this task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// With `task_id`: those of all tasks below it too, however deep. Without it all tasks are there anyway.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub include_subtasks: bool,
    /// Those of one of these phases; repeated or with commas.
    #[param(value_type = Option<Vec<Phase>>, inline)]
    #[serde(default, skip_serializing_if = "Words::is_empty")]
    pub phase: Words<Phase>,
    /// Those of one of these types; repeated or with commas.
    #[param(value_type = Option<Vec<HistoryType>>, inline)]
    #[serde(default, skip_serializing_if = "Words::is_empty")]
    pub event_types: Words<HistoryType>,
    /// Those of this moment or later ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Those of this moment or earlier ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// How many rows at most: 100 unless told, 1000 at most.
    #[param(minimum = 1, maximum = 1000)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page before ended: its `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// `desc`: newest first, as without it. `asc`: oldest first.
    #[param(inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

impl ListTimeline {
    /// What every list has.
    pub fn list(&self) -> List {
        List { limit: self.limit, cursor: self.cursor.clone(), order: self.order }
    }
}

impl ListHistory {
    /// The same, asked of the timeline.
    pub fn of_contract(self, contract: ContractId) -> ListTimeline {
        let Self { phase, event_types, from, to, limit, cursor, order } = self;
        ListTimeline {
            contract_id: Some(contract),
            phase,
            event_types,
            from,
            to,
            limit,
            cursor,
            order,
            ..ListTimeline::default()
        }
    }
}

impl From<ListTimeline> for ListHistory {
    /// The same, asked of a contract, which the address names.
    fn from(wanted: ListTimeline) -> Self {
        let ListTimeline { phase, event_types, from, to, limit, cursor, order, .. } = wanted;
        Self { phase, event_types, from, to, limit, cursor, order }
    }
}
