//! Disks that are full, and databases that may only be read.

use crate::lab::{Lab, packed};
use makima_model::{Message, MessageId};
use makima_store::{Db, Hindrance, StoreError, contracts, conversations, users};
use makima_testkit::{SmallDisk, TestDatabase, with_own_mounts};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};
use std::collections::BTreeSet;

fn hindrance<T>(result: Result<T, StoreError>) -> Option<Hindrance> {
    match result {
        Err(StoreError::Unavailable { hindrance, .. }) => Some(hindrance),
        Err(other) => panic!("{other:?}"),
        Ok(_) => None,
    }
}

/// A text that can't be made smaller.
fn noise(lab: &Lab, length: usize) -> String {
    let mut text = String::new();
    while text.len() < length {
        let id: MessageId = lab.clock.new_id();
        text.extend(std::iter::repeat_n(id, 4).zip(0..).map(|(id, n)| {
            let bits = id.uuid().as_u128().wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835 + n);
            format!("{bits:032x}")
        }));
    }
    text
}

/// SQLite's own look at the file.
async fn integrity(url: &str) -> String {
    let mut connection = SqliteConnection::connect(url).await.unwrap();
    sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap()
}

/// However much room there is when a transaction begins, it is there whole or not at all, and the next one that finds room is
/// written.
///
/// Fault: the disk of the SQLite database is full
/// Moment: while a transaction writes, and while it is committed
/// Outcome: it is undone, what was committed is there once, reading goes on, the file is whole; writing goes on by itself when
/// there is room
#[test]
fn a_full_disk_undoes_what_does_not_fit_and_nothing_else() {
    with_own_mounts(async {
        let disk = SmallDisk::mount(24 << 20);
        let lab = Lab::in_folder(disk.folder()).await;
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let mut kept: Vec<Message> = Vec::new();
        let mut failures = 0;
        // Small ones fail when they are committed; one that is larger than SQLite's cache before.
        for (but, length) in
            [(0, 200), (4 << 10, 20_000), (60 << 10, 200_000), (300 << 10, 200_000), (2 << 20, 5_000_000)]
        {
            disk.fill(but);
            loop {
                let message = lab.said(noise(&lab, length));
                let mut tx = lab.begin().await;
                let message = std::slice::from_ref(&message);
                let appended =
                    conversations::append(&mut tx, owner, task.conversation, 1, packed(message)).await;
                let done = match appended {
                    Ok(_) => tx.commit().await,
                    Err(error) => Err(error),
                };
                match hindrance(done) {
                    None => kept.extend(message.iter().cloned()),
                    Some(hindrance) => {
                        assert!(matches!(hindrance, Hindrance::Full | Hindrance::Disk), "{hindrance:?}");
                        failures += 1;
                        break;
                    }
                }
            }
            // What is read was there before.
            let mut tx = lab.read().await;
            assert_eq!(users::list(&mut tx).await.unwrap().len(), 1);
            drop(tx);
            disk.make_room();
            lab.db.ready().await.unwrap();
            let message = lab.said("there is room");
            lab.append(owner, task.conversation, std::slice::from_ref(&message)).await;
            kept.push(message);
        }
        assert_eq!(failures, 5);

        let mut tx = lab.read().await;
        let lineage = conversations::lineage(&mut tx, owner, task.conversation).await.unwrap();
        let head = lineage.iter().find(|branch| branch.id == task.conversation).unwrap().head_seq;
        assert_eq!(usize::try_from(head).unwrap(), kept.len());
        for message in &kept {
            assert!(conversations::find(&mut tx, owner, message.id).await.unwrap().is_some());
        }
        assert_eq!(kept.iter().map(|message| message.id).collect::<BTreeSet<_>>().len(), kept.len());
        drop(tx);
        let url = lab.url();
        lab.db.close().await;
        assert_eq!(integrity(&url).await, "ok");
    });
}

/// Fault: the disk of the SQLite database is full
/// Moment: while nothing but small things is written
/// Outcome: the server isn't ready, and says that there is no room, until there is
#[test]
fn a_database_without_room_is_not_ready_until_there_is() {
    with_own_mounts(async {
        let disk = SmallDisk::mount(4 << 20);
        let lab = Lab::in_folder(disk.folder()).await;
        let owner = lab.owner().await;
        lab.db.ready().await.unwrap();
        disk.fill(0);
        loop {
            let mut tx = lab.begin().await;
            let done = match contracts::insert(&mut tx, &lab.new_contract(owner)).await {
                Ok(()) => tx.commit().await,
                Err(error) => Err(error),
            };
            if hindrance(done).is_some() {
                break;
            }
        }
        assert!(hindrance(lab.db.ready().await).is_some());
        assert!(hindrance(lab.db.ready().await).is_some(), "it is looked again");
        disk.make_room();
        lab.db.ready().await.unwrap();
        lab.db.close().await;
    });
}

/// PostgreSQL's own word for a full disk, said by a trigger: a cluster on a disk of its own would be another PostgreSQL's test.
///
/// Fault: the disk of PostgreSQL is full
/// Moment: while a row is written
/// Outcome: nothing is written, and what is in the way is told; writing goes on by itself when there is room
#[tokio::test]
async fn postgres_without_room_is_told_as_such() {
    let lab = Lab::on_postgres().await;
    let owner = lab.owner().await;
    let mut other = PgConnection::connect(&lab.url()).await.unwrap();
    other
        .execute(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
               RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$; \
             CREATE TRIGGER no_room BEFORE INSERT ON contracts FOR EACH ROW EXECUTE FUNCTION no_room(); \
             CREATE TRIGGER no_room BEFORE UPDATE ON _sqlx_migrations FOR EACH ROW EXECUTE FUNCTION no_room()",
        )
        .await
        .unwrap();
    let contract = lab.new_contract(owner);
    let mut tx = lab.begin().await;
    assert_eq!(hindrance(contracts::insert(&mut tx, &contract).await), Some(Hindrance::Full));
    drop(tx);
    assert_eq!(hindrance(lab.db.ready().await), Some(Hindrance::Full));
    other
        .execute("DROP TRIGGER no_room ON contracts; DROP TRIGGER no_room ON _sqlx_migrations")
        .await
        .unwrap();
    lab.db.ready().await.unwrap();
    lab.contract(owner).await;
}

/// Fault: PostgreSQL may only be read, as a standby or after a failover
/// Moment: while a row is written, and when a server starts
/// Outcome: nothing is written, and what is in the way is told; reading goes on
#[tokio::test]
async fn postgres_that_may_only_be_read_is_told_as_such() {
    let database = TestDatabase::create();
    let db = Db::open(&database.url()).await.unwrap();
    let mut other = PgConnection::connect(&database.url()).await.unwrap();
    other
        .execute(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); \
             END $$; \
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await
        .unwrap();
    let user = makima_store::User {
        id: makima_model::Clock::system().new_id(),
        name: "Ada".into(),
        kind: makima_store::UserKind::Person,
        created_at: makima_model::Clock::system().now(),
    };
    // Connections that were ended are found to be on the way.
    let refused = loop {
        let Ok(mut tx) = db.begin().await else { continue };
        match hindrance(users::create(&mut tx, &user).await) {
            Some(Hindrance::Away) => {}
            other => break other,
        }
    };
    assert_eq!(refused, Some(Hindrance::ReadOnly));
    assert_eq!(hindrance(db.ready().await), Some(Hindrance::ReadOnly));
    let mut tx = db.read().await.unwrap();
    assert_eq!(users::list(&mut tx).await.unwrap(), []);
    drop(tx);
    assert_eq!(hindrance(Db::open(&database.url()).await), Some(Hindrance::ReadOnly));
}
