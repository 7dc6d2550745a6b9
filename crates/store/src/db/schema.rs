//! At which version a database's tables are, without changing anything.

use super::{POSTGRES_MIGRATIONS, SQLITE_MIGRATIONS, url::Address};
use crate::{StoreError, error::Act};
use sqlx::{ConnectOptions, Connection, migrate::Migrator, sqlite::SqliteConnectOptions};

/// The table in which sqlx keeps what it has done: absent where nobody has opened the database yet. Each engine has its own way to ask.
const SQLITE_HAS_TABLES: &str =
    "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations')";
const POSTGRES_HAS_TABLES: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
const NEWEST: &str = "SELECT MAX(version) FROM _sqlx_migrations";

/// The version of a database's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// What the database has; `None` where it is empty, or isn't there yet.
    pub found: Option<i64>,
    /// What this program brings it to.
    pub known: i64,
}

impl Schema {
    /// Looks at the database that `url` names. Neither makes nor changes anything.
    pub async fn look(url: &str) -> Result<Self, StoreError> {
        let (known, found) = match Address::parse(url)? {
            Address::Sqlite(path) if !path.exists() => (&SQLITE_MIGRATIONS, None),
            Address::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).read_only(true);
                let found = async {
                    let mut connection = options.disable_statement_logging().connect().await?;
                    let found = match sqlx::query_scalar(SQLITE_HAS_TABLES).fetch_one(&mut connection).await?
                    {
                        true => sqlx::query_scalar(NEWEST).fetch_one(&mut connection).await?,
                        false => None,
                    };
                    connection.close().await?;
                    Ok(found)
                };
                (&SQLITE_MIGRATIONS, found.await.act("look at the database")?)
            }
            Address::Postgres(options) => {
                let options = options.application_name("makima").disable_statement_logging();
                let found = async {
                    let mut connection = options.connect().await?;
                    let found =
                        match sqlx::query_scalar(POSTGRES_HAS_TABLES).fetch_one(&mut connection).await? {
                            true => sqlx::query_scalar(NEWEST).fetch_one(&mut connection).await?,
                            false => None,
                        };
                    connection.close().await?;
                    Ok(found)
                };
                (&POSTGRES_MIGRATIONS, found.await.act("look at the database")?)
            }
        };
        Ok(Self { found, known: newest(known) })
    }
}

fn newest(known: &Migrator) -> i64 {
    known.iter().map(|known| known.version).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Db;
    use makima_testkit::TestDatabase;

    async fn is_told_without_a_change(url: &str) {
        let before = Schema::look(url).await.unwrap();
        assert_eq!(before, Schema { found: None, known: before.known });
        assert_eq!(Schema::look(url).await.unwrap(), before, "looking has changed it");
        Db::open(url).await.unwrap().close().await;
        let after = Schema::look(url).await.unwrap();
        assert_eq!(after.found, Some(before.known));
    }

    #[tokio::test]
    async fn the_version_of_an_sqlite_database_is_told_without_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("makima.db");
        is_told_without_a_change(&format!("sqlite:{}", file.display())).await;
        let missing = folder.path().join("missing.db");
        Schema::look(&format!("sqlite:{}", missing.display())).await.unwrap();
        assert!(!missing.exists());
    }

    #[tokio::test]
    async fn the_version_of_a_postgres_database_is_told_without_a_change() {
        is_told_without_a_change(&TestDatabase::create().url()).await;
    }
}
