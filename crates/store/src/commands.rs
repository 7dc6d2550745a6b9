//! What daemons shall do. A command goes `queued → sent → acknowledged → done | failed`; whoever holds a daemon's connection
//! claims its queued ones, and no two claim the same.

use crate::{
    StoreError, Tx, Wake,
    codec::{maybe_unpacked, pack, unpacked},
    columns::{At, Cells, Entity, all, maybe_text, one, text},
    db::{affected, on},
    error::Act,
    statements::statements,
};
use makima_model::{CommandId, DaemonId, OperationId, OwnerId, RunId, TaskId, Timestamp, UnknownWord};
use std::str::FromStr;

/// How far a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandState {
    /// It waits for the daemon to be connected.
    Queued,
    /// It was given to the connection.
    Sent,
    /// The daemon has it.
    Acknowledged,
    /// The daemon did it.
    Done,
    /// The daemon could not do it.
    Failed,
}

impl CommandState {
    /// All of them, in order.
    const ALL: [Self; 5] = [Self::Queued, Self::Sent, Self::Acknowledged, Self::Done, Self::Failed];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Acknowledged => "acknowledged",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more comes.
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

impl FromStr for CommandState {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| UnknownWord {
            what: "state of a command",
            text: text.chars().take(64).collect(),
            known: Self::ALL.map(Self::as_str).join(", "),
        })
    }
}

/// Something that a daemon shall do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its id.
    pub id: CommandId,
    /// Whose it is.
    pub owner: OwnerId,
    /// The daemon.
    pub daemon: DaemonId,
    /// The run that it is about.
    pub run: Option<RunId>,
    /// The operation whose effect it is.
    pub operation: Option<OperationId>,
    /// How far it has come.
    pub state: CommandState,
    /// What is to be done, as the daemon reads it.
    pub body: Vec<u8>,
    /// What came of it, as the daemon wrote it.
    pub result: Option<Vec<u8>>,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Entity for Command {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: cells.id("id")?,
            owner: cells.id("owner_id")?,
            daemon: cells.id("daemon_id")?,
            run: cells.maybe_id("run_id")?,
            operation: cells.maybe_id("operation_id")?,
            state: cells.word("state")?,
            body: unpacked(cells, "codec", "body")?,
            result: maybe_unpacked(cells, "result_codec", "result")?,
            error: cells.maybe_text("error")?,
            created_at: cells.at("created_at")?,
            updated_at: cells.at("updated_at")?,
        })
    }
}

statements! {
    QUEUE = "INSERT INTO daemon_commands (id, owner_id, daemon_id, run_id, state, codec, body, created_at, updated_at, \
        operation_id) VALUES ($1, $2, $3, $4, 'queued', $5, $6, $7, $7, $8)";
    // The states of those that are not done are said as the index says them: SQLite doesn't see that a state is one of them.
    CLAIM = "UPDATE daemon_commands SET state = 'sent', updated_at = $4 \
        WHERE daemon_id = $1 AND owner_id = $2 AND state = 'queued' AND id IN (SELECT id FROM daemon_commands \
        WHERE daemon_id = $1 AND state = 'queued' AND state IN ('queued', 'sent', 'acknowledged') \
        ORDER BY created_at, id LIMIT $3) RETURNING *";
    REQUEUE = "UPDATE daemon_commands SET state = 'queued', updated_at = $3 \
        WHERE daemon_id = $1 AND owner_id = $2 AND state = 'sent' AND state IN ('queued', 'sent', 'acknowledged')";
    ACKNOWLEDGE = "UPDATE daemon_commands SET state = 'acknowledged', updated_at = $3 \
        WHERE id = $1 AND owner_id = $2 AND state IN ('queued', 'sent')";
    FINISH = "UPDATE daemon_commands SET state = $3, result_codec = $4, result = $5, error = $6, updated_at = $7 \
        WHERE id = $1 AND owner_id = $2 AND state IN ('queued', 'sent', 'acknowledged')";
    GET = "SELECT * FROM daemon_commands WHERE id = $1 AND owner_id = $2";
    OF_OPERATION = "SELECT * FROM daemon_commands WHERE operation_id = $1 AND owner_id = $2 ORDER BY created_at, id";
    WITHDRAW = "UPDATE daemon_commands SET state = 'failed', error = $3, updated_at = $4 WHERE owner_id = $2 \
        AND state IN ('queued', 'sent') AND run_id IN (SELECT id FROM runs WHERE task_id = $1)";
    FORGET = "DELETE FROM daemon_commands WHERE id = $1 AND owner_id = $2";
    UNFINISHED_OF_RUN = "SELECT * FROM daemon_commands WHERE run_id = $1 AND owner_id = $2 \
        AND state IN ('queued', 'sent', 'acknowledged') ORDER BY created_at, id";
}

/// A command that is to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCommand {
    /// Its id.
    pub id: CommandId,
    /// Whose it is.
    pub owner: OwnerId,
    /// The daemon.
    pub daemon: DaemonId,
    /// The run that it is about.
    pub run: Option<RunId>,
    /// What is to be done, as the daemon reads it.
    pub body: Vec<u8>,
    /// The operation whose effect it is.
    pub operation: Option<OperationId>,
    /// When it is queued.
    pub created_at: Timestamp,
}

/// Queues a command, and tells whoever holds the daemon's connection.
pub async fn queue(tx: &mut Tx, command: &NewCommand) -> Result<(), StoreError> {
    let packed = pack(&command.body);
    on!(tx, |c| sqlx::query(QUEUE)
        .bind(command.id.uuid())
        .bind(command.owner.uuid())
        .bind(command.daemon.uuid())
        .bind(command.run.map(RunId::uuid))
        .bind(packed.codec)
        .bind(packed.body)
        .bind(At(command.created_at))
        .bind(command.operation.map(OperationId::uuid))
        .execute(c)
        .await
        .map(affected))
    .act("queue a command")?;
    tx.wake(Wake::Commands(command.daemon));
    Ok(())
}

/// The daemon's next queued commands, oldest first, which are thereby sent: nobody else gets them.
pub async fn claim(
    tx: &mut Tx,
    owner: OwnerId,
    daemon: DaemonId,
    limit: i64,
    at: Timestamp,
) -> Result<Vec<Command>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(CLAIM)
        .bind(daemon.uuid())
        .bind(owner.uuid())
        .bind(limit)
        .bind(At(at))
        .fetch_all(c)
        .await);
    let mut commands: Vec<Command> = all(rows.act("claim a daemon's commands")?);
    // What an update returns comes in any order.
    commands.sort_by_key(|command| (command.created_at, command.id));
    Ok(commands)
}

/// Queues again what was sent to the daemon and never acknowledged: its connection is a new one.
pub async fn requeue_sent(
    tx: &mut Tx,
    owner: OwnerId,
    daemon: DaemonId,
    at: Timestamp,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(REQUEUE)
        .bind(daemon.uuid())
        .bind(owner.uuid())
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act("queue commands again")?;
    tx.wake(Wake::Commands(daemon));
    Ok(())
}

/// The daemon has the command. Whether that is new.
pub async fn acknowledge(
    tx: &mut Tx,
    owner: OwnerId,
    id: CommandId,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let changed = on!(tx, |c| sqlx::query(ACKNOWLEDGE)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act("acknowledge a command")?;
    Ok(changed > 0)
}

/// Keeps what came of the command: the daemon's result, or why it failed. Whether that is new; the first one stands.
pub async fn finish(
    tx: &mut Tx,
    owner: OwnerId,
    id: CommandId,
    result: Result<Vec<u8>, String>,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let (state, result, error) = match result {
        Ok(result) => (CommandState::Done, Some(pack(&result)), None),
        Err(error) => (CommandState::Failed, None, Some(error)),
    };
    let (codec, result) = result.map(|packed| (packed.codec, packed.body)).unzip();
    let changed = on!(tx, |c| sqlx::query(FINISH)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(state.as_str())
        .bind(codec)
        .bind(result)
        .bind(maybe_text(error.as_deref()))
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act("finish a command")?;
    if changed > 0 {
        tx.wake(Wake::Command(id));
    }
    Ok(changed > 0)
}

/// The command with this id.
pub async fn get(tx: &mut Tx, owner: OwnerId, id: CommandId) -> Result<Option<Command>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(GET).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("read a command")?))
}

/// The run's commands that something may still come of, oldest first.
pub async fn unfinished_of_run(tx: &mut Tx, owner: OwnerId, run: RunId) -> Result<Vec<Command>, StoreError> {
    let rows =
        on!(tx, |c| sqlx::query_as(UNFINISHED_OF_RUN).bind(run.uuid()).bind(owner.uuid()).fetch_all(c).await);
    Ok(all(rows.act("list a run's commands")?))
}

/// The commands that are the effect of an operation, oldest first.
pub async fn of_operation(
    tx: &mut Tx,
    owner: OwnerId,
    operation: OperationId,
) -> Result<Vec<Command>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(OF_OPERATION)
        .bind(operation.uuid())
        .bind(owner.uuid())
        .fetch_all(c)
        .await);
    Ok(all(rows.act("list an operation's commands")?))
}

/// Forgets a command: nobody waits for what comes of it.
pub async fn forget(tx: &mut Tx, owner: OwnerId, id: CommandId) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(FORGET).bind(id.uuid()).bind(owner.uuid()).execute(c).await.map(affected))
        .act("forget a command")?;
    Ok(())
}

/// Takes back the commands of a task's runs that its daemon has not acknowledged: `why` is what comes of them.
pub async fn withdraw_of_task(
    tx: &mut Tx,
    owner: OwnerId,
    task: TaskId,
    why: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(WITHDRAW)
        .bind(task.uuid())
        .bind(owner.uuid())
        .bind(text(why))
        .bind(At(at))
        .execute(c)
        .await
        .map(affected))
    .act("take a task's commands back")?;
    Ok(())
}
