//! `makima doctor --verify`.

use crate::lab::{Finished, Lab, say, write};
use makima_model::TaskStatus;
use makima_wire::{CreateTask, Task};
use rustix::process::Signal;
use serde_json::json;
use std::{fs, path::PathBuf};

/// A lab in which a task was done, and that is down again.
async fn done() -> (Lab, Task) {
    let mut lab = Lab::new(json!({ "WRITE": [write("a.txt", "a\n"), say("Done.")] }));
    lab.up();
    let wanted = CreateTask {
        plan: "WRITE".to_owned(),
        repository: Some(lab.repo.path().to_str().unwrap().to_owned()),
        ..CreateTask::default()
    };
    let id = lab.client().create_task(&wanted).await.unwrap().id;
    let task = lab.task_when(id, "it is done", |task| task.status == TaskStatus::Completed).await;
    assert_eq!(task.checkpoint_count, 1);
    // Also while it is up.
    lab.verify();
    assert!(lab.end_up(Signal::INT).success());
    (lab, task)
}

fn rules(looked: &Finished) -> Vec<String> {
    let document = looked.json();
    let findings = document["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
}

/// Changes the database by hand.
async fn change(lab: &Lab, text: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(lab.data().join("makima.db"));
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query(text).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
}

/// The one file below a folder.
fn file_in(folder: PathBuf) -> PathBuf {
    let mut place = folder;
    while place.is_dir() {
        place = fs::read_dir(place).unwrap().next().unwrap().unwrap().path();
    }
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_agree_is_told_with_what_to_do_and_nothing_of_it_obeyed_by_a_terminal() {
    let (lab, task) = done().await;
    lab.verify();
    let healthy = lab.finish(&["doctor", "--verify"]);
    assert_eq!(healthy.code, Some(0), "{healthy:?}");
    assert!(healthy.stdout.ends_with("everything agrees\n"), "{healthy:?}");
    assert!(healthy.stdout.contains("1 tasks") && healthy.stdout.contains("1 worktrees"), "{healthy:?}");

    // One thing of each layer: the database, the blobs, the clone.
    change(&lab, "UPDATE tasks SET role = char(27) || ']0;owned' || char(7)").await;
    let blob = file_in(lab.data().join("blobs"));
    let mut patch = fs::read(&blob).unwrap();
    patch[0] ^= 1;
    fs::write(&blob, patch).unwrap();
    let clones = fs::read_dir(lab.data().join("daemon/repositories")).unwrap();
    let clone = clones.map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    fs::remove_file(clone.join(format!("refs/makima/tasks/{}/checkpoints/1", task.id))).unwrap();

    let looked = lab.finish(&["doctor", "--verify", "--json"]);
    assert_eq!(looked.code, Some(1), "{looked:?}");
    assert_eq!(rules(&looked), ["unreadable", "blob_changed", "checkpoint_unkept"]);
    for finding in looked.json()["findings"].as_array().unwrap() {
        assert!(finding["advice"].as_str().is_some_and(|advice| !advice.is_empty()), "{finding}");
    }
    let shown = lab.finish(&["doctor", "--verify"]);
    assert_eq!(shown.code, Some(1), "{shown:?}");
    assert!(shown.stdout.ends_with("not everything agrees\n"), "{shown:?}");
    assert!(shown.stdout.contains(&format!("task {}", task.id)), "{shown:?}");
    assert!(shown.stdout.contains("]0;owned"), "{shown:?}");
    assert!(!shown.stdout.contains(['\u{1b}', '\u{7}']), "{shown:?}");
}

#[test]
fn where_there_is_no_database_it_says_so_and_makes_none() {
    let lab = Lab::new(json!({}));
    let looked = lab.finish(&["doctor", "--verify"]);
    assert_eq!(looked.code, Some(1), "{looked:?}");
    assert!(looked.stderr.contains("there is no database yet"), "{looked:?}");
    assert!(!lab.data().join("makima.db").exists());
}
