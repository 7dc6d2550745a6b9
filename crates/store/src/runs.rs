//! Runs: each start of a task's agent on a daemon. A task has one live run at most; an index sees to it.

use crate::{
    StoreError, Tx,
    columns::{At, Cells, Entity, all, maybe_text, one, text},
    db::{affected, on},
    error::{Act, is_duplicate},
    statements::statements,
};
use makima_model::{BranchId, ContractId, DaemonId, OwnerId, RunId, RunOutcome, TaskId, Timestamp};

/// One start of a task's agent on one daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Whose it is.
    pub owner: OwnerId,
    /// The task.
    pub task: TaskId,
    /// Its number in the task, from 1.
    pub number: i64,
    /// The daemon.
    pub daemon: DaemonId,
    /// The agent.
    pub agent: String,
    /// The branch of the conversation that its messages go to.
    pub branch: BranchId,
    /// The last entry of its journal that was taken; 0 before the first.
    pub last_entry: i64,
    /// The number of the first message of the turn that runs, or of the next one.
    pub turn_seq: i64,
    /// The agent's own id of the conversation.
    pub session_id: Option<String>,
    /// When it was placed.
    pub started_at: Timestamp,
    /// When it ended; `None` while it lives.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<RunOutcome>,
    /// Why it ended so, in a sentence for people.
    pub reason: Option<String>,
}

impl Entity for Run {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: cells.id("id")?,
            owner: cells.id("owner_id")?,
            task: cells.id("task_id")?,
            number: cells.int("number")?,
            daemon: cells.id("daemon_id")?,
            agent: cells.text("agent")?,
            branch: cells.id("branch_id")?,
            last_entry: cells.int("last_entry")?,
            turn_seq: cells.int("turn_seq")?,
            session_id: cells.maybe_text("session_id")?,
            started_at: cells.at("started_at")?,
            ended_at: cells.maybe_at("ended_at")?,
            outcome: cells.maybe_word("outcome")?,
            reason: cells.maybe_text("reason")?,
        })
    }
}

statements! {
    INSERT = "INSERT INTO runs (id, owner_id, task_id, number, daemon_id, agent, branch_id, last_entry, turn_seq, \
        session_id, started_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    GET = "SELECT * FROM runs WHERE id = $1 AND owner_id = $2";
    LIVE_OF_TASK = "SELECT * FROM runs WHERE task_id = $1 AND owner_id = $2 AND ended_at IS NULL";
    LIVE_OF_CONTRACT = "SELECT runs.* FROM runs JOIN tasks ON tasks.id = runs.task_id \
        WHERE tasks.contract_id = $1 AND runs.owner_id = $2 AND runs.ended_at IS NULL AND tasks.deleted_at IS NULL \
        ORDER BY runs.id";
    OF_TASK = "SELECT * FROM runs WHERE task_id = $1 AND owner_id = $2 ORDER BY number";
    LATEST_OF_TASK = "SELECT * FROM runs WHERE task_id = $1 AND owner_id = $2 ORDER BY number DESC LIMIT 1";
    LIVE_OF_DAEMON = "SELECT * FROM runs WHERE daemon_id = $1 AND owner_id = $2 AND ended_at IS NULL \
        ORDER BY started_at, id";
    LIVE_WORKERS = "SELECT COUNT(*) FROM runs JOIN tasks ON tasks.id = runs.task_id \
        WHERE runs.daemon_id = $1 AND runs.owner_id = $2 AND runs.ended_at IS NULL AND tasks.role = 'worker'";
    TAKE_ENTRIES = "UPDATE runs SET last_entry = $4 WHERE id = $1 AND owner_id = $2 AND last_entry = $3";
    SET_TURN_SEQ = "UPDATE runs SET turn_seq = $3 WHERE id = $1 AND owner_id = $2";
    SET_SESSION = "UPDATE runs SET session_id = $3 WHERE id = $1 AND owner_id = $2";
    SET_BRANCH = "UPDATE runs SET branch_id = $3, turn_seq = $4 WHERE id = $1 AND owner_id = $2";
    END = "UPDATE runs SET ended_at = $3, outcome = $4, reason = $5 WHERE id = $1 AND owner_id = $2 AND ended_at IS NULL";
    REVIVE = "UPDATE runs SET ended_at = NULL, outcome = NULL, reason = NULL \
        WHERE id = $1 AND owner_id = $2 AND outcome = 'interrupted' AND NOT EXISTS \
        (SELECT 1 FROM runs AS newer WHERE newer.task_id = runs.task_id AND newer.number > runs.number)";
}

/// Makes a run, which lives. [`StoreError::LiveRun`] if its task has one that does, or one of its number.
pub async fn insert(tx: &mut Tx, run: &Run) -> Result<(), StoreError> {
    let made = on!(tx, |c| sqlx::query(INSERT)
        .bind(run.id.uuid())
        .bind(run.owner.uuid())
        .bind(run.task.uuid())
        .bind(run.number)
        .bind(run.daemon.uuid())
        .bind(text(&run.agent))
        .bind(run.branch.uuid())
        .bind(run.last_entry)
        .bind(run.turn_seq)
        .bind(maybe_text(run.session_id.as_deref()))
        .bind(At(run.started_at))
        .execute(c)
        .await
        .map(drop));
    match made {
        Err(error) if is_duplicate(&error) => Err(StoreError::LiveRun),
        made => made.act("make a run"),
    }
}

/// The run with this id.
pub async fn get(tx: &mut Tx, owner: OwnerId, id: RunId) -> Result<Option<Run>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(GET).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("read a run")?))
}

/// The task's live run.
pub async fn live_of_task(tx: &mut Tx, owner: OwnerId, task: TaskId) -> Result<Option<Run>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(LIVE_OF_TASK)
        .bind(task.uuid())
        .bind(owner.uuid())
        .fetch_optional(c)
        .await);
    Ok(one(row.act("read a task's live run")?))
}

/// The live runs of the contract's tasks.
pub async fn live_of_contract(
    tx: &mut Tx,
    owner: OwnerId,
    contract: ContractId,
) -> Result<Vec<Run>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(LIVE_OF_CONTRACT)
        .bind(contract.uuid())
        .bind(owner.uuid())
        .fetch_all(c)
        .await);
    Ok(all(rows.act("list a contract's live runs")?))
}

/// All runs of the task, oldest first.
pub async fn of_task(tx: &mut Tx, owner: OwnerId, task: TaskId) -> Result<Vec<Run>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(OF_TASK).bind(task.uuid()).bind(owner.uuid()).fetch_all(c).await);
    Ok(all(rows.act("list a task's runs")?))
}

/// The task's newest run, live or not.
pub async fn latest_of_task(tx: &mut Tx, owner: OwnerId, task: TaskId) -> Result<Option<Run>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(LATEST_OF_TASK)
        .bind(task.uuid())
        .bind(owner.uuid())
        .fetch_optional(c)
        .await);
    Ok(one(row.act("read a task's newest run")?))
}

/// The daemon's live runs, oldest first.
pub async fn live_of_daemon(tx: &mut Tx, owner: OwnerId, daemon: DaemonId) -> Result<Vec<Run>, StoreError> {
    let rows =
        on!(tx, |c| sqlx::query_as(LIVE_OF_DAEMON).bind(daemon.uuid()).bind(owner.uuid()).fetch_all(c).await);
    Ok(all(rows.act("list a daemon's live runs")?))
}

/// How many live runs of workers the daemon has: those that count against its capacity.
pub async fn live_count_of_workers(tx: &mut Tx, owner: OwnerId, daemon: DaemonId) -> Result<i64, StoreError> {
    on!(tx, |c| sqlx::query_scalar(LIVE_WORKERS).bind(daemon.uuid()).bind(owner.uuid()).fetch_one(c).await)
        .act("count a daemon's live runs")
}

/// The run's entries after `from` up to `to` are taken, if `from` still was the last one. Of two who take the same
/// entries, one is told that it didn't, and must undo what it did with them.
pub async fn set_last_entry(
    tx: &mut Tx,
    owner: OwnerId,
    id: RunId,
    from: i64,
    to: i64,
) -> Result<bool, StoreError> {
    let taken = on!(tx, |c| sqlx::query(TAKE_ENTRIES)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(from)
        .bind(to)
        .execute(c)
        .await
        .map(affected))
    .act("keep a run's last entry")?;
    Ok(taken > 0)
}

/// Keeps where the messages of the run's turn begin.
pub async fn set_turn_seq(tx: &mut Tx, owner: OwnerId, id: RunId, seq: i64) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(SET_TURN_SEQ)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(seq)
        .execute(c)
        .await
        .map(affected))
    .act("keep where a turn begins")?;
    Ok(())
}

/// Keeps the agent's own id of the conversation.
pub async fn set_session(tx: &mut Tx, owner: OwnerId, id: RunId, session: &str) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(SET_SESSION)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(text(session))
        .execute(c)
        .await
        .map(affected))
    .act("keep an agent's session")?;
    Ok(())
}

/// Sends what the run says from now on to another branch, whose next message is `turn_seq`.
pub async fn set_branch(
    tx: &mut Tx,
    owner: OwnerId,
    id: RunId,
    branch: BranchId,
    turn_seq: i64,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(SET_BRANCH)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(branch.uuid())
        .bind(turn_seq)
        .execute(c)
        .await
        .map(affected))
    .act("give a run another branch")?;
    Ok(())
}

/// Ends a run, and says whether it lived.
pub async fn end(
    tx: &mut Tx,
    owner: OwnerId,
    id: RunId,
    outcome: RunOutcome,
    reason: Option<&str>,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let ended = on!(tx, |c| sqlx::query(END)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(At(at))
        .bind(outcome.as_str())
        .bind(maybe_text(reason))
        .execute(c)
        .await
        .map(affected))
    .act("end a run")?;
    Ok(ended > 0)
}

/// Takes back that an interrupted run ended, if it is its task's newest, and says whether it did. For a run that was given
/// up for its daemon's silence alone.
pub async fn revive(tx: &mut Tx, owner: OwnerId, id: RunId) -> Result<bool, StoreError> {
    let revived =
        on!(tx, |c| sqlx::query(REVIVE).bind(id.uuid()).bind(owner.uuid()).execute(c).await.map(affected));
    match revived {
        // A newer run was made at the same moment.
        Err(error) if is_duplicate(&error) => Err(StoreError::LiveRun),
        revived => Ok(revived.act("revive a run")? > 0),
    }
}
