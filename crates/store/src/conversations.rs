//! Conversations: an append-only tree of messages. A branch is one small row, whatever is read from it; which rows a position
//! is made of is [the model's](makima_model::branch) to say.

mod message;
mod packed;
mod place;
mod reader;
mod unread;

pub(crate) use message::statements as message_statements;
pub use message::{StoredMessage, end_of_run, find, read};
pub(crate) use packed::Body;
pub use packed::PackedMessage;
pub(crate) use place::statements as place_statements;
pub use place::{Place, agent_before, first_after, last_before, place, places, until};
pub use reader::Reader;
pub use unread::{Said, UnreadCall, UnreadMessage};

use crate::{
    Key, Page, Seek, StoreError, Tx,
    columns::{At, Cells, Entity, all, one},
    db::{affected, on},
    error::Act,
    outbox::{Cost, NewMessage},
    statements::statements,
};
use makima_model::{Branch, BranchId, OwnerId, Position, TaskId};

impl Entity for Branch {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        let seq = cells.int("base_seq")?;
        Ok(Self {
            id: cells.id("id")?,
            base: cells.maybe_id("base_branch_id")?.map(|branch| Position { branch, seq }),
            head_seq: cells.int("head_seq")?,
            reason: cells.word("reason")?,
            created_at: cells.at("created_at")?,
        })
    }
}

/// A branch that goes further, whose task its messages are of.
struct Head {
    seq: i64,
    task: TaskId,
}

impl Entity for Head {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self { seq: cells.int("head_seq")?, task: cells.id("task_id")? })
    }
}

statements! {
    INSERT = "INSERT INTO conversation_branches (id, owner_id, task_id, base_branch_id, base_seq, head_seq, reason, \
        created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    LINEAGE = "WITH RECURSIVE lineage AS (\
        SELECT * FROM conversation_branches WHERE id = $1 AND owner_id = $2 \
        UNION SELECT base.* FROM conversation_branches AS base JOIN lineage ON base.id = lineage.base_branch_id \
        WHERE base.owner_id = $2) SELECT * FROM lineage";
    OF_TASK = "SELECT * FROM conversation_branches WHERE task_id = $1 AND owner_id = $2 ORDER BY created_at, id";
    BELOW = "WITH RECURSIVE below AS (\
        SELECT * FROM conversation_branches WHERE task_id = $1 AND owner_id = $2 \
        UNION SELECT base.* FROM conversation_branches AS base JOIN below ON base.id = below.base_branch_id \
        WHERE base.owner_id = $2) SELECT * FROM below";
    COUNT = "SELECT COUNT(*) FROM conversation_branches WHERE task_id = $1 AND owner_id = $2";
    ADVANCE = "UPDATE conversation_branches SET head_seq = head_seq + $3 WHERE id = $1 AND owner_id = $2 \
        RETURNING head_seq, task_id";
    @lists {
        LISTED = "SELECT * FROM conversation_branches WHERE owner_id = $4 AND task_id = $5";
    }
}

/// Begins a branch of a task's conversation. Its base should be [settled](makima_model::branch::settle).
pub async fn insert(tx: &mut Tx, owner: OwnerId, task: TaskId, branch: &Branch) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(INSERT)
        .bind(branch.id.uuid())
        .bind(owner.uuid())
        .bind(task.uuid())
        .bind(branch.base.map(|base| base.branch.uuid()))
        .bind(branch.base_seq())
        .bind(branch.head_seq)
        .bind(branch.reason.as_str())
        .bind(At(branch.created_at))
        .execute(c)
        .await
        .map(affected))
    .act("begin a branch")?;
    Ok(())
}

/// The branch and all that it is based on, in any order; empty where there is no such branch.
pub async fn lineage(tx: &mut Tx, owner: OwnerId, branch: BranchId) -> Result<Vec<Branch>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(LINEAGE).bind(branch.uuid()).bind(owner.uuid()).fetch_all(c).await);
    Ok(all(rows.act("read a branch")?))
}

/// The branches of the task's conversation, oldest first.
pub async fn of_task(tx: &mut Tx, owner: OwnerId, task: TaskId) -> Result<Vec<Branch>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(OF_TASK).bind(task.uuid()).bind(owner.uuid()).fetch_all(c).await);
    Ok(all(rows.act("list a task's branches")?))
}

/// All branches that a task's conversation has had, oldest first; and beside these all that they are based on, in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The task's own.
    pub own: Vec<Branch>,
    /// These, and those of other tasks that they are based on.
    pub all: Vec<Branch>,
}

/// Every branch that a moment of the task's may be on.
pub async fn history(tx: &mut Tx, owner: OwnerId, task: TaskId) -> Result<History, StoreError> {
    let own = of_task(tx, owner, task).await?;
    let rows = on!(tx, |c| sqlx::query_as(BELOW).bind(task.uuid()).bind(owner.uuid()).fetch_all(c).await);
    Ok(History { own, all: all(rows.act("read a task's branches")?) })
}

/// A page of the task's branches. No count is kept of them: they are counted, unless `total` is known from an earlier page.
pub async fn list(
    tx: &mut Tx,
    owner: OwnerId,
    task: TaskId,
    seek: Seek,
    total: Option<i64>,
) -> Result<Page<Branch>, StoreError> {
    let act = "list a task's branches";
    let (at, id) = seek.key();
    let rows = on!(tx, |c| sqlx::query_as(LISTED.in_order(seek.order))
        .bind(at)
        .bind(id)
        .bind(seek.rows())
        .bind(owner.uuid())
        .bind(task.uuid())
        .fetch_all(c)
        .await);
    let branches = all(rows.act(act)?);
    let total = match total {
        Some(total) => total,
        None => {
            on!(tx, |c| sqlx::query_scalar(COUNT).bind(task.uuid()).bind(owner.uuid()).fetch_one(c).await)
                .act(act)?
        }
    };
    Ok(seek.page(branches, total, |branch: &Branch| Key { at: branch.created_at, id: branch.id.uuid() }))
}

/// Appends messages to a branch and answers the number of the first, or `None` where there is no such branch. They are
/// readable once this is committed; [`find`] knows them before. Two who append wait for each other, so that the numbers
/// have no holes. That the same messages aren't appended twice is the caller's to see to, by the entries of the run's journal.
pub async fn append(
    tx: &mut Tx,
    owner: OwnerId,
    branch: BranchId,
    run_number: i64,
    messages: Vec<PackedMessage>,
) -> Result<Option<i64>, StoreError> {
    let act = "append messages";
    let count = i64::try_from(messages.len()).unwrap_or(i64::MAX);
    let head = on!(tx, |c| sqlx::query_as(ADVANCE)
        .bind(branch.uuid())
        .bind(owner.uuid())
        .bind(count)
        .fetch_optional(c)
        .await);
    let Some(Head { seq, task }) = one(head.act(act)?) else { return Ok(None) };
    let first = seq - count;
    for (seq, message) in (first..).zip(messages) {
        tx.outbox.message(NewMessage { owner, branch, seq, task, run_number, message });
    }
    Ok(Some(first))
}

/// Shares a turn's cost among the agent's messages of `branch` from `from_seq` on, by their tokens; evenly where none are
/// known. Done when this is committed, over messages that were appended in it too.
pub fn share_cost(tx: &mut Tx, owner: OwnerId, branch: BranchId, from_seq: i64, usd: f64) {
    tx.outbox.cost(Cost { owner, branch, from_seq, usd });
}
