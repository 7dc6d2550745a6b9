//! The tables and statements themselves.

use crate::lab::Lab;
use makima_store::{Db, Engine, StoreError};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqlSafeStr, SqliteConnection};
use std::collections::BTreeMap;

/// Tables, their columns in order, and each column's type and whether it may be empty.
type Schema = BTreeMap<String, Vec<(String, &'static str, bool)>>;

async fn sqlite(lab: &Lab) -> SqliteConnection {
    SqliteConnection::connect(&lab.url()).await.unwrap()
}

async fn postgres(lab: &Lab) -> PgConnection {
    PgConnection::connect(&lab.url()).await.unwrap()
}

async fn schema_of_sqlite() -> Schema {
    let lab = Lab::on_sqlite().await;
    let rows: Vec<(String, String, String, bool)> = sqlx::query_as(
        "SELECT tables.name, columns.name, columns.type, columns.\"notnull\" OR columns.pk > 0 \
         FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns \
         WHERE tables.type = 'table' AND tables.name NOT LIKE '\\_sqlx%' ESCAPE '\\' \
         AND tables.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND tables.name NOT LIKE 'search\\_words%' ESCAPE '\\' \
         ORDER BY tables.name, columns.cid",
    )
    .fetch_all(&mut sqlite(&lab).await)
    .await
    .unwrap();
    let mut schema = Schema::new();
    for (table, column, kind, full) in rows {
        let kind = match kind.as_str() {
            "BLOB" => "bytes",
            "TEXT" => "text",
            "INTEGER" => "integer",
            "REAL" => "real",
            kind => panic!("{table}.{column} is a {kind}"),
        };
        schema.entry(table).or_default().push((column, kind, full));
    }
    schema
}

async fn schema_of_postgres() -> Schema {
    let lab = Lab::on_postgres().await;
    let rows: Vec<(String, String, String, bool)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text, data_type::text, is_nullable = 'NO' \
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%' \
         AND table_name <> 'search_words' ORDER BY table_name, ordinal_position",
    )
    .fetch_all(&mut postgres(&lab).await)
    .await
    .unwrap();
    let mut schema = Schema::new();
    for (table, column, kind, full) in rows {
        // What each of PostgreSQL's types is on SQLite.
        let kind = match kind.as_str() {
            "bytea" | "uuid" => "bytes",
            "text" | "jsonb" | "timestamp with time zone" => "text",
            "bigint" | "boolean" => "integer",
            "double precision" => "real",
            kind => panic!("{table}.{column} is a {kind}"),
        };
        schema.entry(table).or_default().push((column, kind, full));
    }
    schema
}

/// But for what either keeps words in to search them: that is its own.
#[tokio::test]
async fn both_engines_have_the_same_tables_and_columns() {
    let (sqlite, postgres) = (schema_of_sqlite().await, schema_of_postgres().await);
    assert!(!sqlite.is_empty());
    assert_eq!(sqlite.keys().collect::<Vec<_>>(), postgres.keys().collect::<Vec<_>>());
    for (table, columns) in &sqlite {
        assert_eq!(columns, &postgres[table], "{table}");
    }
}

#[tokio::test]
async fn both_engines_have_the_same_indexes() {
    let lab = Lab::on_sqlite().await;
    let of_sqlite: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'index' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )
    .fetch_all(&mut sqlite(&lab).await)
    .await
    .unwrap();
    let lab = Lab::on_postgres().await;
    let of_postgres: Vec<String> = sqlx::query_scalar(
        "SELECT indexname::text FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%\\_pkey' \
         AND indexname NOT LIKE '%\\_key' AND tablename <> 'search_words' ORDER BY indexname COLLATE \"C\"",
    )
    .fetch_all(&mut postgres(&lab).await)
    .await
    .unwrap();
    assert_eq!(of_sqlite, of_postgres);
}

#[tokio::test]
async fn every_statement_is_prepared_by_sqlite() {
    let lab = Lab::on_sqlite().await;
    let mut connection = sqlite(&lab).await;
    for statement in makima_store::statements(Engine::Sqlite) {
        let prepared = (&mut connection).prepare(AssertSqlSafe(statement.clone()).into_sql_str()).await;
        prepared.unwrap_or_else(|error| panic!("{statement}\n{error}"));
    }
}

#[tokio::test]
async fn every_statement_is_prepared_by_postgres() {
    let lab = Lab::on_postgres().await;
    let mut connection = postgres(&lab).await;
    for statement in makima_store::statements(Engine::Postgres) {
        let prepared = (&mut connection).prepare(AssertSqlSafe(statement.clone()).into_sql_str()).await;
        prepared.unwrap_or_else(|error| panic!("{statement}\n{error}"));
    }
}

/// A statement outside the registry would be prepared by no test.
#[test]
fn no_statement_is_written_outside_the_registry() {
    let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let source = source.split("#[cfg(test)]").next().unwrap();
            for call in ["query(\"", "query_as(\"", "query_scalar(\"", "raw_sql("] {
                assert!(!source.contains(call), "{} has SQL outside `statements!`", path.display());
            }
        }
    }
}

on_both_engines! {
    async fn a_database_is_opened_again_with_what_it_has(lab: Lab) {
        let owner = lab.owner().await;
        let again = lab.replica().await;
        let mut tx = again.read().await.unwrap();
        assert_eq!(makima_store::users::first(&mut tx).await.unwrap().map(|user| user.id), Some(owner));
    }

    async fn a_database_of_a_newer_program_is_refused_as_such(lab: Lab) {
        const NEWER: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
            VALUES (99990101000000, 'of the future', TRUE, $1, 0)";
        let checksum = vec![0u8; 48];
        match lab.db.engine() {
            Engine::Sqlite => {
                sqlx::query(NEWER).bind(checksum).execute(&mut sqlite(&lab).await).await.map(drop).unwrap();
            }
            Engine::Postgres => {
                sqlx::query(NEWER).bind(checksum).execute(&mut postgres(&lab).await).await.map(drop).unwrap();
            }
        }
        let error = lab.try_replica().await.map(drop).unwrap_err();
        assert!(matches!(error, StoreError::Newer { version: 99990101000000 }), "{error:?}");
    }

    async fn the_database_answers_and_tells_the_time(lab: Lab) {
        lab.db.ping().await.unwrap();
        let (before, told, after) = (lab.now(), lab.db.now().await.unwrap(), lab.now());
        // SQLite's clock has milliseconds.
        let slack = std::time::Duration::from_millis(2);
        assert!(before.minus(slack) <= told && told <= after.plus(slack), "{before} {told} {after}");
    }

    async fn what_is_not_committed_is_undone(lab: Lab) {
        let owner = lab.owner().await;
        let contract = lab.new_contract(owner);
        let mut tx = lab.begin().await;
        makima_store::contracts::insert(&mut tx, &contract).await.unwrap();
        drop(tx);
        let mut tx = lab.read().await;
        assert_eq!(makima_store::contracts::get(&mut tx, owner, contract.id).await.unwrap(), None);
    }

    async fn a_transaction_that_reads_can_not_write(lab: Lab) {
        let owner = lab.owner().await;
        let mut tx = lab.read().await;
        assert!(makima_store::contracts::insert(&mut tx, &lab.new_contract(owner)).await.is_err());
    }

    async fn a_transaction_that_reads_sees_one_state(lab: Lab) {
        let mut tx = lab.read().await;
        assert_eq!(makima_store::users::list(&mut tx).await.unwrap(), []);
        lab.owner().await;
        assert_eq!(makima_store::users::list(&mut tx).await.unwrap(), []);
    }

    async fn a_closed_database_is_not_available(lab: Lab) {
        lab.db.close().await;
        let error = lab.db.ping().await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn an_sqlite_database_is_for_its_owners_eyes_only_and_has_a_log() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a b/50%?.db");
    let db = Db::open(&format!("sqlite:{}", path.display())).await.unwrap();
    for file in ["50%?.db", "50%?.db-wal"] {
        let mode = path.with_file_name(file).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    db.close().await;
    assert!(!path.with_file_name("50%?.db-wal").exists(), "the log is taken into the file");
}

#[tokio::test]
async fn a_place_where_nothing_can_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Db::open(&format!("sqlite:{}/makima.db", file.display())).await.map(drop).unwrap_err();
    assert!(matches!(&error, StoreError::File { path, .. } if *path == file), "{error:?}");
}
