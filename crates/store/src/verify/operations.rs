//! Operations: how far each has come, what undoes what, what lies in the trash or was put away and by which of them, and what
//! an erasure has left.

use super::rule::{Broken, REPORT, Rule, rules};
use crate::{
    StoreError, Tx,
    columns::{At, all},
    db::on,
    error::Act,
    statements::Statement,
};
use makima_model::verify::Report;
use std::time::Duration;

/// How long an operation may be open with nothing in its way. A server goes on with all of them every few seconds.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// What to do with something that is shown, or hidden, against what its operations say.
const TRASH: &str = "what is shown and what its operations say differ: `makima op log` tells of them; keep a copy of the data, \
    and report it with this line";
/// What to do with what an erasure has left.
const ERASE: &str =
    "something of what was to be erased is still there: keep a copy of the data and report it with this line";

/// Operations that put something there when they are done: those of a kind, or what undoes them, and what undoes an undo of these.
macro_rules! puts {
    ($first:literal) => {
        concat!(
            "WITH RECURSIVE puts (id) AS (",
            $first,
            " UNION SELECT again.id FROM puts JOIN operations AS back ON back.undoes = puts.id \
            JOIN operations AS again ON again.undoes = back.id) "
        )
    };
}

/// Things in the trash that the operation by which they are there doesn't put there. `of` is what it is done to.
macro_rules! trashed {
    ($table:literal, $of:literal, $own:literal) => {
        concat!(
            "SELECT entry.id, op.id AS other, op.kind || ', ' || op.state AS word FROM ",
            $table,
            " AS entry JOIN operations AS op ON op.id = entry.deleted_by \
            WHERE op.undone_by IS NOT NULL OR ",
            $of,
            " IS DISTINCT FROM ",
            $own,
            " OR NOT ((op.state = 'done' AND (op.kind = 'delete' OR (op.kind = 'undo' AND EXISTS (\
            SELECT 1 FROM operations AS back WHERE back.id = op.undoes AND back.kind = 'undo')))) \
            OR (op.kind = 'purge' AND op.state <> 'done'))"
        )
    };
}

/// What is there of something for which a purge is done.
macro_rules! purged {
    ($what:literal, task) => {
        concat!($what, " = op.task_id WHERE op.kind = 'purge' AND op.state = 'done'")
    };
    ($what:literal, contract) => {
        concat!(
            $what,
            " = op.contract_id WHERE op.kind = 'purge' AND op.state = 'done' AND op.task_id IS NULL"
        )
    };
}

rules! {
    operation_end: "operation", "it is {word}, and what is kept of its end disagrees with that", REPORT,
        "SELECT op.id, op.state AS word FROM operations AS op WHERE (op.state = 'prepared') <> (op.finished_at IS NULL) \
        OR (op.state = 'done') <> (op.after IS NOT NULL) \
        OR (op.error IS NOT NULL AND op.state NOT IN ('failed', 'abandoned'))";
    operation_on: "operation", "it is of kind {word}, and what it is done to, or undoes, isn't told", REPORT,
        "SELECT op.id, op.kind AS word FROM operations AS op WHERE (op.task_id IS NULL AND op.contract_id IS NULL) \
        OR (op.kind = 'undo') <> (op.undoes IS NOT NULL)";
    operation_open_twice: "operation", "it is open, and operation {other} is open on the same task or contract", REPORT,
        "SELECT op.id, another.id AS other FROM operations AS op JOIN operations AS another ON another.state = 'prepared' \
        AND another.id <> op.id AND (another.task_id = op.task_id \
        OR (op.task_id IS NULL AND another.contract_id = op.contract_id)) WHERE op.state = 'prepared'";
    operation_undone: "operation", "it says that operation {other} has undone it, which is {word}, or undoes another", REPORT,
        "SELECT op.id, undo.id AS other, undo.state AS word FROM operations AS op \
        JOIN operations AS undo ON undo.id = op.undone_by \
        WHERE undo.state <> 'done' OR op.state <> 'done' OR undo.undoes IS DISTINCT FROM op.id";
    operation_undoes: "operation", "it has undone operation {other}, which knows nothing of that or is on something else", REPORT,
        "SELECT undo.id, op.id AS other FROM operations AS undo JOIN operations AS op ON op.id = undo.undoes \
        WHERE (undo.state = 'done' AND op.undone_by IS NULL) OR undo.task_id IS DISTINCT FROM op.task_id \
        OR undo.contract_id IS DISTINCT FROM op.contract_id";
    trash_time: "task or contract", "whether it lies in the trash and which operation put it there disagree", REPORT,
        "SELECT id FROM tasks WHERE (deleted_at IS NULL) <> (deleted_by IS NULL) \
        UNION ALL SELECT id FROM contracts WHERE (deleted_at IS NULL) <> (deleted_by IS NULL)";
    trash_task: "task", "it lies in the trash by operation {other}, which doesn't put it there: {word}", TRASH,
        trashed!("tasks", "COALESCE(op.task_id, op.contract_id)",
            "CASE WHEN op.task_id IS NULL THEN entry.contract_id ELSE entry.id END");
    trash_contract: "contract", "it lies in the trash by operation {other}, which doesn't put it there: {word}", TRASH,
        trashed!("contracts", "CASE WHEN op.task_id IS NULL THEN op.contract_id END", "entry.id");
    trash_of_contract: "task", "its contract {other} lies in the trash, and it doesn't", TRASH,
        "SELECT task.id, contract.id AS other FROM tasks AS task JOIN contracts AS contract ON contract.id = task.contract_id \
        WHERE contract.deleted_by IS NOT NULL AND task.deleted_by IS NULL";
    trash_put: "operation", "it has put {other} into the trash and isn't undone, and that isn't there by it", TRASH,
        puts!("SELECT id FROM operations WHERE kind = 'delete'"),
        "SELECT op.id, task.id AS other FROM operations AS op JOIN puts ON puts.id = op.id JOIN tasks AS task ON task.id = op.task_id \
        WHERE op.state = 'done' AND op.undone_by IS NULL AND task.deleted_by IS DISTINCT FROM op.id \
        UNION ALL SELECT op.id, contract.id AS other FROM operations AS op JOIN puts ON puts.id = op.id \
        JOIN contracts AS contract ON contract.id = op.contract_id WHERE op.task_id IS NULL \
        AND op.state = 'done' AND op.undone_by IS NULL AND contract.deleted_by IS DISTINCT FROM op.id";
    put_away_by: "checkpoint", "it was put away by operation {other}, which doesn't: {word}", REPORT,
        "SELECT made.id, op.id AS other, op.kind || ', ' || op.state AS word FROM task_checkpoints AS made \
        JOIN operations AS op ON op.id = made.put_away_by WHERE op.kind <> 'undo' OR op.state <> 'done' \
        OR op.undone_by IS NOT NULL OR op.task_id IS DISTINCT FROM made.task_id";
    put_away_both: "snapshot", "it and checkpoint {other}, with which it was taken, are not put away by the same operation", REPORT,
        "SELECT snapshot.id, snapshot.checkpoint_id AS other FROM conversation_snapshots AS snapshot \
        LEFT JOIN task_checkpoints AS made ON made.id = snapshot.checkpoint_id \
        WHERE snapshot.put_away_by IS DISTINCT FROM made.put_away_by";
    put_away: "operation", "it has put a checkpoint of task {other} away and isn't undone, and none is", REPORT,
        puts!("SELECT undo.id FROM operations AS undo JOIN operations AS made ON made.id = undo.undoes WHERE made.kind = 'checkpoint'"),
        "SELECT op.id, task.id AS other FROM operations AS op JOIN puts ON puts.id = op.id JOIN tasks AS task ON task.id = op.task_id \
        WHERE op.state = 'done' AND op.undone_by IS NULL \
        AND NOT EXISTS (SELECT 1 FROM task_checkpoints AS made WHERE made.put_away_by = op.id)";
    // What hangs on them is told by its references.
    erased_is_there: "operation", "it has erased {other}, which is there", ERASE,
        "SELECT op.id, task.id AS other FROM operations AS op JOIN tasks AS task ON ", purged!("task.id", task),
        " UNION ALL SELECT op.id, contract.id AS other FROM operations AS op JOIN contracts AS contract ON ",
        purged!("contract.id", contract);
    erased_is_counted: "operation", "it has erased {other}, of which a {word} is counted", ERASE,
        "SELECT op.id, kept.scope_id AS other, kept.noun AS word FROM operations AS op JOIN counters AS kept ON ",
        purged!("kept.scope_id", task),
        " UNION ALL SELECT op.id, kept.scope_id AS other, kept.noun AS word FROM operations AS op JOIN counters AS kept ON ",
        purged!("kept.scope_id", contract);
    erased_is_told: "operation", "what it changed is told, and operation {other} has erased what it was done to", ERASE,
        "SELECT tells.id, op.id AS other FROM operations AS op JOIN operations AS tells ON \
        (tells.task_id = op.task_id OR (op.task_id IS NULL AND tells.contract_id = op.contract_id)) \
        WHERE op.kind = 'purge' AND op.state = 'done' AND NOT (tells.kind = 'purge' AND tells.state = 'done') \
        AND (CAST(tells.request AS TEXT) <> '{}' OR CAST(tells.before AS TEXT) <> '{}' \
        OR CAST(tells.after AS TEXT) <> '{}' OR tells.error IS NOT NULL)";
}

/// An operation that a server would have gone on with: older than `$1`, and since then nobody works on it.
const WAITS: Rule = Rule {
    name: "operation_waits",
    noun: "operation",
    says: "it is open ({word}), and nothing is in its way",
    advice: "a server goes on with it within seconds: start one; if one works, its log says why it can't (\"open operations could \
        not be gone on with\"): restart it, and report it with this line",
    sql: "SELECT op.id, op.kind AS word FROM operations AS op WHERE op.state = 'prepared' AND op.created_at < $1 \
        AND NOT EXISTS (SELECT 1 FROM daemon_commands AS command WHERE command.operation_id = op.id \
        AND (command.state IN ('queued', 'sent', 'acknowledged') OR command.updated_at >= $1)) \
        AND NOT EXISTS (SELECT 1 FROM runs AS run JOIN tasks AS task ON task.id = run.task_id \
        WHERE (task.id = op.task_id OR (op.task_id IS NULL AND task.contract_id = op.contract_id)) \
        AND (run.ended_at IS NULL OR run.ended_at >= $1)) LIMIT 101",
};

/// Looks for operations that nobody goes on with.
pub(super) async fn look(tx: &mut Tx, report: &mut Report) -> Result<(), StoreError> {
    let before = tx.now().await?.minus(PATIENCE);
    let rows = on!(tx, |c| sqlx::query_as(WAITS.sql).bind(At(before)).fetch_all(c).await);
    let rows: Vec<Broken> = all(rows.act("look for operations that wait")?);
    rows.iter().for_each(|row| report.add(WAITS.finding(row)));
    Ok(())
}

/// The statement that is no rule of [`RULES`].
pub(super) fn statements() -> impl Iterator<Item = Statement> {
    [Statement::Plain(WAITS.sql)].into_iter()
}
