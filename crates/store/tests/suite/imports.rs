//! Imports.

use crate::lab::{Lab, all, walk};
use makima_model::{ImportSource, OperationKind, Origin, Position, TaskStatus};
use makima_store::{FilePart, Import, Order, Task, erase, imports, operations, tasks, trash};

fn of_task(lab: &Lab, task: &Task, session: &str) -> Import {
    Import {
        id: lab.clock.new_id(),
        owner: task.owner,
        source: ImportSource::ClaudeCode,
        session_id: session.into(),
        copy: 0,
        task: task.id,
        in_trash: false,
        position: Position { branch: task.conversation, seq: 0 },
        reached: FilePart { bytes: 0, digest: "0".repeat(64) },
        created_at: lab.now(),
        finished_at: None,
        finished_bytes: None,
    }
}

async fn begun(lab: &Lab, task: &Task, session: &str) -> Import {
    let import = of_task(lab, task, session);
    let mut tx = lab.begin().await;
    assert!(imports::insert(&mut tx, &import).await.unwrap());
    tx.commit().await.unwrap();
    import
}

on_both_engines! {
    async fn an_import_is_read_back_and_only_by_its_owner(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let task = lab.task(owner).await;
        let import = begun(&lab, &task, "one").await;
        let mut tx = lab.read().await;
        assert_eq!(imports::get(&mut tx, owner, import.id).await.unwrap(), Some(import.clone()));
        assert_eq!(imports::of_task(&mut tx, owner, task.id).await.unwrap(), Some(import.clone()));
        assert_eq!(imports::get(&mut tx, other, import.id).await.unwrap(), None);
        assert_eq!(imports::of_task(&mut tx, other, task.id).await.unwrap(), None);
        assert_eq!(imports::list(&mut tx, other, None, all(), None).await.unwrap().total, 0);
    }

    async fn a_copy_of_a_session_is_there_once(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let task = lab.task(owner).await;
        begun(&lab, &task, "one").await;
        let mut tx = lab.begin().await;
        assert!(!imports::insert(&mut tx, &of_task(&lab, &task, "one")).await.unwrap());
        drop(tx);
        let second = Import { copy: 1, ..of_task(&lab, &task, "one") };
        let of_other = of_task(&lab, &lab.task(other).await, "one");
        let mut tx = lab.begin().await;
        assert!(imports::insert(&mut tx, &second).await.unwrap());
        assert!(imports::insert(&mut tx, &of_other).await.unwrap());
        tx.commit().await.unwrap();
    }

    async fn a_file_ends_somewhere_once_however_often_that_is_said(lab: Lab) {
        let owner = lab.owner().await;
        let import = begun(&lab, &lab.task(owner).await, "one").await;
        for (bytes, new) in [(10, true), (10, false), (25, true)] {
            let mut tx = lab.begin().await;
            let mut locked = imports::lock(&mut tx, owner, import.id).await.unwrap().unwrap();
            locked.reached = FilePart { bytes, digest: format!("{bytes:064}") };
            imports::reach(&mut tx, &locked).await.unwrap();
            imports::add_end(&mut tx, owner, import.id).await.unwrap();
            assert_eq!(imports::finish(&mut tx, owner, import.id, lab.now()).await.unwrap(), new);
            tx.commit().await.unwrap();
        }
        let mut tx = lab.read().await;
        let ends = imports::ends(&mut tx, owner, import.id).await.unwrap();
        assert_eq!(ends.iter().map(|end| end.bytes).collect::<Vec<_>>(), [10, 25]);
        let now = imports::get(&mut tx, owner, import.id).await.unwrap().unwrap();
        assert!(now.finished_at.is_some());
        assert_eq!((now.reached.bytes, now.finished_bytes), (25, Some(25)));
        assert_eq!(imports::ends(&mut tx, lab.owner().await, import.id).await.unwrap(), []);
    }

    async fn imports_are_listed_by_pages_all_or_those_of_a_session(lab: Lab) {
        let owner = lab.owner().await;
        let mut wanted = Vec::new();
        for session in ["one", "two", "three"] {
            wanted.push(begun(&lab, &lab.task(owner).await, session).await.id);
        }
        let listed = walk(Order::Oldest, 2, 3, async |seek| {
            let mut tx = lab.read().await;
            imports::list(&mut tx, owner, None, seek, None).await.unwrap()
        });
        assert_eq!(listed.await.iter().map(|import| import.id).collect::<Vec<_>>(), wanted);
        let mut tx = lab.read().await;
        let page = imports::list(&mut tx, owner, Some("two"), all(), None).await.unwrap();
        assert_eq!((page.total, page.rows[0].id), (1, wanted[1]));
    }

    async fn a_task_ends_as_its_session_did_unless_it_went_on_here(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.insert_task(Task { status: TaskStatus::Interrupted, ..lab.new_task(owner) }).await;
        let at = "2026-01-15T09:30:00Z".parse().unwrap();
        let mut tx = lab.begin().await;
        let ended = imports::end_task(&mut tx, owner, task.id, TaskStatus::Completed, None, (at, lab.now()));
        assert!(ended.await.unwrap());
        tx.commit().await.unwrap();
        let now = tasks::get(&mut lab.read().await, owner, task.id).await.unwrap().unwrap();
        assert_eq!((now.status, now.completed_at), (TaskStatus::Completed, Some(at)));
        let went_on = lab.insert_task(Task { run_number: 1, status: TaskStatus::Interrupted, ..lab.new_task(owner) });
        let went_on = went_on.await;
        let mut tx = lab.begin().await;
        let ended = imports::end_task(&mut tx, owner, went_on.id, TaskStatus::Completed, None, (at, lab.now()));
        assert!(!ended.await.unwrap());
    }

    async fn a_runs_own_session_is_known(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let run = lab.run(&task, lab.daemon(owner).await, 1).await;
        let mut tx = lab.begin().await;
        makima_store::runs::set_session(&mut tx, owner, run.id, "one").await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = lab.read().await;
        assert_eq!(imports::task_of_session(&mut tx, owner, "one").await.unwrap(), Some(task.id));
        assert_eq!(imports::task_of_session(&mut tx, owner, "two").await.unwrap(), None);
        assert_eq!(imports::task_of_session(&mut tx, lab.owner().await, "one").await.unwrap(), None);
    }

    async fn an_import_is_erased_with_its_task_and_tells_when_that_lies_in_the_trash(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let import = begun(&lab, &task, "one").await;
        let by = makima_model::Operation {
            id: lab.clock.new_id(),
            owner,
            kind: OperationKind::Delete,
            state: makima_model::OperationState::Prepared,
            task: Some(task.id),
            contract: None,
            principal: owner.uuid().into(),
            origin: Origin::Api,
            request: serde_json::json!({}),
            before: makima_model::Circumstances::default(),
            after: None,
            undoes: None,
            undone_by: None,
            error: None,
            created_at: lab.now(),
            finished_at: None,
        };
        let mut tx = lab.begin().await;
        imports::finish(&mut tx, owner, import.id, lab.now()).await.unwrap();
        operations::insert(&mut tx, &by).await.unwrap();
        trash::put_task(&mut tx, owner, task.id, by.id, lab.now()).await.unwrap();
        tx.commit().await.unwrap();
        assert!(imports::get(&mut lab.read().await, owner, import.id).await.unwrap().unwrap().in_trash);
        let mut tx = lab.begin().await;
        erase::task(&mut tx, owner, task.id, by.id, lab.now()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(imports::get(&mut lab.read().await, owner, import.id).await.unwrap(), None);
    }
}
