//! A connection that speaks bare SQL to a database: what baselines read by.

use crate::lab::{Engine, Place};
use anyhow::Result;
use sqlx::{Connection, PgConnection, SqliteConnection, types::Uuid};
use std::hint::black_box;

pub(crate) enum Sql {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Sql {
    /// Connects. On PostgreSQL it has the tables analysed, as the server's own housekeeping would have done by itself in a while.
    pub(crate) async fn to(place: &Place, engine: Engine) -> Result<Self> {
        let url = place.url();
        Ok(match engine {
            Engine::Sqlite => Self::Sqlite(SqliteConnection::connect(&url).await?),
            Engine::Postgres => {
                let mut connection = PgConnection::connect(&url).await?;
                sqlx::query("ANALYZE").execute(&mut connection).await?;
                Self::Postgres(connection)
            }
        })
    }

    /// Reads what a statement with these ids answers, and tells how many rows there were.
    pub(crate) async fn read(&mut self, statement: &'static str, ids: [Uuid; 2]) -> Result<usize> {
        Ok(match self {
            Self::Sqlite(connection) => {
                black_box(sqlx::query(statement).bind(ids[0]).bind(ids[1]).fetch_all(connection).await?).len()
            }
            Self::Postgres(connection) => {
                black_box(sqlx::query(statement).bind(ids[0]).bind(ids[1]).fetch_all(connection).await?).len()
            }
        })
    }

    pub(crate) async fn close(self) -> Result<()> {
        match self {
            Self::Sqlite(connection) => connection.close().await?,
            Self::Postgres(connection) => connection.close().await?,
        }
        Ok(())
    }
}
