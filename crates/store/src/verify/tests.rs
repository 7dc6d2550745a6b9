//! Each rule is broken in a transaction that is never committed, on both engines: what breaks it is named, and nothing else.

mod broken;
mod rich;

use super::{look, rules, verify};
use crate::{Db, Engine, Tx, db::on};
use broken::{BREAKS, Break};
use makima_model::verify::Report;
use makima_testkit::TestDatabase;
use sqlx::AssertSqlSafe;
use std::collections::BTreeSet;

/// An SQLite database, and what keeps its folder.
async fn on_sqlite() -> (Db, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&format!("sqlite:{}/makima.db", folder.path().display())).await.unwrap();
    rich::fill(&db).await;
    (db, folder)
}

async fn on_postgres() -> (Db, TestDatabase) {
    let database = TestDatabase::create();
    let db = Db::open(&database.url()).await.unwrap();
    rich::fill(&db).await;
    (db, database)
}

/// The id of what a name stands for in a break.
fn filled(text: &str) -> String {
    let mut text = text.to_owned();
    for task in ["done", "live", "idle"] {
        text = text.replace(&format!("{{{task}}}"), &format!("(SELECT id FROM tasks WHERE name = '{task}')"));
    }
    for contract in ["work", "stranger"] {
        let id = format!("(SELECT id FROM contracts WHERE name = '{contract}')");
        text = text.replace(&format!("{{{contract}}}"), &id);
    }
    for user in ["ada", "bob"] {
        text = text.replace(&format!("{{{user}}}"), &format!("(SELECT id FROM users WHERE name = '{user}')"));
    }
    text.replace("{spare}", "(SELECT id FROM daemons WHERE name = 'spare')")
        .replace("{no}", "(SELECT id FROM api_keys WHERE kind = 'sign_in')")
        .replace(
            "{next}",
            "(SELECT seq FROM owner_sequences WHERE owner_id = (SELECT id FROM users WHERE name = 'ada'))",
        )
        .replace(
            "{notice}",
            "(SELECT id FROM (SELECT id FROM task_events WHERE event_type = 'output' ORDER BY seq DESC LIMIT 1) AS notice)",
        )
}

/// Lets references lead nowhere until the transaction is undone.
async fn unbind(tx: &mut Tx) {
    let texts: &[&str] = match tx.engine() {
        Engine::Sqlite => &["PRAGMA defer_foreign_keys = ON"],
        // Compiling the rules takes longer than these few rows do.
        Engine::Postgres => &["SET LOCAL session_replication_role = replica", "SET LOCAL jit = off"],
    };
    for text in texts {
        run(tx, text).await;
    }
}

async fn run(tx: &mut Tx, text: &str) {
    let done = on!(tx, |c| sqlx::query(AssertSqlSafe(text.to_owned())).execute(c).await.map(drop));
    done.unwrap_or_else(|error| panic!("{text}\n{error}"));
}

async fn broken(db: &Db, (_, _, statements): &Break) -> Report {
    let mut tx = db.begin().await.unwrap();
    unbind(&mut tx).await;
    for statement in *statements {
        run(&mut tx, &filled(statement)).await;
    }
    look(&mut tx, &mut |_| {}).await.unwrap()
}

async fn what_breaks_a_rule_is_named_and_nothing_else(db: &Db) {
    let healthy = verify(db, &mut |_| {}).await.unwrap();
    assert_eq!(healthy.findings, [], "of what is healthy");
    assert!(healthy.checked.values().all(|count| *count > 0), "nothing to look at: {:?}", healthy.checked);
    let mut wrong = String::new();
    for of in BREAKS {
        let (rule, besides, _) = of;
        let report = broken(db, of).await;
        let found: BTreeSet<&str> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
        let expected: BTreeSet<&str> = besides.iter().copied().chain([*rule]).collect();
        if found != expected {
            wrong.push_str(&format!("\n{of:?}\nfound {:#?}", report.findings));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(verify(db, &mut |_| {}).await.unwrap(), healthy, "a break has stayed");
}

#[tokio::test]
async fn what_breaks_a_rule_is_named_and_nothing_else_on_sqlite() {
    let (db, _folder) = on_sqlite().await;
    what_breaks_a_rule_is_named_and_nothing_else(&db).await;
}

#[tokio::test]
async fn what_breaks_a_rule_is_named_by_it_on_postgres() {
    let (db, _database) = on_postgres().await;
    assert_eq!(verify(&db, &mut |_| {}).await.unwrap().findings, [], "of what is healthy");
    for (name, _, statements) in BREAKS {
        let mut tx = db.begin().await.unwrap();
        unbind(&mut tx).await;
        for statement in *statements {
            run(&mut tx, &filled(statement)).await;
        }
        let mut report = Report::default();
        match rules().find(|rule| rule.name == *name) {
            Some(rule) => rule.look(&mut tx, &mut report).await.unwrap(),
            None if *name == "task_usage" => super::usage::look(&mut tx, &mut report).await.unwrap(),
            None => super::content::look(&mut tx, &mut report, &mut |_| {}).await.unwrap(),
        }
        assert!(report.findings.iter().any(|finding| finding.rule == *name), "{name}: {statements:?}");
    }
}

#[tokio::test]
#[ignore = "long: every rule is asked after each break, on a server"]
async fn what_breaks_a_rule_is_named_and_nothing_else_on_postgres() {
    let (db, _database) = on_postgres().await;
    what_breaks_a_rule_is_named_and_nothing_else(&db).await;
}

#[test]
fn every_rule_is_broken_by_a_test() {
    let broken: BTreeSet<&str> = BREAKS.iter().map(|(rule, ..)| *rule).collect();
    let unbroken: Vec<&str> = rules().map(|rule| rule.name).filter(|name| !broken.contains(name)).collect();
    assert_eq!(unbroken, [] as [&str; 0]);
    let names: BTreeSet<&str> = rules().map(|rule| rule.name).collect();
    assert_eq!(names.len(), rules().count(), "two rules have one name");
}

#[tokio::test]
async fn a_file_that_is_damaged_is_named_as_such() {
    let (db, folder) = on_sqlite().await;
    db.close().await;
    let path = folder.path().join("makima.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // A page of the middle, none of the first, which say what the tables are.
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let db = Db::open_to_read(&format!("sqlite:{}", path.display())).await.unwrap();
    let report = verify(&db, &mut |_| {}).await.unwrap();
    assert!(!report.findings.is_empty());
    assert!(report.findings.iter().all(|finding| finding.rule == "database_file"), "{report:?}");
}

const CHANGE: &str = "DELETE FROM counters";

async fn what_is_opened_to_be_read_is_not_changed(db: &Db, url: &str) {
    let looked_at = Db::open_to_read(url).await.unwrap();
    assert_eq!(verify(&looked_at, &mut |_| {}).await.unwrap(), verify(db, &mut |_| {}).await.unwrap());
    let refused = match looked_at.begin().await {
        Ok(mut tx) => on!(tx, |c| sqlx::query(CHANGE).execute(c).await.map(drop)).is_err(),
        Err(_) => true,
    };
    assert!(refused, "it could be written");
}

#[tokio::test]
async fn what_is_opened_to_be_read_is_not_changed_on_sqlite() {
    let (db, folder) = on_sqlite().await;
    let url = format!("sqlite:{}/makima.db", folder.path().display());
    what_is_opened_to_be_read_is_not_changed(&db, &url).await;
}

#[tokio::test]
async fn what_is_opened_to_be_read_is_not_changed_on_postgres() {
    let (db, database) = on_postgres().await;
    what_is_opened_to_be_read_is_not_changed(&db, &database.url()).await;
}

#[tokio::test]
async fn a_database_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("makima.db");
    let error = Db::open_to_read(&format!("sqlite:{}", path.display())).await.map(drop).unwrap_err();
    assert!(matches!(error, crate::StoreError::Empty), "{error:?}");
    assert!(!path.exists());
}

/// The memory of this process, in bytes.
fn memory() -> usize {
    let told = std::fs::read_to_string("/proc/self/statm").unwrap();
    told.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test]
#[ignore = "long: 200,000 messages are written first"]
async fn a_long_database_is_looked_at_in_little_memory() {
    let (db, _folder) = on_sqlite().await;
    let more = 200_000;
    rich::say_more(&db, more).await;
    let before = memory();
    let (mut most, since) = (before, std::time::Instant::now());
    let report = verify(&db, &mut |_| most = most.max(memory())).await.unwrap();
    let (took, grown) = (since.elapsed(), most - before);
    println!("{more} messages in {took:?}, {} KiB more memory", grown / 1024);
    assert_eq!(report.findings, []);
    assert!(report.checked["messages"] > more, "{:?}", report.checked);
    assert!(grown < 48 << 20, "{grown} bytes");
}
