//! What can go wrong with the database, sorted by who can do something about it.

use makima_model::branch::PositionError;
use std::path::PathBuf;

/// Why something could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no database.
    #[error("{url:?} is no database: write sqlite:<path> or postgres://<user>@<host>/<name>")]
    Url {
        /// What was given, without its password.
        url: String,
    },
    /// The folder or file of an SQLite database can't be made.
    #[error("could not make {path}")]
    File {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database has been opened by a newer Makima, which changed its tables.
    #[error(
        "the database is newer than this program (its tables are at version {version}): use the newer one"
    )]
    Newer {
        /// The newest version of the tables that is there.
        version: i64,
    },
    /// The database's tables are those of an older Makima, and it may not be changed.
    #[error(
        "the tables of the database are at version {version}, and this program knows {known}: start its server once, which \
         brings them there"
    )]
    Older {
        /// The newest version of the tables that is there.
        version: i64,
        /// The version that this program knows.
        known: i64,
    },
    /// There is no database where one is to be read.
    #[error("there is no database yet: the first start of a server makes it")]
    Empty,
    /// The tables could not be brought up to date.
    #[error("could not bring the tables of the database up to date")]
    Migrate {
        /// Why.
        source: sqlx::migrate::MigrateError,
    },
    /// The database is away, full, or busy: trying again later may work.
    #[error("could not {act}: the database is not available")]
    Unavailable {
        /// What was tried.
        act: &'static str,
        /// Why it failed.
        source: sqlx::Error,
    },
    /// The task has a live run already.
    #[error("the task has a live run")]
    LiveRun,
    /// An operation is open on the task or contract.
    #[error("an operation is open on the task or contract")]
    OperationOpen,
    /// The daemon's id belongs to another owner.
    #[error("the daemon belongs to another owner")]
    ForeignDaemon,
    /// A position that the conversation doesn't have.
    #[error("no such position in the conversation")]
    Position(#[from] PositionError),
    /// A row can't be read: it is damaged, or a newer program wrote it.
    #[error("could not {act}: a row can't be understood")]
    Damaged {
        /// What was tried.
        act: &'static str,
        /// Why it failed.
        source: sqlx::Error,
    },
    /// The database refused, which it should not have.
    #[error("could not {act}")]
    Refused {
        /// What was tried.
        act: &'static str,
        /// Why it failed.
        source: sqlx::Error,
    },
}

/// Says what was tried, in words that follow "could not".
pub(crate) trait Act<T> {
    /// The error as the store tells it.
    fn act(self, act: &'static str) -> Result<T, StoreError>;
}

impl<T> Act<T> for Result<T, sqlx::Error> {
    fn act(self, act: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| match &source {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => StoreError::Unavailable { act, source },
            sqlx::Error::Database(error) if error.code().is_some_and(|code| passes(&code)) => {
                StoreError::Unavailable { act, source }
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StoreError::Damaged { act, source },
            _ => StoreError::Refused { act, source },
        })
    }
}

/// Whether an engine's error code tells of something that passes by itself or by room and rights being given.
fn passes(code: &str) -> bool {
    if code.len() == 5 {
        // PostgreSQL's: connection lost, out of resources, stopped by its operator, deadlock and the like; read-only.
        return ["08", "53", "57", "58", "40"].iter().any(|class| code.starts_with(class)) || code == "25006";
    }
    // SQLite's, whose low byte is the primary one: busy, locked, read-only, I/O, full, can't open.
    code.parse::<i64>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 8 | 10 | 13 | 14))
}

/// Whether a unique index refused the row.
pub(crate) fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_does_not() {
        // SQLITE_BUSY, SQLITE_BUSY_SNAPSHOT, SQLITE_IOERR_WRITE, SQLITE_FULL; admin shutdown, deadlock, disk full.
        for code in ["5", "517", "778", "13", "57P01", "40P01", "53100", "08006"] {
            assert!(passes(code), "{code}");
        }
        // SQLITE_ERROR, SQLITE_CONSTRAINT_UNIQUE; unique violation, syntax error, invalid text.
        for code in ["1", "2067", "23505", "42601", "22021"] {
            assert!(!passes(code), "{code}");
        }
    }
}
