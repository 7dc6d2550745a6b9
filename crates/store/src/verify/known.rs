//! What a daemon's data folder has to agree with.

use crate::{
    Db, StoreError, Tx,
    columns::{Cells, Entity, all, one},
    db::on,
    error::Act,
    statements::statements as declared,
};
use makima_model::{
    DaemonId,
    verify::{Known, KnownCheckpoint, KnownRun, Listed},
};
use sqlx::types::Uuid;

/// Runs, and whether the daemon has all that was ordered of them.
macro_rules! runs {
    ($conditions:literal) => {
        concat!(
            "SELECT run.id, run.daemon_id, run.task_id, run.last_entry, CASE WHEN run.ended_at IS NULL \
            AND NOT EXISTS (SELECT 1 FROM daemon_commands AS command WHERE command.run_id = run.id \
            AND command.state IN ('queued', 'sent')) THEN CAST(1 AS BIGINT) ELSE 0 END AS is_the_daemons FROM runs AS run WHERE ",
            $conditions
        )
    };
}

declared! {
    RUN = runs!("run.id = $1");
    LIVE = runs!("run.daemon_id = $1 AND run.ended_at IS NULL");
    COMMAND = "SELECT id FROM daemon_commands WHERE id = $1";
    ACKNOWLEDGED = "SELECT id FROM daemon_commands WHERE daemon_id = $1 AND state = 'acknowledged'";
    TASK = "SELECT id FROM tasks WHERE id = $1";
    TASKS = "SELECT id FROM tasks WHERE daemon_id = $1 AND worktree_path IS NOT NULL";
    CHECKPOINTS = "SELECT made.id, made.checkpoint_number, made.commit_sha FROM task_checkpoints AS made \
        JOIN runs AS run ON run.id = made.run_id WHERE made.task_id = $1 AND run.daemon_id = $2 \
        ORDER BY made.checkpoint_number";
}

struct Id(Uuid);

impl Entity for Id {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        cells.id("id").map(Self)
    }
}

struct Run(Uuid, KnownRun);

impl Entity for Run {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        let known = KnownRun {
            daemon: cells.id("daemon_id")?,
            task: cells.id("task_id")?,
            last_entry: cells.size("last_entry")?,
            is_the_daemons: cells.int("is_the_daemons")? == 1,
        };
        Ok(Self(cells.id("id")?, known))
    }
}

impl Entity for KnownCheckpoint {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: cells.id("id")?,
            number: cells.int("checkpoint_number")?,
            commit: cells.text("commit_sha")?,
        })
    }
}

const ACT: &str = "read what a daemon has";

/// What the server knows of a daemon whose folder has what is listed, in one state of the database. Any owner.
pub async fn known(db: &Db, daemon: DaemonId, listed: &Listed) -> Result<Known, StoreError> {
    let mut tx = db.read().await?;
    let mut known = Known::default();
    let rows = on!(tx, |c| sqlx::query_as(LIVE).bind(daemon.uuid()).fetch_all(c).await);
    let mut runs: Vec<Run> = all(rows.act(ACT)?);
    for run in &listed.runs {
        let row = on!(tx, |c| sqlx::query_as(RUN).bind(run.uuid()).fetch_optional(c).await);
        runs.extend(one(row.act(ACT)?));
    }
    known.runs.extend(runs.into_iter().map(|Run(id, run)| (id.into(), run)));
    for command in &listed.commands {
        if exists(&mut tx, COMMAND, command.uuid()).await? {
            known.commands.insert(*command, false);
        }
    }
    let rows = on!(tx, |c| sqlx::query_as(ACKNOWLEDGED).bind(daemon.uuid()).fetch_all(c).await);
    let acknowledged: Vec<Id> = all(rows.act(ACT)?);
    known.commands.extend(acknowledged.into_iter().map(|Id(id)| (id.into(), true)));
    let rows = on!(tx, |c| sqlx::query_as(TASKS).bind(daemon.uuid()).fetch_all(c).await);
    let mut tasks: Vec<Uuid> = all(rows.act(ACT)?).into_iter().map(|Id(id)| id).collect();
    for task in &listed.tasks {
        if exists(&mut tx, TASK, task.uuid()).await? {
            tasks.push(task.uuid());
        }
    }
    for task in tasks {
        let rows = on!(tx, |c| sqlx::query_as(CHECKPOINTS).bind(task).bind(daemon.uuid()).fetch_all(c).await);
        known.tasks.insert(task.into(), all(rows.act(ACT)?));
    }
    Ok(known)
}

async fn exists(tx: &mut Tx, text: &'static str, id: Uuid) -> Result<bool, StoreError> {
    let row: Option<Id> = one(on!(tx, |c| sqlx::query_as(text).bind(id).fetch_optional(c).await).act(ACT)?);
    Ok(row.is_some())
}
