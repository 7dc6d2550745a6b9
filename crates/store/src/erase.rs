//! Erasing a task or a contract for good: every row of it, and the blobs that nothing else has. What others need of a task's
//! conversation becomes theirs.

use crate::{
    Noun, StoreError, Tx,
    columns::{At, Cells, Entity, all},
    conversations,
    db::{affected, on},
    error::Act,
    operations,
    search::Erasing,
    statements::statements,
};
use makima_model::{
    Branch, ContractId, OperationId, OwnerId, Position, TaskId, Timestamp,
    branch::{Heirloom, heirlooms},
};
use sqlx::types::Uuid;

const ACT: &str = "erase a task";
const ACT_CONTRACT: &str = "erase a contract";

/// Where a branch of another task starts.
struct GoingOn {
    task: TaskId,
    base: Position,
}

impl Entity for GoingOn {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        let base = Position { branch: cells.id("base_branch_id")?, seq: cells.int("base_seq")? };
        Ok(Self { task: cells.id("task_id")?, base })
    }
}

/// How many history events of one kind there are.
struct Told {
    kind: String,
    phase: Option<String>,
    contract: Option<ContractId>,
    events: i64,
}

impl Entity for Told {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            kind: cells.text("event_type")?,
            phase: cells.maybe_text("phase")?,
            contract: cells.maybe_id("contract_id")?,
            events: cells.int("events")?,
        })
    }
}

statements! {
    GOING_ON = "SELECT task_id, base_branch_id, base_seq FROM conversation_branches WHERE owner_id = $2 \
        AND task_id <> $1 AND base_branch_id IN (SELECT id FROM conversation_branches WHERE task_id = $1) \
        ORDER BY created_at, id";
    CUT_MESSAGES = "DELETE FROM conversation_messages WHERE branch_id = $1 AND owner_id = $2 AND seq >= $3";
    CUT_RECORDS = "DELETE FROM native_entries WHERE branch_id = $1 AND owner_id = $2 AND seq >= $3";
    GIVE_MESSAGES = "UPDATE conversation_messages SET task_id = $3, run_number = 0 WHERE branch_id = $1 AND owner_id = $2";
    GIVE_BRANCH = "UPDATE conversation_branches SET task_id = $3, head_seq = $4 WHERE id = $1 AND owner_id = $2";
    TOLD = "SELECT event_type, phase, contract_id, COUNT(*) AS events FROM history_events \
        WHERE task_id = $1 AND owner_id = $2 GROUP BY event_type, phase, contract_id";
    TOLD_OF_CONTRACT = "SELECT event_type, phase, contract_id, COUNT(*) AS events FROM history_events \
        WHERE contract_id = $1 AND owner_id = $2 GROUP BY event_type, phase, contract_id";
    PATCHES = "SELECT DISTINCT patch_hash FROM task_checkpoints \
        WHERE task_id = $1 AND owner_id = $2 AND patch_hash IS NOT NULL ORDER BY patch_hash";
    KEYS = "DELETE FROM api_keys WHERE run_id IN (SELECT id FROM runs WHERE task_id = $1) AND owner_id = $2";
    QUESTIONS = "DELETE FROM task_questions WHERE task_id = $1 AND owner_id = $2";
    INBOX = "DELETE FROM task_inbox WHERE task_id = $1 AND owner_id = $2";
    COMMANDS = "DELETE FROM daemon_commands WHERE run_id IN (SELECT id FROM runs WHERE task_id = $1) AND owner_id = $2";
    EVENTS = "DELETE FROM task_events WHERE task_id = $1 AND owner_id = $2";
    HISTORY = "DELETE FROM history_events WHERE task_id = $1 AND owner_id = $2";
    CHECKPOINTS = "DELETE FROM task_checkpoints WHERE task_id = $1 AND owner_id = $2";
    SNAPSHOTS = "DELETE FROM conversation_snapshots WHERE task_id = $1 AND owner_id = $2";
    RUNS = "DELETE FROM runs WHERE task_id = $1 AND owner_id = $2";
    RECORDS = "DELETE FROM native_entries \
        WHERE branch_id IN (SELECT id FROM conversation_branches WHERE task_id = $1) AND owner_id = $2";
    MESSAGES = "DELETE FROM conversation_messages \
        WHERE branch_id IN (SELECT id FROM conversation_branches WHERE task_id = $1) AND owner_id = $2";
    IMPORTS = "DELETE FROM imports WHERE task_id = $1 AND owner_id = $2";
    BRANCHES = "DELETE FROM conversation_branches WHERE task_id = $1 AND owner_id = $2";
    CHILDREN = "UPDATE tasks SET parent_task_id = NULL WHERE parent_task_id = $1 AND owner_id = $2";
    CONTINUED = "UPDATE tasks SET continue_from_task_id = NULL WHERE continue_from_task_id = $1 AND owner_id = $2";
    TASK = "DELETE FROM tasks WHERE id = $1 AND owner_id = $2";
    COUNTS = "DELETE FROM counters WHERE scope_id = $1 AND owner_id = $2";
    BLOB = "DELETE FROM blobs WHERE owner_id = $1 AND hash = $2 AND NOT EXISTS \
        (SELECT 1 FROM task_checkpoints WHERE task_checkpoints.owner_id = $1 AND patch_hash = $2)";
    ERASED_BLOB = "INSERT INTO erased_blobs (hash, erased_at) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING";
    CHAT_COUNTS = "DELETE FROM counters WHERE owner_id = $2 \
        AND scope_id IN (SELECT id FROM contract_chat_conversations WHERE contract_id = $1)";
    CHATS = "DELETE FROM contract_chat_conversations WHERE contract_id = $1 AND owner_id = $2";
    HISTORY_OF_CONTRACT = "DELETE FROM history_events WHERE contract_id = $1 AND owner_id = $2";
    CONTRACT = "DELETE FROM contracts WHERE id = $1 AND owner_id = $2";
}

/// What is erased of a task besides what others need, in an order that no reference stands against.
const OF_TASK: [&str; 17] = [
    KEYS,
    QUESTIONS,
    INBOX,
    COMMANDS,
    EVENTS,
    HISTORY,
    CHECKPOINTS,
    SNAPSHOTS,
    RUNS,
    IMPORTS,
    RECORDS,
    MESSAGES,
    BRANCHES,
    CHILDREN,
    CONTINUED,
    TASK,
    COUNTS,
];

/// Erases a task that lies in the trash, for the operation `by`. Answers the tasks that need messages of it, which are theirs now.
pub async fn task(
    tx: &mut Tx,
    owner: OwnerId,
    task: TaskId,
    by: OperationId,
    at: Timestamp,
) -> Result<Vec<TaskId>, StoreError> {
    let index = Erasing::begin(tx, owner).await?;
    let heirs = hand_over(tx, owner, task, &index).await?;
    index.task(tx, task).await?;
    uncount(tx, TOLD, owner, task.uuid()).await?;
    let patches: Vec<String> =
        on!(tx, |c| sqlx::query_scalar(PATCHES).bind(task.uuid()).bind(owner.uuid()).fetch_all(c).await)
            .act(ACT)?;
    for statement in OF_TASK {
        run(tx, statement, owner, task.uuid(), ACT).await?;
    }
    tx.outbox.forget(task.uuid());
    operations::forget_of_task(tx, owner, task, by).await?;
    for hash in patches {
        erase_blob(tx, owner, &hash, at).await?;
    }
    Ok(heirs)
}

/// Erases a contract that lies in the trash, and whose tasks are erased.
pub async fn contract(
    tx: &mut Tx,
    owner: OwnerId,
    contract: ContractId,
    by: OperationId,
) -> Result<(), StoreError> {
    Erasing::begin(tx, owner).await?.contract(tx, contract.uuid()).await?;
    uncount(tx, TOLD_OF_CONTRACT, owner, contract.uuid()).await?;
    for statement in [CHAT_COUNTS, CHATS, HISTORY_OF_CONTRACT, CONTRACT, COUNTS] {
        run(tx, statement, owner, contract.uuid(), ACT_CONTRACT).await?;
    }
    tx.outbox.forget(contract.uuid());
    operations::forget_of_contract(tx, owner, contract, by).await
}

async fn run(
    tx: &mut Tx,
    statement: &'static str,
    owner: OwnerId,
    id: Uuid,
    act: &'static str,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(statement).bind(id).bind(owner.uuid()).execute(c).await.map(affected))
        .act(act)?;
    Ok(())
}

/// Gives what other tasks' conversations rest on to those tasks.
async fn hand_over(
    tx: &mut Tx,
    owner: OwnerId,
    task: TaskId,
    index: &Erasing,
) -> Result<Vec<TaskId>, StoreError> {
    let own: Vec<Branch> = conversations::of_task(tx, owner, task).await?;
    let rows = on!(tx, |c| sqlx::query_as(GOING_ON).bind(task.uuid()).bind(owner.uuid()).fetch_all(c).await);
    let going_on: Vec<GoingOn> = all(rows.act(ACT)?);
    let bases: Vec<(TaskId, Position)> = going_on.into_iter().map(|on| (on.task, on.base)).collect();
    let mut heirs = Vec::new();
    for Heirloom { branch, head_seq, heir } in heirlooms(&own, &bases) {
        index.from(tx, branch, head_seq).await?;
        index.give(tx, branch, heir).await?;
        for statement in [CUT_MESSAGES, CUT_RECORDS] {
            on!(tx, |c| sqlx::query(statement)
                .bind(branch.uuid())
                .bind(owner.uuid())
                .bind(head_seq)
                .execute(c)
                .await
                .map(affected))
            .act(ACT)?;
        }
        let given = on!(tx, |c| sqlx::query(GIVE_MESSAGES)
            .bind(branch.uuid())
            .bind(owner.uuid())
            .bind(heir.uuid())
            .execute(c)
            .await
            .map(affected))
        .act(ACT)?;
        on!(tx, |c| sqlx::query(GIVE_BRANCH)
            .bind(branch.uuid())
            .bind(owner.uuid())
            .bind(heir.uuid())
            .bind(head_seq)
            .execute(c)
            .await
            .map(affected))
        .act(ACT)?;
        let given = i64::try_from(given).unwrap_or(i64::MAX);
        tx.outbox.count(owner, heir.uuid(), Noun::Message, "", "", given);
        heirs.push(heir);
    }
    heirs.sort();
    heirs.dedup();
    Ok(heirs)
}

/// Takes history events that are erased out of the counts of what they belong to besides.
async fn uncount(tx: &mut Tx, statement: &'static str, owner: OwnerId, id: Uuid) -> Result<(), StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(statement).bind(id).bind(owner.uuid()).fetch_all(c).await);
    let told: Vec<Told> = all(rows.act("count history events")?);
    for Told { kind, phase, contract, events } in told {
        let phase = phase.unwrap_or_default();
        for scope in [Some(owner.uuid()), contract.map(ContractId::uuid)].into_iter().flatten() {
            tx.outbox.count(owner, scope, Noun::History, &kind, &phase, -events);
        }
    }
    Ok(())
}

/// The owner has this blob no more, unless another checkpoint does; its file goes once nobody has it.
async fn erase_blob(tx: &mut Tx, owner: OwnerId, hash: &str, at: Timestamp) -> Result<(), StoreError> {
    let gone = on!(tx, |c| sqlx::query(BLOB).bind(owner.uuid()).bind(hash).execute(c).await.map(affected))
        .act(ACT)?;
    if gone > 0 {
        on!(tx, |c| sqlx::query(ERASED_BLOB).bind(hash).bind(At(at)).execute(c).await.map(affected))
            .act(ACT)?;
    }
    Ok(())
}
