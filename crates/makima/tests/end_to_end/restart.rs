//! The end of `makima up`, and what the next one finds.

use crate::lab::{Lab, finish, processes_of, say, send, until, wait, write};
use makima_model::{TaskId, TaskStatus};
use makima_wire::CreateTask;
use rustix::process::Signal;
use serde_json::json;
use std::io::{BufRead, BufReader, Read};

/// A script that does something, waits for a file, and goes on.
fn gated(lab_file: &str) -> serde_json::Value {
    let mut then = write("after.txt", "after\n");
    then["wait_for_file"] = json!(lab_file);
    json!({ "GATED": [write("before.txt", "before\n"), then, say("Through.")] })
}

/// Makes the task, without anybody who follows it.
async fn begin(lab: &Lab) -> TaskId {
    let task = CreateTask {
        plan: "GATED".to_owned(),
        repository: Some(lab.repo.path().to_str().unwrap().to_owned()),
        ..CreateTask::default()
    };
    lab.client().create_task(&task).await.unwrap().id
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_on_up_stops_its_agents_in_good_order() {
    let mut lab = Lab::new(gated("never"));
    lab.up();
    let id = begin(&lab).await;
    lab.task_when(id, "its agent works", |task| task.message_count >= 3).await;
    assert!(lab.end_up(Signal::INT).success(), "{}", lab.log());
    assert!(processes_of(&lab.data()).is_empty(), "an agent or its host is left");

    lab.up();
    let task = lab.client().task(id).await.unwrap();
    assert_eq!((task.status, task.checkpoint_count), (TaskStatus::Interrupted, 1), "{task:?}");
    assert_eq!(lab.committed(&task.branch_name, "README.md"), "# A repository");
    lab.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_sigterm_the_agent_goes_on_and_the_next_up_takes_it_up() {
    let mut lab = Lab::new(gated("../gate"));
    lab.up();
    let id = begin(&lab).await;
    let task = lab.task_when(id, "its agent works", |task| task.message_count >= 3).await;
    assert!(lab.end_up(Signal::TERM).success(), "{}", lab.log());
    let left = processes_of(&lab.data());
    assert!(!left.is_empty(), "the agent was stopped");

    // It works while nobody is there.
    let worktree = std::path::PathBuf::from(task.worktree_path.unwrap());
    std::fs::write(worktree.join("../gate"), "").unwrap();
    until("the agent has gone on", async || worktree.join("after.txt").exists().then_some(())).await;

    lab.up();
    let task = lab.task_when(id, "it has ended", |task| task.status.is_over()).await;
    assert_eq!((task.status, task.run_number), (TaskStatus::Completed, 1), "{}", lab.log());
    assert_eq!(lab.said(id).await, ["I write.", "I write.", "Through."]);
    assert_eq!(lab.committed(&task.branch_name, "after.txt"), "after");
    lab.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_a_run_goes_on_following_when_the_server_is_back() {
    let mut lab = Lab::new(gated("../gate"));
    let address = lab.up().url.strip_prefix("http://").unwrap().to_owned();
    let run = lab.start(&["run", "GATED"]);
    let id = lab.task().await.id;
    let task = lab.task_when(id, "its agent works", |task| task.message_count >= 3).await;
    assert!(lab.end_up(Signal::TERM).success(), "{}", lab.log());
    lab.up_at(&address, &[]);
    std::fs::write(std::path::Path::new(&task.worktree_path.unwrap()).join("../gate"), "").unwrap();
    let ran = finish(run);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("the server is away"), "{ran:?}");
    assert_eq!(ran.stdout.matches("I write.").count(), 2, "{ran:?}");
    assert_eq!(ran.stdout.matches("Through.").count(), 1, "{ran:?}");
    assert!(ran.stdout.contains("completed"), "{ran:?}");
    lab.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_followed_goes_on_over_a_restart_without_a_gap_or_a_double() {
    let mut lab = Lab::new(gated("../gate"));
    let address = lab.up().url.strip_prefix("http://").unwrap().to_owned();
    let id = begin(&lab).await;
    let task = lab.task_when(id, "its agent works", |task| task.message_count >= 3).await;
    let mut logs = lab.start(&["task", "logs", "-f", "GATED"]);
    let mut seen = String::new();
    let mut stdout = BufReader::new(logs.stdout.take().unwrap());
    while !seen.contains("I write.") {
        assert!(stdout.read_line(&mut seen).unwrap() > 0, "{seen}");
    }
    assert!(lab.end_up(Signal::TERM).success(), "{}", lab.log());
    lab.up_at(&address, &[]);
    let document = lab.start(&["task", "logs", "-f", "GATED", "--json"]);
    std::fs::write(std::path::Path::new(&task.worktree_path.unwrap()).join("../gate"), "").unwrap();
    stdout.read_to_string(&mut seen).unwrap();
    assert_eq!(wait(&mut logs).code(), Some(0), "{seen}");
    for (text, times) in [("> GATED", 1), ("I write.", 2), ("● Write", 2), ("Through.", 1), ("completed", 1)]
    {
        assert_eq!(seen.matches(text).count(), times, "{text}: {seen}");
    }
    // What one sees afterwards is the same.
    let document = finish(document);
    assert_eq!(document.code, Some(0), "{document:?}");
    assert_eq!(document.json(), lab.finish(&["task", "logs", "GATED", "--json"]).json());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_at_a_log_leaves_it_without_stopping_the_agent() {
    let mut lab = Lab::new(gated("../gate"));
    lab.up();
    let id = begin(&lab).await;
    let task = lab.task_when(id, "its agent works", |task| task.message_count >= 3).await;
    let mut logs = lab.start(&["task", "logs", "-f", "GATED"]);
    let mut seen = String::new();
    let mut stdout = BufReader::new(logs.stdout.take().unwrap());
    while !seen.contains("I write.") {
        assert!(stdout.read_line(&mut seen).unwrap() > 0, "{seen}");
    }
    send(&logs, Signal::INT);
    assert_eq!(wait(&mut logs).code(), Some(0));
    assert_eq!(lab.client().task(id).await.unwrap().status, TaskStatus::Running);
    std::fs::write(std::path::Path::new(&task.worktree_path.unwrap()).join("../gate"), "").unwrap();
    lab.task_when(id, "it has ended", |task| task.status == TaskStatus::Completed).await;
    lab.verify();
}
