//! The database, whichever it is. This file and those below it alone know that there are two engines.
//!
//! SQLite: one connection writes, and every transaction on it begins as `IMMEDIATE`, so that none fails half-way for
//! want of the lock; others read beside it from the write-ahead log. `synchronous = FULL`: with the log, `NORMAL` would
//! survive a killed process but not a machine that loses power, and what has been acknowledged must survive both. It costs
//! one `fsync` a commit, which grouped ingest makes small.
//!
//! PostgreSQL: reads are one snapshot each (`REPEATABLE READ`), as they are on SQLite.

mod health;
mod schema;
mod tx;
mod url;
mod wake;

pub use schema::Schema;
pub use tx::Tx;
pub(crate) use tx::{Link, affected, on};
pub use wake::Wake;

use crate::{
    StoreError,
    error::{Act, Hindrance},
};
use health::Health;
use makima_model::Timestamp;
use sqlx::{
    ConnectOptions, Connection, PgPool, SqliteConnection, SqlitePool,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::sync::broadcast;
use url::Address;
use wake::Wakes;

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How long a transaction waits for a connection, and on SQLite for another process's lock.
const PATIENCE: Duration = Duration::from_secs(15);
/// SQLite: connections that read.
const READERS: u32 = 4;
/// SQLite: how many rows a statement may be ahead of who reads them. Where it is too few, each row costs two changes of thread.
const ROWS_AHEAD: usize = 512;
/// PostgreSQL: connections.
const CONNECTIONS: u32 = 16;
/// Prepared statements that each connection keeps: more than there are, inserts of each size included.
const STATEMENTS: usize = 256;

/// Which engine a database is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

#[derive(Debug)]
enum Pools {
    Sqlite { write: SqlitePool, read: SqlitePool },
    Postgres(PgPool),
}

/// A database. Clones share it.
#[derive(Debug, Clone)]
pub struct Db {
    pools: Arc<Pools>,
    wakes: Arc<Wakes>,
    health: Arc<Health>,
}

impl Db {
    /// Opens the database that `url` names (`sqlite:<path>`, which is made with its folder if it isn't there, or
    /// `postgres://…`) and brings its tables up to date.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        match Address::parse(url)? {
            Address::Sqlite(path) => Self::open_file(&path).await,
            Address::Postgres(options) => Self::open_server(*options).await,
        }
    }

    /// Opens the database that `url` names to look at it: it is neither made nor changed, and nothing that is begun on it can
    /// write. Works beside a server. Its tables have to be those that this program knows.
    pub async fn open_to_read(url: &str) -> Result<Self, StoreError> {
        match Schema::look(url).await? {
            Schema { found: None, .. } => return Err(StoreError::Empty),
            Schema { found: Some(version), known } if version > known => {
                return Err(StoreError::Newer { version });
            }
            Schema { found: Some(version), known } if version < known => {
                return Err(StoreError::Older { version, known });
            }
            Schema { .. } => {}
        }
        let pools = match Address::parse(url)? {
            Address::Sqlite(path) => {
                let pool = || SqlitePoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
                let options = file_options(&path).read_only(true);
                let read = pool().connect_with(options.clone()).await.act("open the database for reading")?;
                Pools::Sqlite { write: pool().connect_lazy_with(options), read }
            }
            Address::Postgres(options) => {
                let options = server_options(*options).options([("default_transaction_read_only", "on")]);
                let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(PATIENCE);
                Pools::Postgres(pool.connect_with(options).await.act("connect to the database")?)
            }
        };
        Ok(Self::over(pools, Wakes::in_process()))
    }

    async fn open_file(path: &Path) -> Result<Self, StoreError> {
        url::make_file(path).await?;
        let options = file_options(path);
        let writing =
            options.clone().journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .after_release(|connection, _| Box::pin(is_reusable(connection)))
            .connect_with(writing)
            .await
            .act("open the database")?;
        migrate(&SQLITE_MIGRATIONS, SQLITE_MIGRATIONS.run(&write).await)?;
        // After the tables: a connection that only reads can't make the file what it must be.
        let read = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .after_release(|connection, _| Box::pin(is_reusable(connection)))
            .connect_with(options.read_only(true))
            .await
            .act("open the database for reading")?;
        Ok(Self::over(Pools::Sqlite { write, read }, Wakes::in_process()))
    }

    async fn open_server(options: PgConnectOptions) -> Result<Self, StoreError> {
        let options = server_options(options);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await
            .act("connect to the database")?;
        migrate(&POSTGRES_MIGRATIONS, POSTGRES_MIGRATIONS.run(&pool).await)?;
        let wakes = Wakes::of_server(&pool).await.act("listen to the database")?;
        Ok(Self::over(Pools::Postgres(pool), wakes))
    }

    fn over(pools: Pools, wakes: Wakes) -> Self {
        Self { pools: Arc::new(pools), wakes: Arc::new(wakes), health: Arc::default() }
    }

    /// Which engine it is on.
    pub fn engine(&self) -> Engine {
        match *self.pools {
            Pools::Sqlite { .. } => Engine::Sqlite,
            Pools::Postgres(_) => Engine::Postgres,
        }
    }

    /// Begins a transaction that writes. On SQLite there is one at a time. What is not [committed](Tx::commit) is undone.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let pools = self.pools.clone();
        let link = in_a_task(async move {
            Ok(match &*pools {
                Pools::Sqlite { write, .. } => Link::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?),
                Pools::Postgres(pool) => Link::Postgres(pool.begin().await?),
            })
        });
        let link = link.await.inspect_err(|error| self.health.failed(error)).act("begin a transaction")?;
        Ok(Tx::new(link, self.wakes.clone(), Some(self.health.clone())))
    }

    /// Begins a transaction that only reads, and sees one state of the database to its end.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        let pools = self.pools.clone();
        let link = in_a_task(async move {
            Ok(match &*pools {
                Pools::Sqlite { read, .. } => Link::Sqlite(read.begin().await?),
                Pools::Postgres(pool) => {
                    Link::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
                }
            })
        });
        Ok(Tx::new(link.await.act("begin to read")?, self.wakes.clone(), None))
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.now().await.map(drop)
    }

    /// Whether the database can be worked with: it answers, and where the last write found no room or no rights, another
    /// one does.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.ping().await?;
        if self.health.is_hindered() {
            let mut tx = self.begin().await?;
            tx.try_to_write().await?;
            tx.commit().await?;
            self.health.written();
        }
        Ok(())
    }

    /// The time by the database's clock.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        self.read().await?.now().await
    }

    /// What [`Tx::wake`] and the functions that change things tell, from now on. A receiver that falls behind, like one
    /// that gets [`Wake::Lagged`], has missed some and must look at the tables.
    pub fn wakeups(&self) -> broadcast::Receiver<Wake> {
        self.wakes.subscribe()
    }

    /// Closes all connections, once nothing uses them.
    pub async fn close(&self) {
        self.wakes.stop();
        match &*self.pools {
            Pools::Sqlite { write, read } => {
                // The one that may write goes last: it takes the log into the file.
                read.close().await;
                write.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

fn file_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(PATIENCE)
        .foreign_keys(true)
        .row_buffer_size(ROWS_AHEAD)
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging()
}

fn server_options(options: PgConnectOptions) -> PgConnectOptions {
    options
        .application_name("makima")
        .statement_cache_capacity(STATEMENTS)
        // No transaction waits for anything outside the database: one that idles this long is a leak.
        .options([("idle_in_transaction_session_timeout", "60s")])
        .disable_statement_logging()
}

/// Lets `work` run to its end even if nobody waits for it any more. sqlx's `begin` must not be dropped half-way: it leaves
/// the connection inside a transaction that nobody ends.
async fn in_a_task<T: Send + 'static>(
    work: impl Future<Output = Result<T, sqlx::Error>> + Send + 'static,
) -> Result<T, sqlx::Error> {
    match tokio::spawn(work).await {
        Ok(result) => result,
        Err(_) => Err(sqlx::Error::WorkerCrashed),
    }
}

/// Whether a connection is of use when its transaction is over. SQLite undoes a transaction by itself whose write found no
/// room or whose disk failed; sqlx then tries to undo it once more, fails, and counts the connection as inside a transaction
/// from then on: none would begin on it any more.
async fn is_reusable(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // It answers once what was asked of it before is done, the undoing among it.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

fn migrate(known: &Migrator, result: Result<(), MigrateError>) -> Result<(), StoreError> {
    match result {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(version)) if known.iter().all(|known| known.version < version) => {
            Err(StoreError::Newer { version })
        }
        Err(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _))
            if Hindrance::of(&source).is_some() =>
        {
            Err(source).act("bring the tables of the database up to date")
        }
        Err(source) => Err(StoreError::Migrate { source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use makima_testkit::TestDatabase;

    async fn setting(db: &Db, text: &'static str) -> String {
        let mut tx = db.begin().await.unwrap();
        on!(tx, |c| sqlx::query_scalar(text).fetch_one(c).await).unwrap()
    }

    #[tokio::test]
    async fn an_sqlite_database_survives_a_machine_that_loses_power() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&format!("sqlite:{}/makima.db", folder.path().display())).await.unwrap();
        for (name, value) in [
            ("SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous", "2"),
            ("SELECT journal_mode FROM pragma_journal_mode", "wal"),
            ("SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys", "1"),
        ] {
            assert_eq!(setting(&db, name).await, value, "{name}");
        }
    }

    #[tokio::test]
    async fn postgres_ends_a_transaction_that_idles() {
        let database = TestDatabase::create();
        let db = Db::open(&database.url()).await.unwrap();
        let limit = setting(&db, "SELECT current_setting('idle_in_transaction_session_timeout')").await;
        assert_eq!(limit, "1min");
    }
}
