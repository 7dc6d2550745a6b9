//! How SQLite finds what the statements ask for. It has no counts of its own to plan with: what a statement costs must not
//! depend on which database it is asked of, so each has the plan that is good for a large one.

use crate::lab::Lab;
use makima_store::Engine;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use std::collections::BTreeSet;

async fn connect(lab: &Lab) -> SqliteConnection {
    SqliteConnection::connect(&lab.url()).await.unwrap()
}

/// What the plans here are is what they are whatever is bound: `.cargo/config.toml` says so.
#[tokio::test]
async fn sqlite_plans_a_statement_once() {
    let lab = Lab::on_sqlite().await;
    let options: Vec<String> =
        sqlx::query_scalar("PRAGMA compile_options").fetch_all(&mut connect(&lab).await).await.unwrap();
    assert!(options.iter().any(|option| option == "ENABLE_QPSG"), "{options:?}");
}

/// The steps that a statement takes.
pub(crate) async fn plan(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let explained = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(explained).fetch_all(connection).await.unwrap();
    steps.into_iter().map(|(.., step)| step).collect()
}

/// All but those of the checker of invariants: it reads everything.
fn statements() -> impl Iterator<Item = String> {
    let checks = makima_store::checks(Engine::Sqlite);
    makima_store::statements(Engine::Sqlite).into_iter().filter(move |text| !checks.contains(text))
}

/// The indexes in which an owner has a few rows, and all owners have few: what is going on, what lies in the trash, what people
/// made by hand.
const FEW: [&str; 11] = [
    "api_keys_owner",
    "contracts_trash",
    "daemons_owner",
    "history_events_of_trash",
    "mesh_chat_conversations_active",
    "operations_open",
    "sqlite_autoindex_owner_sequences_1",
    "sqlite_autoindex_search_owners_1",
    "task_questions_pending",
    "tasks_pending",
    "tasks_trash",
];

fn few(step: &str) -> bool {
    FEW.iter().any(|few| step.split(' ').any(|word| word == *few))
}

/// What may be gone through without an index: tables of few rows, and what the statement itself has found.
const SMALL: [&str; 13] = [
    "CONSTANT",
    "(subquery-7)",
    "below",
    "counted",
    "erased_blobs",
    "found",
    "lineage",
    "old",
    "search_owners",
    "search_words",
    "tree",
    "turn",
    "users",
];

#[tokio::test]
async fn sqlite_goes_through_no_table_that_grows() {
    let lab = Lab::on_sqlite().await;
    let mut connection = connect(&lab).await;
    let mut whole = Vec::new();
    // Where a row is written that others refer to, the plan has a look for those, for the case that they were there before it.
    for text in statements().filter(|text| !text.starts_with("INSERT INTO")) {
        for step in plan(&mut connection, &text).await {
            let table = step.strip_prefix("SCAN ").and_then(|table| table.split(' ').next());
            if table.is_some_and(|table| !SMALL.contains(&table)) && !few(&step) {
                whole.push(format!("{step}: {text}"));
            }
        }
    }
    assert!(whole.is_empty(), "{whole:#?}");
}

/// Who filters a list is told how many there are: all are looked at.
const COUNTS: [&str; 4] = ["contracts", "imports", "operations", "tasks"];

#[tokio::test]
async fn sqlite_goes_through_all_that_an_owner_has_for_nothing_but_the_count_of_a_filtered_list() {
    let lab = Lab::on_sqlite().await;
    let mut connection = connect(&lab).await;
    let mut whole = Vec::new();
    for text in statements() {
        let steps = plan(&mut connection, &text).await;
        let counts =
            COUNTS.iter().any(|of| text.starts_with(&format!("SELECT COUNT(*) FROM {of} WHERE owner_id")));
        // A page ends where it is full, and what is rare doesn't fill it.
        let page = text.contains(" LIMIT $") && !steps.iter().any(|step| step.contains("FOR ORDER BY"));
        if counts || page {
            continue;
        }
        let all = steps.iter().filter(|step| step.ends_with("(owner_id=?)") && !few(step));
        whole.extend(all.map(|step| format!("{step}: {text}")));
    }
    assert!(whole.is_empty(), "{whole:#?}");
}

/// A row that goes is looked for in every table that refers to its own.
#[tokio::test]
async fn sqlite_finds_what_refers_to_an_erased_row_by_an_index() {
    let lab = Lab::on_sqlite().await;
    let mut connection = connect(&lab).await;
    let erased: BTreeSet<String> = statements()
        .filter_map(|text| Some(text.strip_prefix("DELETE FROM ")?.split(' ').next()?.to_owned()))
        .collect();
    let references: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT tables.name, reference.\"from\", reference.\"table\" FROM sqlite_schema AS tables \
         JOIN pragma_foreign_key_list(tables.name) AS reference WHERE tables.type = 'table'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let looked_for: Vec<_> = references.into_iter().filter(|(.., to)| erased.contains(to)).collect();
    assert!(looked_for.len() > 20, "{looked_for:?}");
    for (table, column, to) in looked_for {
        let steps = plan(&mut connection, &format!("SELECT 1 FROM {table} WHERE {column} = $1")).await;
        assert!(!steps.iter().any(|step| step.starts_with("SCAN")), "{table}.{column} -> {to}\n{steps:#?}");
    }
}

#[tokio::test]
async fn sqlite_is_told_how_many_rows_each_index_has_in_a_large_database() {
    let lab = Lab::on_sqlite().await;
    let untold: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name NOT LIKE 'search\\_words%' ESCAPE '\\' \
         AND tbl_name NOT LIKE '\\_sqlx%' ESCAPE '\\' AND name NOT IN (SELECT idx FROM sqlite_stat1)",
    )
    .fetch_all(&mut connect(&lab).await)
    .await
    .unwrap();
    assert_eq!(untold, [] as [String; 0]);
}

#[tokio::test]
async fn sqlite_looks_a_message_up_by_its_id() {
    let lab = Lab::on_sqlite().await;
    let mut connection = connect(&lab).await;
    let lookups: Vec<String> =
        statements().filter(|text| text.contains("FROM conversation_messages WHERE id = $1")).collect();
    assert!(!lookups.is_empty());
    for text in lookups {
        let steps = plan(&mut connection, &text).await;
        let by_id = "SEARCH conversation_messages USING INDEX conversation_messages_id (id=?)";
        assert!(steps.iter().any(|step| step == by_id), "{text}\n{steps:#?}");
    }
}

#[tokio::test]
async fn sqlite_counts_what_tells_of_the_trash_without_reading_the_rest() {
    let lab = Lab::on_sqlite().await;
    let mut connection = connect(&lab).await;
    let counts: Vec<String> =
        statements().filter(|text| text.contains("SUM(count)") && text.contains("'task_deleted'")).collect();
    assert_eq!(counts.len(), 2);
    for text in counts {
        let steps = plan(&mut connection, &text).await;
        let mut steps = steps.iter().filter(|step| step.contains("history_events"));
        assert!(steps.all(|step| step.contains("USING INDEX history_events_of_trash (owner_id=?")), "{text}");
    }
}
