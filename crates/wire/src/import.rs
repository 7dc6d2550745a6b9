//! Sessions that are imported.

use crate::{
    Order,
    shape::{CommitSha, Hash, Name, Repository, Said, SessionId, Text},
};
use makima_model::{
    FileChange, ImportId, ImportSource, Message, MessageId, MessageRole, NativeLine, TaskId, Timestamp,
    ToolCall, TurnEnd,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A session that is imported: a task, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Import {
    /// Its id.
    pub id: ImportId,
    /// Whose session it is.
    pub source: ImportSource,
    /// The agent's own id of the session.
    pub session_id: String,
    /// Which copy of the session, from 0: files of one session that went on apart are imported apart.
    pub copy: i64,
    /// The task that it became.
    pub task_id: TaskId,
    /// Whether that lies in the trash: then nothing more is taken.
    pub in_trash: bool,
    /// How much of its file is here.
    pub reached: FilePart,
    /// Where the file ended each time that it was read to its end, the shortest first.
    pub ends: Vec<FilePart>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When its task was last made to stand where the session ended; absent until it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// How many bytes the file had then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_bytes: Option<u64>,
}

/// The beginning of a session file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FilePart {
    /// How many bytes it has.
    #[schema(minimum = 0)]
    pub bytes: u64,
    /// BLAKE3 of them, in hex: by it one who goes on knows whether the file is the same.
    #[schema(value_type = Hash)]
    pub digest: String,
}

/// A page of imports, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportList {
    /// The rows.
    pub imports: Vec<Import>,
    /// How many there are in all.
    pub total_count: i64,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Which imports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListImports {
    /// Those of this session.
    #[param(value_type = Option<SessionId>, inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
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

/// A session to import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateImport {
    /// Whose session it is.
    pub source: ImportSource,
    /// The agent's own id of it.
    #[schema(value_type = SessionId)]
    pub session_id: String,
    /// Which copy of it, from 0; 409 if it is there.
    #[schema(minimum = 0, maximum = 1_000_000)]
    #[serde(default)]
    pub copy: i64,
    /// What to call the task, 1 to 200 characters; absent: the plan's first line.
    #[schema(value_type = Option<Name>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What was first said to the agent.
    #[schema(value_type = Said)]
    pub plan: String,
    /// The repository that it worked on, or the folder where that is none.
    #[schema(value_type = Repository)]
    pub repository: String,
    /// The branch that it was on.
    #[schema(value_type = Option<Name>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_branch: Option<String>,
    /// The commit that it began at.
    #[schema(value_type = Option<CommitSha>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_commit: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
}

/// More of a session's file, as what it tells. Taken whole or not at all, and once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppendToImport {
    /// How many bytes of the file were here before; 409 if it is another number.
    #[schema(minimum = 0)]
    pub from: u64,
    /// How much of it is here then.
    pub reached: FilePart,
    /// Whether the file ends there, as it is now: what was told is whole, and what comes behind it is told anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_end: bool,
    /// What is told between, in order.
    #[schema(max_items = 100_000)]
    pub entries: Vec<ImportEntry>,
}

/// Something that a session's file tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase", tag = "type", deny_unknown_fields)]
pub enum ImportEntry {
    /// The conversation goes on from an earlier message: what stood after it is a branch that was left.
    Back {
        /// The last message that stays; absent: none does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<MessageId>,
    },
    /// Something was said.
    Message {
        /// The message.
        message: ImportedMessage,
    },
    /// Lines of the agent's own record.
    Lines {
        /// The message that they belong to; absent: they stand before the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<MessageId>,
        /// The lines.
        #[schema(value_type = Vec<ImportedLine>)]
        lines: Vec<ImportedLine>,
    },
    /// A turn ended.
    Turn {
        /// When.
        at: Timestamp,
        /// What it took.
        end: TurnEnd,
    },
    /// A commit was made meanwhile: it becomes a checkpoint. One that is known is passed over.
    Commit {
        /// The commit.
        commit: ImportedCommit,
    },
}

/// A message of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportedMessage {
    /// The id that it gets: made of the import's and the line's, so that it is the same each time.
    pub id: MessageId,
    /// Who speaks.
    pub role: MessageRole,
    /// What is said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content: String,
    /// When it was complete.
    pub timestamp: Timestamp,
    /// What the model thought before it spoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<String>,
    /// The tools that the agent calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Of a tool's result: the call that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// Of a tool's result: the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<String>,
    /// Of a tool's result: what the agent was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_result: Option<String>,
    /// Of a tool's result: whether the tool failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_error: Option<bool>,
    /// Of the agent's: the tokens of the model's answer, read and written.
    #[schema(minimum = 0)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_count: Option<i64>,
    /// Of the agent's: what it cost, in US dollars.
    #[schema(minimum = 0)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Of the agent's: the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Whether the agent was cut off in the middle of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
}

/// A line of the agent's own record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportedLine {
    /// The agent's id of the line, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// The line, without its end.
    pub line: String,
}

/// A commit that was made while a session went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportedCommit {
    /// The commit.
    #[schema(value_type = CommitSha)]
    pub commit_sha: String,
    /// The branch that it is on.
    #[schema(value_type = Text)]
    pub branch_name: String,
    /// The first line of what it says.
    #[schema(value_type = Text)]
    pub message: String,
    /// When it was made.
    pub at: Timestamp,
    /// The last message before it; absent: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<MessageId>,
    /// What it changed.
    pub files_changed: Vec<FileChange>,
    /// BLAKE3 of its patch, in hex, which was kept before by `PUT /api/v1/daemons/blobs/<hash>`; absent: there is none.
    #[schema(value_type = Option<Hash>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch_hash: Option<String>,
}

/// The end of a session's file, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FinishImport {
    /// How many bytes of the file are here; 409 if it is another number.
    #[schema(minimum = 0)]
    pub bytes: u64,
    /// Whether the session ended in the middle of a turn.
    pub interrupted: bool,
    /// When its last line was written.
    pub ended_at: Timestamp,
}

impl From<Message> for ImportedMessage {
    fn from(message: Message) -> Self {
        Self {
            id: message.id,
            role: message.role,
            content: message.content,
            timestamp: message.timestamp,
            thinking: message.thinking,
            tool_calls: message.tool_calls,
            tool_call_id: message.tool_call_id,
            tool_name: message.tool_name,
            tool_result: message.tool_result,
            is_error: message.is_error,
            token_count: message.token_count,
            cost_usd: message.cost_usd,
            model: message.model,
            incomplete: message.incomplete,
        }
    }
}

impl From<ImportedMessage> for Message {
    fn from(message: ImportedMessage) -> Self {
        Self {
            id: message.id,
            role: message.role,
            content: message.content,
            timestamp: message.timestamp,
            thinking: message.thinking,
            tool_calls: message.tool_calls,
            tool_call_id: message.tool_call_id,
            tool_name: message.tool_name,
            tool_result: message.tool_result,
            is_error: message.is_error,
            token_count: message.token_count,
            cost_usd: message.cost_usd,
            model: message.model,
            incomplete: message.incomplete,
        }
    }
}

impl From<NativeLine> for ImportedLine {
    fn from(NativeLine { uuid, line }: NativeLine) -> Self {
        Self { uuid, line }
    }
}

impl From<ImportedLine> for NativeLine {
    fn from(ImportedLine { uuid, line }: ImportedLine) -> Self {
        Self { uuid, line }
    }
}
