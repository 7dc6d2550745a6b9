//! Whether the file of an SQLite database is whole: its pages, and its indexes beside its tables. A PostgreSQL server sees to
//! its own files.

use super::Watch;
use crate::{Engine, StoreError, Tx, db::on, error::Act};
use makima_model::verify::{Finding, Progress, Report};

/// SQLite alone has it.
const INTEGRITY: &str = "PRAGMA integrity_check(100)";

/// Whether anything else can be asked.
pub(super) async fn is_whole(tx: &mut Tx, report: &mut Report, watch: Watch<'_>) -> Result<bool, StoreError> {
    if tx.engine() != Engine::Sqlite {
        return Ok(true);
    }
    watch(Progress { what: "the database's file", done: 0, of: 1 });
    let told: Result<Vec<String>, _> = on!(tx, |c| sqlx::query_scalar(INTEGRITY).fetch_all(c).await);
    let words = match told {
        Err(error) if is_damage(&error) => vec![error.to_string()],
        told => told.act("check the database's file")?,
    };
    let mut is_whole = true;
    for words in words.iter().filter(|words| *words != "ok") {
        is_whole = false;
        report.add(Finding {
            rule: "database_file".to_owned(),
            object: "the database".to_owned(),
            found: words.clone(),
            advice: "its file is damaged: stop the server, keep a copy, and take it from a backup, or what can be read of it \
                with `sqlite3 makima.db .recover`"
                .to_owned(),
        });
    }
    Ok(is_whole)
}

/// Whether the damage is such that it can't even be looked for: SQLite's "malformed" and "not a database".
fn is_damage(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<i64>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 11 | 26))
}
