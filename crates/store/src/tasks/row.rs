//! A task, as it is stored.

use crate::columns::{Cells, Entity};
use makima_model::{
    BranchId, ContractId, DaemonId, OwnerId, PermissionMode, TaskId, TaskRole, TaskStatus, Timestamp,
};
use serde::{Deserialize, Serialize};

/// Files of another task's worktree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// The task.
    pub task: TaskId,
    /// Their paths there.
    pub files: Vec<String>,
}

/// A task.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Whose it is.
    pub owner: OwnerId,
    /// The contract that it belongs to.
    pub contract: Option<ContractId>,
    /// The task that spawned it.
    pub parent: Option<TaskId>,
    /// Its name, for people.
    pub name: String,
    /// What its agent shall do.
    pub plan: String,
    /// What its agent is there for.
    pub role: TaskRole,
    /// Where it stands.
    pub status: TaskStatus,
    /// Why it stands there, in a sentence for people.
    pub status_reason: Option<String>,
    /// The agent that it wants; `None`: its daemon's default.
    pub agent: Option<String>,
    /// What its agent may do without asking; `None`: as its daemon is configured.
    pub permission_mode: Option<PermissionMode>,
    /// The only daemon that it may run on.
    pub target_daemon: Option<DaemonId>,
    /// The daemon of its newest run.
    pub daemon: Option<DaemonId>,
    /// A local path or a git URL.
    pub repository: String,
    /// The task whose worktree it goes on from.
    pub continue_from: Option<TaskId>,
    /// Files that are copied into its worktree when that is made.
    pub copied: Option<Copied>,
    /// The branch that it is begun from; `None` until a daemon has found the repository's default.
    pub base_branch: Option<String>,
    /// The commit that it was begun from, once its worktree is there; empty in a repository without a commit.
    pub base_commit: Option<String>,
    /// Its own branch.
    pub branch_name: String,
    /// Its worktree, on its daemon.
    pub worktree_path: Option<String>,
    /// Whether the user's uncommitted changes are part of it.
    pub include_uncommitted: bool,
    /// Whether what its agent leaves uncommitted is committed when it is completed.
    pub commit_on_finish: bool,
    /// Whether it may be placed while it is pending.
    pub wanted: bool,
    /// Whether it was cancelled while it ran, and its run has not ended yet.
    pub cancelling: bool,
    /// Daemons that can't reach its repository.
    pub out_of_reach: Vec<DaemonId>,
    /// The number of its newest run; 0 before the first.
    pub run_number: i64,
    /// The branch of its conversation that is the present one.
    pub conversation: BranchId,
    /// How many messages its conversation has there. Read only.
    pub message_count: i64,
    /// The tokens of all its runs.
    pub total_tokens: i64,
    /// The cost of all its runs, in US dollars.
    pub total_cost: f64,
    /// How many checkpoints it has.
    pub checkpoint_count: i64,
    /// The commit of the newest.
    pub last_checkpoint_sha: Option<String>,
    /// What the newest is called.
    pub checkpoint_message: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When its agent first worked.
    pub started_at: Option<Timestamp>,
    /// When it was over; `None` while it isn't.
    pub completed_at: Option<Timestamp>,
}

impl Entity for Task {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: cells.id("id")?,
            owner: cells.id("owner_id")?,
            contract: cells.maybe_id("contract_id")?,
            parent: cells.maybe_id("parent_task_id")?,
            name: cells.text("name")?,
            plan: cells.text("plan")?,
            role: cells.word("role")?,
            status: cells.word("status")?,
            status_reason: cells.maybe_text("status_reason")?,
            agent: cells.maybe_text("agent")?,
            permission_mode: cells.maybe_word("permission_mode")?,
            target_daemon: cells.maybe_id("target_daemon_id")?,
            daemon: cells.maybe_id("daemon_id")?,
            repository: cells.text("repository")?,
            continue_from: cells.maybe_id("continue_from_task_id")?,
            copied: cells.maybe_json("copied")?,
            base_branch: cells.maybe_text("base_branch")?,
            base_commit: cells.maybe_text("base_commit")?,
            branch_name: cells.text("branch_name")?,
            worktree_path: cells.maybe_text("worktree_path")?,
            include_uncommitted: cells.flag("include_uncommitted")?,
            commit_on_finish: cells.flag("commit_on_finish")?,
            wanted: cells.flag("wanted")?,
            cancelling: cells.flag("cancelling")?,
            out_of_reach: cells.json("out_of_reach")?,
            run_number: cells.int("run_number")?,
            conversation: cells.id("conversation_branch_id")?,
            message_count: cells.int("message_count")?,
            total_tokens: cells.int("total_tokens")?,
            total_cost: cells.real("total_cost")?,
            checkpoint_count: cells.int("checkpoint_count")?,
            last_checkpoint_sha: cells.maybe_text("last_checkpoint_sha")?,
            checkpoint_message: cells.maybe_text("checkpoint_message")?,
            created_at: cells.at("created_at")?,
            updated_at: cells.at("updated_at")?,
            started_at: cells.maybe_at("started_at")?,
            completed_at: cells.maybe_at("completed_at")?,
        })
    }
}
