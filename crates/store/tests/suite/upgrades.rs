//! Databases of older programs, with what they have, opened by this one.

use crate::{
    lab::{all, in_time},
    search::index,
};
use makima_model::{OwnerId, search::Query};
use makima_store::{Db, Engine, SearchFilter, TimelineFilter, TimelineScope, events, search, users};
use makima_testkit::TestDatabase;
use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection, migrate::Migrator,
    sqlite::SqliteConnectOptions,
};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// The migration that brought the search.
const SEARCH: i64 = 12;

/// The first migrations, as far as this version.
fn until(all: &Migrator, version: i64) -> Migrator {
    Migrator::with_migrations(all.iter().filter(|one| one.version <= version).cloned().collect())
}

/// Before the search came.
fn old_versions(all: &Migrator) -> Vec<i64> {
    all.iter().map(|one| one.version).filter(|version| *version < SEARCH).collect()
}

/// Two owners, the younger one first, and what happened to each, as the first tables take it.
fn rows(engine: Engine) -> Vec<String> {
    let id = |number: u8| match engine {
        Engine::Sqlite => format!("X'{}'", hex(number)),
        Engine::Postgres => format!("CAST('{}' AS UUID)", hex(number)),
    };
    let of = |number: u8, name: &str, day: u8| {
        let (owner, event) = (id(number), id(number + 100));
        [
            format!(
                "INSERT INTO users VALUES ({owner}, '{name}', 'person', '2026-01-0{day}T00:00:00.000000Z')"
            ),
            format!("INSERT INTO owner_sequences VALUES ({owner}, 1)"),
            format!(
                "INSERT INTO history_events VALUES ({event}, {owner}, 1, NULL, NULL, 'task', 'task_created', NULL, \
                 '{{\"name\": \"a needle of {name}\"}}', '2026-01-0{day}T00:00:01.000000Z')"
            ),
        ]
    };
    [of(2, "Bob", 2), of(1, "Ada", 1)].concat()
}

fn hex(number: u8) -> String {
    format!("{number:032x}")
}

/// What was there is there, and the search finds it.
async fn has_what_was_there(db: &Db, version: i64) {
    let owners: Vec<(OwnerId, String)> = users::list(&mut db.read().await.unwrap())
        .await
        .unwrap()
        .into_iter()
        .map(|user| (user.id, user.name))
        .collect();
    assert_eq!(owners.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["Ada", "Bob"]);
    for (owner, _) in &owners {
        let mut tx = db.read().await.unwrap();
        let standing = search::standing(&mut tx, *owner).await.unwrap().expect("each has an index");
        assert_eq!(standing.behind(), 1, "from {version}");
        let (scope, filter) = (TimelineScope::Owner, TimelineFilter::default());
        let page = events::timeline(&mut tx, *owner, &scope, &filter, all(), None).await.unwrap();
        assert_eq!(page.rows.len(), 1, "from {version}");
    }
    index(db).await;
    for (owner, name) in &owners {
        let mut tx = db.read().await.unwrap();
        let standing = search::standing(&mut tx, *owner).await.unwrap().unwrap();
        let (query, filter) = (Query::parse("needle "), SearchFilter::default());
        let found = search::find(&mut tx, *owner, standing, &query, &filter, (all(), None)).await.unwrap();
        let snippets: Vec<&str> = found.rows.iter().map(|hit| hit.snippet.as_str()).collect();
        assert!(matches!(snippets[..], [one] if one.ends_with(name)), "from {version}: {snippets:?}");
    }
}

#[tokio::test]
async fn a_file_of_any_older_program_is_brought_up_to_date() {
    in_time(async {
        for version in old_versions(&SQLITE) {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("makima.db");
            let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
            let mut old = SqliteConnection::connect_with(&options).await.unwrap();
            until(&SQLITE, version).run(&mut old).await.unwrap();
            for row in rows(Engine::Sqlite) {
                old.execute(AssertSqlSafe(row)).await.unwrap();
            }
            old.close().await.unwrap();
            let db = Db::open(&format!("sqlite:{}", file.display())).await.unwrap();
            has_what_was_there(&db, version).await;
            db.close().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_of_any_older_program_is_brought_up_to_date() {
    in_time(async {
        for version in old_versions(&POSTGRES) {
            let server = TestDatabase::create();
            let mut old = PgConnection::connect(&server.url()).await.unwrap();
            until(&POSTGRES, version).run(&mut old).await.unwrap();
            for row in rows(Engine::Postgres) {
                old.execute(AssertSqlSafe(row)).await.unwrap();
            }
            old.close().await.unwrap();
            let db = Db::open(&server.url()).await.unwrap();
            has_what_was_there(&db, version).await;
            db.close().await;
        }
    })
    .await;
}
