//! Tasks.

use crate::{
    List, Order, Words,
    shape::{CommitSha, ContractOrNone, Name, Repository, Said, Sought, Text, WorktreeFile},
};
use makima_model::{
    BranchId, ContractId, DaemonId, MessageId, PermissionMode, Question, QuestionId, SnapshotId, TaskId,
    TaskRole, TaskStatus, Timestamp,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use utoipa::ToSchema;

/// The head of a task's conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationState {
    /// The branch that goes on.
    pub branch_id: BranchId,
    /// How many messages it has.
    pub message_count: i64,
    /// The newest snapshot, where one was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_id: Option<SnapshotId>,
}

/// One agent working in one git worktree on one branch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// The contract that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<ContractId>,
    /// The task that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_task_id: Option<TaskId>,
    /// Its name.
    pub name: String,
    /// What it shall do: the first message to its agent.
    pub plan: String,
    /// What its agent is there for.
    pub role: TaskRole,
    /// Where it stands.
    pub status: TaskStatus,
    /// Why it stands there, where that needs a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// The agent; absent until a daemon has chosen its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What the agent may do without asking; absent: as the daemon's configuration says for the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_mode: Option<PermissionMode>,
    /// The daemon of its newest run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daemon_id: Option<DaemonId>,
    /// A local path or a git URL.
    pub repository: String,
    /// The task whose worktree it went on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continue_from_task_id: Option<TaskId>,
    /// The branch it starts from; absent until a daemon has looked, where none was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_branch: Option<String>,
    /// The commit it started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_commit: Option<String>,
    /// Its own branch.
    pub branch_name: String,
    /// Its worktree on the daemon's machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worktree_path: Option<String>,
    /// How often its agent was started.
    pub run_number: i64,
    /// How many messages its conversation has.
    pub message_count: i64,
    /// Tokens read and written by all its runs.
    pub total_tokens: i64,
    /// What they cost, in US dollars, as far as the agent tells it.
    pub total_cost: f64,
    /// How many checkpoints it has.
    pub checkpoint_count: i64,
    /// The newest checkpoint's commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_checkpoint_sha: Option<String>,
    /// The newest checkpoint's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_message: Option<String>,
    /// The head of its conversation.
    pub conversation_state: ConversationState,
    /// The question that its agent waits for, the oldest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_question: Option<Question>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed: its status, its run, its usage.
    pub updated_at: Timestamp,
    /// When its agent first ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When its last run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
}

/// A page of tasks, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskList {
    /// The rows.
    pub tasks: Vec<Task>,
    /// How many there are in all.
    pub total_count: i64,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Which contract's tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfContract {
    /// Those that stand alone.
    None,
    /// Those of this one.
    One(ContractId),
}

impl fmt::Display for OfContract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::One(id) => id.fmt(f),
        }
    }
}

impl Serialize for OfContract {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OfContract {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "none" => Ok(Self::None),
            id => id.parse().map(Self::One).map_err(serde::de::Error::custom),
        }
    }
}

/// Which tasks: all conditions that are given hold of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListTasks {
    /// Those of this contract; `none`: those that stand alone.
    #[param(value_type = Option<ContractOrNone>, inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<OfContract>,
    /// Those that stand in one of these; repeated or with commas.
    #[param(value_type = Option<Vec<TaskStatus>>, inline)]
    #[serde(default, skip_serializing_if = "Words::is_empty")]
    pub status: Words<TaskStatus>,
    /// Those of this agent.
    #[param(value_type = Option<Name>, inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Those whose newest run is on this daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daemon_id: Option<DaemonId>,
    /// Those that have this text in their name, plan or branch; case doesn't matter.
    #[param(value_type = Option<Sought>, inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
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

impl ListTasks {
    /// What every list has.
    pub fn list(&self) -> List {
        List { limit: self.limit, cursor: self.cursor.clone(), order: self.order }
    }
}

/// Another daemon for a task that has not started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReassignTask {
    /// The daemon that shall run it; absent: the least loaded one that can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_daemon_id: Option<DaemonId>,
}

/// A task to make.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateTask {
    /// The contract that it belongs to: gives repository, base branch and agent where they are absent here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<ContractId>,
    /// The task that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_task_id: Option<TaskId>,
    /// Its name, 1 to 200 characters; absent: the plan's first line.
    #[schema(value_type = Option<Name>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it shall do: the first message to its agent; 1 to 1,000,000 characters.
    #[schema(value_type = Said)]
    pub plan: String,
    /// The agent; absent: the contract's, else that of the task that it goes on from, else the daemon's default.
    #[schema(value_type = Option<Name>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What the agent may do without asking; absent: as the daemon's configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_mode: Option<PermissionMode>,
    /// A local path or a git URL; absent: the contract's.
    #[schema(value_type = Option<Repository>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The branch it starts from; absent: the contract's, else the repository's own default.
    #[schema(value_type = Option<Name>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_branch: Option<String>,
    /// The daemon that shall run it; absent: the least loaded one that can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_daemon_id: Option<DaemonId>,
    /// The task whose worktree it goes on from, as that is now: repository and branch are that task's. Where its daemon isn't
    /// connected it begins with that task's newest checkpoint, and an event of level `warning` says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continue_from_task_id: Option<TaskId>,
    /// The checkpoint of that task to begin with, by its commit: all of it, or 7 digits or more.
    #[schema(value_type = Option<CommitSha>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_sha: Option<String>,
    /// Files to copy beside that, ignored ones too: paths in the worktree of the task that it goes on from, else of its
    /// parent. At most 1000; a symbolic link that leads out of the worktree is refused.
    #[schema(value_type = Option<Vec<WorktreeFile>>, max_items = 1000)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_files: Option<Vec<String>>,
    /// Whether the uncommitted changes of a local repository are part of it: they stand uncommitted in its worktree.
    #[serde(default)]
    pub include_uncommitted: bool,
    /// Whether what the agent leaves uncommitted is committed to the task branch at the end; absent: yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_on_finish: Option<bool>,
    /// Whether it starts at once; absent: yes. Else its first message starts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<bool>,
}

/// A message to a task's agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendMessage {
    /// What to say: 1 to 1,000,000 characters.
    #[schema(value_type = Said)]
    pub content: String,
}

/// A message that is kept, and will be said when the agent's turn has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SentMessage {
    /// The id that it will have in the conversation.
    pub message_id: MessageId,
    /// The task.
    pub task: Task,
}

/// The answer to a task's question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnswerQuestion {
    /// The question: `pendingQuestion.id` of the task.
    pub question_id: QuestionId,
    /// For a permission `allow` or `deny`; else any words.
    #[schema(value_type = Said)]
    pub answer: String,
    /// Of `deny`: why, for the agent.
    #[schema(value_type = Option<Text>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
