//! Daemons. Their silence is measured by the database's clock, which all replicas share.

use crate::{
    StoreError, Tx,
    columns::{At, Cells, Entity, all, json_of, maybe_text, one, text},
    db::{affected, on},
    error::Act,
    statements::statements,
};
use makima_model::{AgentInfo, Daemon, DaemonId, OwnerId};
use std::time::Duration;

impl Entity for Daemon {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: cells.id("id")?,
            owner: cells.id("owner_id")?,
            name: cells.text("name")?,
            hostname: cells.text("hostname")?,
            status: cells.word("status")?,
            max_concurrent_tasks: cells.int("max_concurrent_tasks")?,
            running_tasks: cells.int("running_tasks")?,
            agents: cells.json("agents")?,
            last_heartbeat_at: cells.at("last_heartbeat_at")?,
            trouble: cells.maybe_text("trouble")?,
        })
    }
}

/// What is read of a daemon: its own columns, and how many workers it runs.
macro_rules! daemons {
    ($conditions:literal) => {
        concat!(
            "SELECT daemons.*, (SELECT COUNT(*) FROM runs JOIN tasks ON tasks.id = runs.task_id \
            WHERE runs.daemon_id = daemons.id AND runs.ended_at IS NULL AND tasks.role = 'worker') AS running_tasks \
            FROM daemons WHERE ",
            $conditions
        )
    };
}

statements! {
    UPSERT = "INSERT INTO daemons (id, owner_id, name, hostname, status, max_concurrent_tasks, agents, last_heartbeat_at, \
        connection) VALUES ($1, $2, $3, $4, 'online', $5, $6, $7, 1) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
        hostname = excluded.hostname, status = 'online', max_concurrent_tasks = excluded.max_concurrent_tasks, \
        agents = excluded.agents, last_heartbeat_at = excluded.last_heartbeat_at, trouble = NULL, \
        connection = daemons.connection + 1 WHERE daemons.owner_id = excluded.owner_id RETURNING connection";
    BEAT = "UPDATE daemons SET status = 'online', last_heartbeat_at = $4, trouble = $5 \
        WHERE id = $1 AND owner_id = $2 AND connection = $3";
    HOLD = "UPDATE daemons SET connection = connection WHERE id = $1 AND owner_id = $2 AND connection = $3";
    IS_NEWEST = "SELECT COUNT(*) FROM daemons WHERE id = $1 AND owner_id = $2 AND connection = $3";
    SET_OFFLINE = "UPDATE daemons SET status = 'offline' WHERE id = $1 AND owner_id = $2 AND status = 'online'";
    GET = daemons!("id = $1 AND owner_id = $2");
    OF_OWNER = daemons!("owner_id = $1 ORDER BY name, id");
    SILENT = daemons!("status = 'online' AND last_heartbeat_at < $1 ORDER BY last_heartbeat_at, id");
}

/// What a daemon tells of itself when it connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello<'a> {
    /// Its id, which it keeps.
    pub id: DaemonId,
    /// Its name, for people.
    pub name: &'a str,
    /// The machine's name.
    pub hostname: &'a str,
    /// How many workers it runs at once.
    pub max_concurrent_tasks: i64,
    /// What it can run.
    pub agents: &'a [AgentInfo],
}

/// A daemon is there. Answers the number of its connection, the newest. [`StoreError::ForeignDaemon`] if its id is another
/// owner's.
pub async fn upsert(tx: &mut Tx, owner: OwnerId, hello: Hello<'_>) -> Result<i64, StoreError> {
    let act = "keep a daemon";
    let now = tx.now().await?;
    let agents = json_of(&hello.agents, "agents").act(act)?;
    let kept: Result<Option<i64>, sqlx::Error> = on!(tx, |c| sqlx::query_scalar(UPSERT)
        .bind(hello.id.uuid())
        .bind(owner.uuid())
        .bind(text(hello.name))
        .bind(text(hello.hostname))
        .bind(hello.max_concurrent_tasks)
        .bind(agents)
        .bind(At(now))
        .fetch_optional(c)
        .await);
    kept.act(act)?.ok_or(StoreError::ForeignDaemon)
}

/// A daemon's heart beats on this connection: it is online, and says what keeps it from working. Whether that is its newest
/// one.
pub async fn beat(
    tx: &mut Tx,
    owner: OwnerId,
    id: DaemonId,
    connection: i64,
    trouble: Option<&str>,
) -> Result<bool, StoreError> {
    let now = tx.now().await?;
    let kept = on!(tx, |c| sqlx::query(BEAT)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(connection)
        .bind(At(now))
        .bind(maybe_text(trouble))
        .execute(c)
        .await
        .map(affected))
    .act("keep a heartbeat")?;
    Ok(kept > 0)
}

/// Whether this is a daemon's newest connection, as far as is known now.
pub async fn is_newest(
    tx: &mut Tx,
    owner: OwnerId,
    id: DaemonId,
    connection: i64,
) -> Result<bool, StoreError> {
    let daemons: i64 = on!(tx, |c| sqlx::query_scalar(IS_NEWEST)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(connection)
        .fetch_one(c)
        .await)
    .act("look at a daemon's connection")?;
    Ok(daemons > 0)
}

/// Whether this is a daemon's newest connection; then it stays so until the transaction ends.
pub async fn hold(tx: &mut Tx, owner: OwnerId, id: DaemonId, connection: i64) -> Result<bool, StoreError> {
    let held = on!(tx, |c| sqlx::query(HOLD)
        .bind(id.uuid())
        .bind(owner.uuid())
        .bind(connection)
        .execute(c)
        .await
        .map(affected))
    .act("hold a daemon's connection")?;
    Ok(held > 0)
}

/// A daemon is gone. Whether it was there.
pub async fn set_offline(tx: &mut Tx, owner: OwnerId, id: DaemonId) -> Result<bool, StoreError> {
    let gone = on!(tx, |c| sqlx::query(SET_OFFLINE)
        .bind(id.uuid())
        .bind(owner.uuid())
        .execute(c)
        .await
        .map(affected))
    .act("mark a daemon offline")?;
    Ok(gone > 0)
}

/// The daemon with this id.
pub async fn get(tx: &mut Tx, owner: OwnerId, id: DaemonId) -> Result<Option<Daemon>, StoreError> {
    let row = on!(tx, |c| sqlx::query_as(GET).bind(id.uuid()).bind(owner.uuid()).fetch_optional(c).await);
    Ok(one(row.act("read a daemon")?))
}

/// The owner's daemons, by name.
pub async fn list(tx: &mut Tx, owner: OwnerId) -> Result<Vec<Daemon>, StoreError> {
    let rows = on!(tx, |c| sqlx::query_as(OF_OWNER).bind(owner.uuid()).fetch_all(c).await);
    Ok(all(rows.act("list the daemons")?))
}

/// Daemons that are online and have not been heard of for longer than `silence`: any owner.
pub async fn silent(tx: &mut Tx, silence: Duration) -> Result<Vec<Daemon>, StoreError> {
    let heard_before = tx.now().await?.minus(silence);
    let rows = on!(tx, |c| sqlx::query_as(SILENT).bind(At(heard_before)).fetch_all(c).await);
    Ok(all(rows.act("look for silent daemons")?))
}
