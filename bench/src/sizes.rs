//! How many bytes each table and index takes, after everything is written and the database is closed, without any `VACUUM`.

use crate::lab::Place;
use anyhow::Result;
use sqlx::{Connection, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::collections::BTreeMap;

/// Bytes by table, and in it by the table itself and its indexes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sizes(pub(crate) BTreeMap<String, BTreeMap<String, u64>>);

/// Whole pages, whatever is free in them.
const SQLITE: &str = "SELECT s.tbl_name, d.name, SUM(d.pgsize) FROM dbstat AS d JOIN sqlite_schema AS s ON s.name = d.name \
    GROUP BY s.tbl_name, d.name";
const POSTGRES: &str = "SELECT t.relname::text, t.relname::text, pg_table_size(t.oid) FROM pg_class AS t \
    WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace \
    UNION ALL SELECT t.relname::text, i.relname::text, pg_relation_size(i.oid) FROM pg_index AS x \
    JOIN pg_class AS t ON t.oid = x.indrelid JOIN pg_class AS i ON i.oid = x.indexrelid \
    WHERE t.relnamespace = 'public'::regnamespace";

impl Sizes {
    pub(crate) async fn of(place: &Place) -> Result<Self> {
        let url = place.url();
        let rows: Vec<(String, String, i64)> = if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::new().filename(place.file());
            let mut connection = SqliteConnection::connect_with(&options).await?;
            let rows = sqlx::query_as(SQLITE).fetch_all(&mut connection).await?;
            connection.close().await?;
            rows
        } else {
            let mut connection = PgConnection::connect(&url).await?;
            let rows = sqlx::query_as(POSTGRES).fetch_all(&mut connection).await?;
            connection.close().await?;
            rows
        };
        let mut sizes = Self::default();
        for (table, object, bytes) in rows {
            sizes.0.entry(table).or_default().insert(object, u64::try_from(bytes)?);
        }
        Ok(sizes)
    }

    /// What came since an earlier moment.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let mut grown = self.clone();
        for (table, objects) in &mut grown.0 {
            for (object, bytes) in objects {
                let before = earlier.0.get(table).and_then(|objects| objects.get(object)).copied();
                *bytes = bytes.saturating_sub(before.unwrap_or(0));
            }
        }
        grown
    }

    /// Of all tables but those of the search.
    pub(crate) fn total(&self) -> u64 {
        let tables = self.0.iter().filter(|(table, _)| !is_of_search(table));
        tables.flat_map(|(_, objects)| objects.values()).sum()
    }

    /// Of those of the search.
    pub(crate) fn of_search(&self) -> u64 {
        let tables = self.0.iter().filter(|(table, _)| is_of_search(table));
        tables.flat_map(|(_, objects)| objects.values()).sum()
    }

    /// The largest first, as shares of `whole`, down to a thousandth.
    pub(crate) fn shares(&self, whole: u64) -> Vec<(String, String, f64)> {
        let mut shares: Vec<(String, String, f64)> = Vec::new();
        for (table, objects) in self.0.iter().filter(|(table, _)| !is_of_search(table)) {
            shares.extend(
                objects
                    .iter()
                    .map(|(object, bytes)| (table.clone(), object.clone(), *bytes as f64 / whole as f64)),
            );
        }
        shares.retain(|(.., share)| *share >= 0.001);
        shares.sort_by(|one, other| other.2.total_cmp(&one.2));
        shares
    }
}

/// Search has a bar of its own.
fn is_of_search(table: &str) -> bool {
    table.contains("search")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(objects: &[(&str, &str, u64)]) -> Sizes {
        let mut sizes = Sizes::default();
        for (table, object, bytes) in objects {
            sizes.0.entry((*table).into()).or_default().insert((*object).into(), *bytes);
        }
        sizes
    }

    #[test]
    fn what_was_there_before_and_what_is_of_the_search_do_not_count() {
        let before = sizes(&[("a", "a", 100), ("search_a", "search_a", 5)]);
        let after = sizes(&[("a", "a", 300), ("a", "a_index", 50), ("search_a", "search_a", 500)]);
        let grown = after.since(&before);
        assert_eq!(grown.total(), 250);
        assert_eq!(grown.shares(1000), [("a".into(), "a".into(), 0.2), ("a".into(), "a_index".into(), 0.05)]);
    }
}
