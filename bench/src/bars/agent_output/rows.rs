//! The rows that a server wrote, read out, and inserted again without a server.

use anyhow::{Result, ensure};
use sqlx::{
    AssertSqlSafe, Column, Connection, Row as _, SqliteConnection, TypeInfo, ValueRef,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous},
};
use std::{collections::BTreeMap, path::Path, time::Instant};

/// How many rows go into a transaction.
const BATCH: usize = 100;

/// A value of a row.
#[derive(Debug, Clone)]
enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

/// The new rows of one table.
#[derive(Debug)]
struct Table {
    name: String,
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// The new rows of all tables.
#[derive(Debug)]
pub(super) struct Rows(Vec<Table>);

/// The last row of each table.
type Marks = BTreeMap<String, i64>;

impl Rows {
    /// Where each table of the database ends.
    pub(super) async fn marks(file: &Path) -> Result<Marks> {
        let mut connection = open(file).await?;
        let mut marks = Marks::new();
        for table in tables(&mut connection).await? {
            let last = format!("SELECT COALESCE(MAX(rowid), 0) FROM {table}");
            let last = sqlx::query_scalar(AssertSqlSafe(last)).fetch_one(&mut connection).await?;
            marks.insert(table, last);
        }
        connection.close().await?;
        Ok(marks)
    }

    /// The rows behind these marks.
    pub(super) async fn read(file: &Path, marks: &Marks) -> Result<Self> {
        let mut connection = open(file).await?;
        let mut found = Vec::new();
        for (name, mark) in marks {
            let text = format!("SELECT * FROM {name} WHERE rowid > $1 ORDER BY rowid");
            let rows = sqlx::query(AssertSqlSafe(text)).bind(mark).fetch_all(&mut connection).await?;
            let Some(first) = rows.first() else { continue };
            let columns = first.columns().iter().map(|column| column.name().to_owned()).collect();
            let rows = rows.iter().map(cells).collect::<Result<_>>()?;
            found.push(Table { name: name.clone(), columns, rows });
        }
        connection.close().await?;
        Ok(Self(found))
    }

    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|table| table.rows.len()).sum()
    }

    /// Inserts them into a database that has what they refer to, with the settings that the server's has, and answers how
    /// many seconds it took. Each transaction has of each table the same share.
    pub(super) async fn insert(&self, file: &Path) -> Result<f64> {
        let mut connection = open(file).await?;
        let batches = self.count().div_ceil(BATCH);
        let start = Instant::now();
        for batch in 0..batches {
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            for table in &self.0 {
                let share = |batch: usize| batch * table.rows.len() / batches;
                let rows = &table.rows[share(batch)..share(batch + 1)];
                if rows.is_empty() {
                    continue;
                }
                let mut insert = sqlx::query(AssertSqlSafe(table.statement(rows.len())));
                for cell in rows.iter().flatten() {
                    insert = match cell {
                        Cell::Null => insert.bind(None::<i64>),
                        Cell::Integer(value) => insert.bind(value),
                        Cell::Real(value) => insert.bind(value),
                        Cell::Text(value) => insert.bind(value.as_str()),
                        Cell::Blob(value) => insert.bind(value.as_slice()),
                    };
                }
                insert.execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
        }
        let seconds = start.elapsed().as_secs_f64();
        connection.close().await?;
        Ok(seconds)
    }
}

impl Table {
    fn statement(&self, rows: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns.len()].join(", "));
        format!(
            "INSERT INTO {} ({}) VALUES {}",
            self.name,
            self.columns.join(", "),
            vec![row; rows].join(", ")
        )
    }
}

fn cells(row: &SqliteRow) -> Result<Vec<Cell>> {
    (0..row.len())
        .map(|place| {
            let raw = row.try_get_raw(place)?;
            Ok(match raw.type_info().name() {
                _ if raw.is_null() => Cell::Null,
                "INTEGER" => Cell::Integer(row.try_get(place)?),
                "REAL" => Cell::Real(row.try_get(place)?),
                "TEXT" => Cell::Text(row.try_get(place)?),
                _ => Cell::Blob(row.try_get(place)?),
            })
        })
        .collect()
}

/// As the store opens it to write.
async fn open(file: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(true)
        .statement_cache_capacity(256)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    Ok(SqliteConnection::connect_with(&options).await?)
}

/// But those of the search, which is made behind all others, and not by whoever writes them.
async fn tables(connection: &mut SqliteConnection) -> Result<Vec<String>> {
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
        AND name NOT LIKE 'search_%' ORDER BY name";
    Ok(sqlx::query_scalar(names).fetch_all(connection).await?)
}

/// Copies a database that is in use.
pub(super) async fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut connection = open(from).await?;
    sqlx::query("VACUUM INTO $1").bind(to.to_string_lossy()).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

/// Fails unless both have the same number of rows in each table.
pub(super) async fn ensure_alike(one: &Path, other: &Path) -> Result<()> {
    let (one, other) = (counts(one).await?, counts(other).await?);
    for (table, count) in one.iter().filter(|(table, _)| *table != "counters") {
        let bare = other.get(table).copied().unwrap_or(0);
        ensure!(bare == *count, "{table} has {count} rows behind the server and {bare} without it");
    }
    Ok(())
}

async fn counts(file: &Path) -> Result<BTreeMap<String, i64>> {
    let mut connection = open(file).await?;
    let mut counts = BTreeMap::new();
    for table in tables(&mut connection).await? {
        let count = format!("SELECT COUNT(*) FROM {table}");
        let count = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut connection).await?;
        counts.insert(table, count);
    }
    connection.close().await?;
    Ok(counts)
}
