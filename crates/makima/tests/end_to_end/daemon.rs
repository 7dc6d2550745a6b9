//! `makima server` and `makima daemon`, apart from one another.

use crate::lab::{Lab, finish, say, send, start, until, write};
use makima_client::Client;
use makima_wire::{CreateTask, ListTasks};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_and_a_daemon_work_together() {
    let lab = Lab::new(json!({ "WORK": [write("new.txt", "new\n"), say("Done.")] }));
    let server_data = lab.path("server");
    let server_data = server_data.to_str().unwrap();
    let mut server = lab.start(&["server", "--json", "--listen", "127.0.0.1:0", "--data-dir", server_data]);
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let url = serde_json::from_str::<Value>(&line).unwrap()["url"].as_str().unwrap().to_owned();

    // The server runs, and an owner is made beside it.
    let user = lab.finish(&["user", "create", "ada", "--json", "--data-dir", server_data]);
    assert_eq!(user.code, Some(0), "{user:?}");
    let key = user.json()["apiKey"].as_str().unwrap().to_owned();

    let mut daemon =
        lab.makima(&["daemon", "--server-url", &url, "--name", "second", "--max-concurrent-tasks", "2"]);
    daemon.env("MAKIMA_API_KEY", &key);
    let daemon = start(&mut daemon);
    let client = Client::new(&url, Some(key)).unwrap();
    let seen = until("the daemon is there", async || client.daemons().await.unwrap().daemons.pop()).await;
    assert_eq!((seen.name.as_str(), seen.max_concurrent_tasks), ("second", 2));
    assert_eq!(seen.agents.len(), 1, "{seen:?}");

    let task = CreateTask {
        plan: "WORK".to_owned(),
        repository: Some(lab.repo.path().to_str().unwrap().to_owned()),
        ..CreateTask::default()
    };
    let task = client.create_task(&task).await.unwrap();
    let task = until("the task has ended", async || {
        let task = client.task(task.id).await.unwrap();
        task.status.is_over().then_some(task)
    })
    .await;
    assert_eq!(lab.committed(&task.branch_name, "new.txt"), "new");

    send(&daemon, Signal::INT);
    let daemon = finish(daemon);
    assert_eq!(daemon.code, Some(0), "{daemon:?}");
    assert!(daemon.stdout.contains("Connected"), "{daemon:?}");
    assert_eq!(client.tasks(&ListTasks::default()).await.unwrap().total_count, 1);
    send(&server, Signal::TERM);
    assert_eq!(finish(server).code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_with_a_wrong_key_is_not_allowed() {
    let mut lab = Lab::new(json!({}));
    let url = lab.up().url.clone();
    let data = lab.path("other");
    let mut daemon = lab.makima(&["daemon", "--server-url", &url, "--data-dir", data.to_str().unwrap()]);
    let output = daemon.env("MAKIMA_API_KEY", "mk_wrong").output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
}
