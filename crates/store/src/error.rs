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
    #[error("could not {act}: {hindrance}")]
    Unavailable {
        /// What was tried.
        act: &'static str,
        /// What is in the way.
        hindrance: Hindrance,
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

/// What is in the way of a database, sorted by what somebody can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Hindrance {
    /// It can't be reached, or is busy.
    #[error("the database is not available")]
    Away,
    /// There is no room left where it lies.
    #[error("there is no room left on the disk of the database")]
    Full,
    /// It may only be read.
    #[error("the database can only be read, not written")]
    ReadOnly,
    /// Its disk fails, for a reason that it keeps to itself.
    #[error("the disk of the database fails")]
    Disk,
}

impl Hindrance {
    /// What an engine's error tells of that passes by itself, or by room and rights being given.
    pub(crate) fn of(error: &sqlx::Error) -> Option<Self> {
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => Some(Self::Away),
            sqlx::Error::Database(error) => error.code().and_then(|code| Self::of_code(&code)),
            _ => None,
        }
    }

    fn of_code(code: &str) -> Option<Self> {
        if code.len() == 5 {
            return match code {
                "53100" => Some(Self::Full),
                "25006" => Some(Self::ReadOnly),
                // Connection lost, out of other resources, stopped by its operator, deadlock and the like.
                _ if ["08", "53", "57", "40"].iter().any(|class| code.starts_with(class)) => Some(Self::Away),
                _ if code.starts_with("58") => Some(Self::Disk),
                _ => None,
            };
        }
        // SQLite's, whose low byte is the primary one.
        match code.parse::<i64>().ok()? & 0xff {
            // Busy, locked, can't be opened.
            5 | 6 | 14 => Some(Self::Away),
            8 => Some(Self::ReadOnly),
            // Also where a quota is reached, or the file system has become read-only under it.
            10 => Some(Self::Disk),
            13 => Some(Self::Full),
            _ => None,
        }
    }
}

/// Says what was tried, in words that follow "could not".
pub(crate) trait Act<T> {
    /// The error as the store tells it.
    fn act(self, act: &'static str) -> Result<T, StoreError>;
}

impl<T> Act<T> for Result<T, sqlx::Error> {
    fn act(self, act: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| match (Hindrance::of(&source), &source) {
            (Some(hindrance), _) => StoreError::Unavailable { act, hindrance, source },
            (None, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => {
                StoreError::Damaged { act, source }
            }
            (None, _) => StoreError::Refused { act, source },
        })
    }
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
        for (code, hindrance) in [
            // SQLITE_BUSY, SQLITE_BUSY_SNAPSHOT, SQLITE_READONLY_DBMOVED, SQLITE_IOERR_WRITE, SQLITE_FULL.
            ("5", Hindrance::Away),
            ("517", Hindrance::Away),
            ("1032", Hindrance::ReadOnly),
            ("778", Hindrance::Disk),
            ("13", Hindrance::Full),
            // Admin shutdown, deadlock, connection lost, too many connections; disk full, read-only, I/O error.
            ("57P01", Hindrance::Away),
            ("40P01", Hindrance::Away),
            ("08006", Hindrance::Away),
            ("53300", Hindrance::Away),
            ("53100", Hindrance::Full),
            ("25006", Hindrance::ReadOnly),
            ("58030", Hindrance::Disk),
        ] {
            assert_eq!(Hindrance::of_code(code), Some(hindrance), "{code}");
        }
        // SQLITE_ERROR, SQLITE_CONSTRAINT_UNIQUE; unique violation, syntax error, invalid text.
        for code in ["1", "2067", "23505", "42601", "22021"] {
            assert_eq!(Hindrance::of_code(code), None, "{code}");
        }
    }
}
