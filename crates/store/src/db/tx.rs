//! A transaction, on either engine.

use super::{Engine, Wake, health::Health, in_a_task, wake::Wakes};
use crate::{StoreError, columns::Of, error::Act, outbox::Outbox};
use makima_model::Timestamp;
use sqlx::{Postgres, Sqlite, Transaction, postgres::PgQueryResult, sqlite::SqliteQueryResult};
use std::sync::Arc;

/// The engine's own transaction.
#[derive(Debug)]
pub(crate) enum Link {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// A transaction. Dropped, it is undone, as far as it wrote anything.
///
/// Events, task events and messages get their numbers when it is committed, last of all, and are written then: see
/// [`events`](crate::events). Until then they are not there for its own reads either.
#[must_use = "a transaction that isn't committed is undone"]
#[derive(Debug)]
pub struct Tx {
    pub(crate) link: Link,
    pub(crate) outbox: Outbox,
    wakes: Arc<Wakes>,
    /// Of one that writes: where it is noted what came of that.
    health: Option<Arc<Health>>,
}

/// Runs one body on whichever engine the transaction is on: `on!(tx, |c| sqlx::query(TEXT).execute(c).await)`.
macro_rules! on {
    ($tx:expr, |$connection:ident| $body:expr) => {{
        let result = match &mut $tx.link {
            $crate::db::Link::Sqlite(transaction) => {
                let $connection = &mut **transaction;
                $body
            }
            $crate::db::Link::Postgres(transaction) => {
                let $connection = &mut **transaction;
                $body
            }
        };
        $tx.noted(result)
    }};
}
pub(crate) use on;

/// How many rows a statement wrote, as either engine tells it.
pub(crate) trait Written {
    fn rows(&self) -> u64;
}

impl Written for SqliteQueryResult {
    fn rows(&self) -> u64 {
        self.rows_affected()
    }
}

impl Written for PgQueryResult {
    fn rows(&self) -> u64 {
        self.rows_affected()
    }
}

/// For the end of a body that writes: `.execute(c).await.map(affected)`.
pub(crate) fn affected(written: impl Written) -> u64 {
    written.rows()
}

// The two engines have no word for the time in common. Not `now()` on PostgreSQL: it stands still in a transaction.
const SQLITE_NOW: &str = "SELECT strftime('%Y-%m-%dT%H:%M:%f000Z', 'now') AS now";
const POSTGRES_NOW: &str = "SELECT clock_timestamp() AS now";

impl Tx {
    pub(super) fn new(link: Link, wakes: Arc<Wakes>, health: Option<Arc<Health>>) -> Self {
        Self { link, outbox: Outbox::default(), wakes, health }
    }

    /// Notes what is in the way of writing, if that is why something failed.
    pub(crate) fn noted<T>(&self, result: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        if let (Some(health), Err(error)) = (&self.health, &result) {
            health.failed(error);
        }
        result
    }

    /// Which engine it is on.
    pub(crate) fn engine(&self) -> Engine {
        match self.link {
            Link::Sqlite(_) => Engine::Sqlite,
            Link::Postgres(_) => Engine::Postgres,
        }
    }

    /// Tells all who listen, on all replicas, once this is committed.
    pub fn wake(&mut self, wake: Wake) {
        self.outbox.wake(wake);
    }

    /// The time by the database's clock.
    pub async fn now(&mut self) -> Result<Timestamp, StoreError> {
        let text = match self.engine() {
            Engine::Sqlite => SQLITE_NOW,
            Engine::Postgres => POSTGRES_NOW,
        };
        let Of(now): Of<Timestamp> =
            on!(self, |c| sqlx::query_as(text).fetch_one(c).await).act("ask the database for the time")?;
        Ok(now)
    }

    /// Gives events and messages their numbers and makes everything durable. Once begun it goes on even if nobody waits for
    /// it any more, so that what is committed is always told.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        let wakes = self.write_outbox().await?;
        let Self { link, wakes: listeners, health, .. } = self;
        let committed = in_a_task(async move {
            match link {
                Link::Sqlite(transaction) => {
                    transaction.commit().await?;
                    listeners.tell(wakes);
                }
                Link::Postgres(mut transaction) => {
                    for wake in wakes {
                        sqlx::query(NOTIFY).bind(wake.told()).execute(&mut *transaction).await?;
                    }
                    transaction.commit().await?;
                }
            }
            Ok(())
        })
        .await;
        if let (Some(health), Err(error)) = (&health, &committed) {
            health.failed(error);
        }
        committed.act("commit a transaction")
    }
}

// Writes that change nothing. SQLite leaves a row alone that is overwritten with itself, but not its own header; PostgreSQL
// writes any row anew. The table is the one that migrations are noted in.
const SQLITE_TRY: &str = "PRAGMA user_version = 0";
const POSTGRES_TRY: &str = "UPDATE _sqlx_migrations SET success = success WHERE version = 1";

impl Tx {
    /// Writes something that changes nothing.
    pub(super) async fn try_to_write(&mut self) -> Result<(), StoreError> {
        let text = match self.engine() {
            Engine::Sqlite => SQLITE_TRY,
            Engine::Postgres => POSTGRES_TRY,
        };
        on!(self, |c| sqlx::query(text).execute(c).await.map(affected)).act("write to the database")?;
        Ok(())
    }
}

/// PostgreSQL alone has it; delivered when the transaction is committed.
const NOTIFY: &str = "SELECT pg_notify('makima', $1)";

impl crate::columns::Entity for Timestamp {
    fn read(cells: &impl crate::columns::Cells) -> Result<Self, sqlx::Error> {
        cells.at("now")
    }
}
