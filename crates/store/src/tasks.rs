//! Tasks.

mod placing;
mod row;

pub(crate) use placing::statements as placing_statements;
pub use placing::{
    lock, owners_with_placeable, placeable, placed, set_cancelling, set_out_of_reach, set_reason, set_status,
    set_target, set_wanted,
};
pub use row::{Copied, Task};

use crate::{
    Key, Noun, Page, Seek, StoreError, Tx,
    columns::{At, all, holding, json_of, maybe_text, one, one_of, text},
    conversations,
    counters::count,
    db::{affected, on},
    error::Act,
    statements::statements,
};
use makima_model::{
    Branch, BranchId, BranchReason, ContractId, DaemonId, OwnerId, PermissionMode, TaskId, TaskStatus,
    Timestamp,
};
use sqlx::types::Uuid;

/// What is read of a task: its own columns, and the length of its conversation.
macro_rules! tasks {
    ($conditions:literal) => {
        concat!(
            "SELECT tasks.*, (SELECT head_seq FROM conversation_branches \
            WHERE conversation_branches.id = tasks.conversation_branch_id) AS message_count \
            FROM tasks WHERE ",
            $conditions
        )
    };
}
use tasks;

/// The conditions of a [`Filter`]; one that is NULL holds of all. Each parameter first stands where its type shows.
macro_rules! filters {
    ($contract:literal, $status:literal, $agent:literal, $daemon:literal, $exact:literal, $lower:literal, $loose:literal) => {
        concat!(
            " AND (contract_id = ",
            $contract,
            " OR ",
            $contract,
            " IS NULL)",
            " AND (NOT ",
            $loose,
            " OR contract_id IS NULL)",
            " AND (', ' || ",
            $status,
            " LIKE '%, ' || status || ',%' OR ",
            $status,
            " IS NULL)",
            " AND (agent = ",
            $agent,
            " OR ",
            $agent,
            " IS NULL)",
            " AND (daemon_id = ",
            $daemon,
            " OR ",
            $daemon,
            " IS NULL)",
            " AND (name LIKE ",
            $exact,
            " ESCAPE '\\' OR LOWER(name) LIKE ",
            $lower,
            " ESCAPE '\\'",
            " OR plan LIKE ",
            $exact,
            " ESCAPE '\\' OR LOWER(plan) LIKE ",
            $lower,
            " ESCAPE '\\'",
            " OR branch_name LIKE ",
            $exact,
            " ESCAPE '\\' OR ",
            $exact,
            " IS NULL)",
        )
    };
}

statements! {
    INSERT = "INSERT INTO tasks (id, owner_id, contract_id, parent_task_id, name, plan, role, status, status_reason, \
        agent, permission_mode, target_daemon_id, daemon_id, repository, base_branch, base_commit, branch_name, \
        worktree_path, include_uncommitted, commit_on_finish, wanted, out_of_reach, run_number, \
        conversation_branch_id, total_tokens, total_cost, checkpoint_count, last_checkpoint_sha, checkpoint_message, \
        created_at, updated_at, started_at, completed_at, continue_from_task_id, copied) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
        $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35)";
    GET = tasks!("id = $1 AND owner_id = $2 AND deleted_at IS NULL");
    KEPT = tasks!("id = $1 AND owner_id = $2");
    SET_CONVERSATION = "UPDATE tasks SET conversation_branch_id = $3, updated_at = $4 WHERE id = $1 AND owner_id = $2";
    SET_PREPARED = "UPDATE tasks SET worktree_path = $3, branch_name = $4, base_branch = $5, base_commit = $6, \
        updated_at = $7 WHERE id = $1 AND owner_id = $2";
    ADD_USAGE = "UPDATE tasks SET total_tokens = total_tokens + $3, total_cost = total_cost + $4, updated_at = $5 \
        WHERE id = $1 AND owner_id = $2";
    TREE = "WITH RECURSIVE tree (id) AS (SELECT id FROM tasks WHERE id = $1 AND owner_id = $2 \
        UNION SELECT tasks.id FROM tasks JOIN tree ON tasks.parent_task_id = tree.id WHERE tasks.owner_id = $2) \
        SELECT tasks.id FROM tree CROSS JOIN tasks WHERE tasks.id = tree.id AND tasks.deleted_at IS NULL \
        ORDER BY tasks.id";
    COUNT_FILTERED = concat!("SELECT COUNT(*) FROM tasks WHERE owner_id = $1 AND deleted_at IS NULL", filters!("$2", "$3", "$4", "$5", "$6", "$7", "$8"));
    @lists {
        FILTERED = concat!(tasks!("owner_id = $4 AND deleted_at IS NULL"), filters!("$5", "$6", "$7", "$8", "$9", "$10", "$11"));
        OF_OWNER = tasks!("owner_id = $4 AND deleted_at IS NULL");
        OF_CONTRACT = tasks!("owner_id = $4 AND contract_id = $5 AND deleted_at IS NULL");
    }
}

/// Makes a task, and its conversation's first branch.
pub async fn insert(tx: &mut Tx, task: &Task) -> Result<(), StoreError> {
    let act = "make a task";
    let out_of_reach = json_of(&task.out_of_reach, "out_of_reach").act(act)?;
    let copied = task.copied.as_ref().map(|copied| json_of(copied, "copied")).transpose().act(act)?;
    on!(tx, |c| sqlx::query(INSERT)
        .bind(task.id.uuid())
        .bind(task.owner.uuid())
        .bind(task.contract.map(ContractId::uuid))
        .bind(task.parent.map(TaskId::uuid))
        .bind(text(&task.name))
        .bind(text(&task.plan))
        .bind(task.role.as_str())
        .bind(task.status.as_str())
        .bind(maybe_text(task.status_reason.as_deref()))
        .bind(maybe_text(task.agent.as_deref()))
        .bind(task.permission_mode.map(PermissionMode::as_str))
        .bind(task.target_daemon.map(|daemon| daemon.uuid()))
        .bind(task.daemon.map(|daemon| daemon.uuid()))
        .bind(text(&task.repository))
        .bind(maybe_text(task.base_branch.as_deref()))
        .bind(maybe_text(task.base_commit.as_deref()))
        .bind(text(&task.branch_name))
        .bind(maybe_text(task.worktree_path.as_deref()))
        .bind(task.include_uncommitted)
        .bind(task.commit_on_finish)
        .bind(task.wanted)
        .bind(out_of_reach)
        .bind(task.run_number)
        .bind(task.conversation.uuid())
        .bind(task.total_tokens)
        .bind(task.total_cost)
        .bind(task.checkpoint_count)
        .bind(maybe_text(task.last_checkpoint_sha.as_deref()))
        .bind(maybe_text(task.checkpoint_message.as_deref()))
        .bind(At(task.created_at))
        .bind(At(task.updated_at))
        .bind(task.started_at.map(At))
        .bind(task.completed_at.map(At))
        .bind(task.continue_from.map(TaskId::uuid))
        .bind(copied)
        .execute(c)
        .await
        .map(affected))
    .act(act)?;
    let branch = Branch {
        id: task.conversation,
        base: None,
        head_seq: 0,
        reason: BranchReason::Created,
        created_at: task.created_at,
    };
    conversations::insert(tx, task.owner, task.id, &branch).await?;
    for scope in [Some(task.owner.uuid()), task.contract.map(ContractId::uuid)].into_iter().flatten() {
        tx.outbox.count(task.owner, scope, Noun::Task, "", "", 1);
    }
    Ok(())
}

/// The task with this id, unless it lies in the trash.
pub async fn get(tx: &mut Tx, owner: OwnerId, id: TaskId) -> Result<Option<Task>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(GET).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("read a task")?))
}

/// The task with this id, in the [trash](crate::trash) or not.
pub async fn kept(tx: &mut Tx, owner: OwnerId, id: TaskId) -> Result<Option<Task>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(KEPT).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("read a task")?))
}

/// The task and all tasks below it, however deep, but for those in the trash; what is below one of these is there.
pub async fn tree(tx: &mut Tx, owner: OwnerId, root: TaskId) -> Result<Vec<TaskId>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_scalar(TREE).bind(root.uuid()).bind(owner.uuid()).fetch_all(c).await);
    let ids: Vec<Uuid> = rows.act("list the tasks below a task")?;
    Ok(ids.into_iter().map(TaskId::from).collect())
}

/// The conversation of a task goes on from another branch.
pub async fn set_conversation(
    tx: &mut Tx,
    owner: OwnerId,
    id: TaskId,
    branch: BranchId,
    at: Timestamp,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(SET_CONVERSATION)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(branch.uuid())
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act("move a conversation's head")?;
    Ok(())
}

/// The owner's tasks, all or those of one contract.
pub async fn list(
    tx: &mut Tx,
    owner: OwnerId,
    contract: Option<ContractId>,
    seek: Seek,
) -> Result<Page<Task>, StoreError> {
    let (at, id) = seek.key();
    let rows = match contract {
        None => on!(tx, |c| sqlx::query_as(OF_OWNER.in_order(seek.order))
            .bind(at)
            .bind(id)
            .bind(seek.rows())
            .bind(owner.uuid())
            .fetch_all(c)
            .await),
        Some(contract) => on!(tx, |c| sqlx::query_as(OF_CONTRACT.in_order(seek.order))
            .bind(at)
            .bind(id)
            .bind(seek.rows())
            .bind(owner.uuid())
            .bind(contract.uuid())
            .fetch_all(c)
            .await),
    };
    let tasks = all(rows.act("list the tasks")?);
    let scope = contract.map_or(owner.uuid(), ContractId::uuid);
    let total = count(tx, owner, scope, Noun::Task, None, None).await?;
    Ok(seek.page(tasks, total, |task: &Task| Key { at: task.created_at, id: task.id.uuid() }))
}

/// Which tasks of a list: all conditions hold of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those that belong to no contract.
    pub loose: bool,
    /// Those that stand in one of these; none: in any.
    pub status: Vec<TaskStatus>,
    /// Those of this agent.
    pub agent: Option<String>,
    /// Those whose newest run is on this daemon.
    pub daemon: Option<DaemonId>,
    /// Those with this text in their name, plan or branch, whatever its case.
    pub text: Option<String>,
}

/// The owner's tasks, all or those of one contract, of which a filter holds. No count is kept of these: they are counted,
/// unless `total` is known from an earlier page.
pub async fn filtered(
    tx: &mut Tx,
    owner: OwnerId,
    contract: Option<ContractId>,
    filter: &Filter,
    seek: Seek,
    total: Option<i64>,
) -> Result<Page<Task>, StoreError> {
    let (at, id) = seek.key();
    let contract = contract.map(ContractId::uuid);
    let status = one_of(filter.status.iter().map(|status| status.as_str()));
    let agent = maybe_text(filter.agent.as_deref());
    let daemon = filter.daemon.map(DaemonId::uuid);
    let (exact, lower) = filter.text.as_deref().map(holding).unzip();
    let rows = on!(tx, |c| sqlx::query_as(FILTERED.in_order(seek.order))
        .bind(at)
        .bind(id)
        .bind(seek.rows())
        .bind(owner.uuid())
        .bind(contract)
        .bind(status.as_deref())
        .bind(agent.as_deref())
        .bind(daemon)
        .bind(exact.as_deref())
        .bind(lower.as_deref())
        .bind(filter.loose)
        .fetch_all(c)
        .await);
    let tasks = all(rows.act("list the tasks")?);
    let total = match total {
        Some(total) => total,
        None => on!(tx, |c| sqlx::query_scalar(COUNT_FILTERED)
            .bind(owner.uuid())
            .bind(contract)
            .bind(status.as_deref())
            .bind(agent.as_deref())
            .bind(daemon)
            .bind(exact.as_deref())
            .bind(lower.as_deref())
            .bind(filter.loose)
            .fetch_one(c)
            .await)
        .act("count the tasks")?,
    };
    Ok(seek.page(tasks, total, |task: &Task| Key { at: task.created_at, id: task.id.uuid() }))
}

/// Where a task's work is done, once its daemon has prepared it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prepared<'a> {
    /// Its worktree, on its daemon.
    pub worktree_path: &'a str,
    /// Its own branch.
    pub branch_name: &'a str,
    /// The branch that it was begun from.
    pub base_branch: &'a str,
    /// The commit that it was begun from; empty in a repository without a commit.
    pub base_commit: &'a str,
}

/// Keeps what a daemon prepared for the task.
pub async fn set_prepared(
    tx: &mut Tx,
    owner: OwnerId,
    id: TaskId,
    prepared: Prepared<'_>,
    at: Timestamp,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(SET_PREPARED)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(text(prepared.worktree_path))
        .bind(text(prepared.branch_name))
        .bind(text(prepared.base_branch))
        .bind(text(prepared.base_commit))
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act("keep a task's worktree")?;
    Ok(())
}

/// Adds what a turn took.
pub async fn add_usage(
    tx: &mut Tx,
    owner: OwnerId,
    id: TaskId,
    tokens: i64,
    cost: f64,
    at: Timestamp,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(ADD_USAGE)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(tokens)
        .bind(cost)
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act("add up what a task took")?;
    Ok(())
}
