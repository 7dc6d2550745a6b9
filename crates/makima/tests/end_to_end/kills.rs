//! What is left when the program is killed in the middle of the work.

use crate::lab::{Lab, processes_of, say, until};
use futures::StreamExt;
use makima_client::Client;
use makima_model::{MessageRole, TaskId, TaskStatus};
use makima_wire::{Conversation, CreateTask};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const STEPS: usize = 60;

/// A script that says many things, one after the other, then waits for a file.
fn talkative() -> Value {
    let mut steps: Vec<Value> = (0..STEPS)
        .map(|n| {
            json!({ "content": [
                { "type": "text", "text": format!("word {n}") },
                { "type": "tool_use", "name": "Bash", "input": { "command": format!("echo {n}") } },
            ] })
        })
        .collect();
    let mut last = say("the end");
    last["wait_for_file"] = json!("../gate");
    steps.push(last);
    json!({ "TALK": steps })
}

fn words(conversation: &Conversation) -> Vec<&str> {
    let said = conversation.messages.iter().filter(|message| message.role == MessageRole::Assistant);
    said.map(|message| message.content.as_str()).collect()
}

async fn seen_by(client: &Client, task: TaskId, at_least: usize) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut feed = Box::pin(client.feed(Some(task), Some(0)).await.unwrap());
    while seen.len() < at_least {
        let event = feed.next().await.unwrap().unwrap();
        if event.event == "message" {
            let message: Value = serde_json::from_str(&event.data).unwrap();
            seen.insert(message["message"]["id"].as_str().unwrap().to_owned());
        }
    }
    seen
}

/// Server and daemon are killed while the agent talks: all that anybody was ever told is there, once and in order, and the
/// agent, whose host lives, has noticed nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_and_daemon_lose_nothing_and_the_agent_goes_on() {
    let mut lab = Lab::new(talkative());
    lab.up();
    let wanted = CreateTask {
        plan: "TALK".to_owned(),
        repository: Some(lab.repo.path().to_str().unwrap().to_owned()),
        ..CreateTask::default()
    };
    let task = lab.client().create_task(&wanted).await.unwrap();
    let told = seen_by(&lab.client(), task.id, 5).await;
    assert!(!lab.end_up(Signal::KILL).success());
    assert!(!processes_of(&lab.data()).is_empty(), "the agent went with the daemon");

    lab.up();
    let client = lab.client();
    let all = until("the agent has said what it had to say", async || {
        let conversation = client.conversation(task.id).await.unwrap();
        (words(&conversation).len() >= STEPS).then_some(conversation)
    })
    .await;
    let ids: BTreeSet<String> = all.messages.iter().map(|message| message.id.to_string()).collect();
    assert_eq!(ids.len(), all.messages.len(), "a message is there twice");
    assert!(told.is_subset(&ids), "a message that was told is gone");
    let expected: Vec<String> = (0..STEPS).map(|n| format!("word {n}")).collect();
    assert_eq!(words(&all), expected);

    let now = client.task(task.id).await.unwrap();
    assert_eq!((now.status, now.run_number), (TaskStatus::Running, 1), "{now:?}");
    let worktree = std::path::PathBuf::from(now.worktree_path.unwrap());
    std::fs::write(worktree.join("../gate"), "").unwrap();
    let done = lab.task_when(task.id, "it has ended", |task| task.status.is_over()).await;
    assert_eq!(done.status, TaskStatus::Completed, "{done:?}");
    lab.verify();
}
