//! What is left when the program is killed in the middle of the work.

mod claude;
mod moments;
mod site;
mod steps;

use self::{
    moments::Moments,
    site::{Site, Victim},
};
use crate::lab::{Lab, processes_of, say, until};
use futures::StreamExt;
use makima_client::Client;
use makima_model::{MessageRole, TaskId, TaskStatus};
use makima_testkit::TestDatabase;
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

/// Fault: server and daemon are killed
/// Moment: while the agent says one thing after the other
/// Outcome: every acknowledged line is there once, in order; the agent did not notice
/// Pain: 20
///
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

/// What is ended, and agents and hosts are spared.
async fn spares_the_agents(mut site: Site, victims: &[Victim], signal: Signal) {
    let moments = Moments::reach(&site).await;
    site.end(victims, signal);
    // Said while nobody can hand it on.
    let more = victims.contains(&Victim::Daemon).then_some("GO ON");
    if let Some(more) = more {
        site.client().send_message(moments.talk.id, more).await.unwrap();
    }
    site.start();
    moments.agents_noticed_nothing(&site, more).await;
    moments.begin_and_end_are_done(&site).await;
    site.verify();
}

/// What is ended, agents or hosts among it.
async fn takes_the_agents(mut site: Site, victims: &[Victim]) {
    let mut moments = Moments::reach(&site).await;
    site.end(victims, Signal::KILL);
    moments.look_at_files(&site);
    site.start();
    moments.let_go(&site);
    moments.agents_were_interrupted(&site).await;
    moments.begin_and_end_are_done(&site).await;
    moments.agents_go_on(&site).await;
    site.verify();
}

/// Fault: the server is killed
/// Moment: while the agent streams a message
/// Outcome: every acknowledged line is there once, in order; the agent did not notice, and its message is whole
/// Moment: while a tool runs
/// Outcome: the tool goes on and its result is kept; what it left running is gone at the end
/// Moment: while a permission waits for its owner
/// Outcome: the question still waits, and its answer reaches the agent
/// Moment: between two turns, while the checkpoint is made
/// Outcome: the turn has its checkpoint, then the message that waited is said
/// Moment: while what the agent left is committed
/// Outcome: it is committed once, and the index is that of the commit
/// Moment: while the worktree is made
/// Outcome: the worktree is made and the run goes on, as the first one
/// Moment: while the agent's program starts, and has read and said nothing yet
/// Outcome: it starts, and is told once what it was to be told
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_noticed_by_no_agent() {
    spares_the_agents(Site::apart(moments::lab(), None), &[Victim::Server], Signal::KILL).await;
}

/// Fault: the server on PostgreSQL is killed
/// Moment: while the agent streams a message
/// Outcome: every acknowledged line is there once, in order; the agent did not notice, and its message is whole
/// Moment: while a tool runs
/// Outcome: the tool goes on and its result is kept; what it left running is gone at the end
/// Moment: while a permission waits for its owner
/// Outcome: the question still waits, and its answer reaches the agent
/// Moment: between two turns, while the checkpoint is made
/// Outcome: the turn has its checkpoint, then the message that waited is said
/// Moment: while what the agent left is committed
/// Outcome: it is committed once, and the index is that of the commit
/// Moment: while the worktree is made
/// Outcome: the worktree is made and the run goes on, as the first one
/// Moment: while the agent's program starts, and has read and said nothing yet
/// Outcome: it starts, and is told once what it was to be told
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: the seven moments once more, on PostgreSQL"]
async fn a_killed_server_on_postgres_is_noticed_by_no_agent() {
    let database = Some(TestDatabase::create());
    spares_the_agents(Site::apart(moments::lab(), database), &[Victim::Server], Signal::KILL).await;
}

/// Fault: the daemon is killed
/// Moment: while the agent streams a message
/// Outcome: every acknowledged line is there once, in order; the agent did not notice, and its message is whole
/// Moment: while a tool runs
/// Outcome: the tool goes on and its result is kept; what it left running is gone at the end
/// Moment: while a permission waits for its owner
/// Outcome: the question still waits, and its answer reaches the agent
/// Moment: between two turns, while the checkpoint is made
/// Outcome: the turn has its checkpoint, then the message that waited is said
/// Moment: while what the agent left is committed
/// Outcome: it is committed once, and the index is that of the commit
/// Moment: while the worktree is made
/// Outcome: the worktree is made and the run goes on, as the first one
/// Moment: while the agent's program starts, and has read and said nothing yet
/// Outcome: it starts, and is told once what it was to be told
/// Pain: 20, 21
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_daemon_is_noticed_by_no_agent() {
    spares_the_agents(Site::apart(moments::lab(), None), &[Victim::Daemon], Signal::KILL).await;
}

/// Fault: `makima up` is killed
/// Moment: while the agent streams a message
/// Outcome: every acknowledged line is there once, in order; the agent did not notice, and its message is whole
/// Moment: while a tool runs
/// Outcome: the tool goes on and its result is kept; what it left running is gone at the end
/// Moment: while a permission waits for its owner
/// Outcome: the question still waits, and its answer reaches the agent
/// Moment: between two turns, while the checkpoint is made
/// Outcome: the turn has its checkpoint, then the message that waited is said
/// Moment: while what the agent left is committed
/// Outcome: it is committed once, and the index is that of the commit
/// Moment: while the worktree is made
/// Outcome: the worktree is made and the run goes on, as the first one
/// Moment: while the agent's program starts, and has read and said nothing yet
/// Outcome: it starts, and is told once what it was to be told
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_up_is_noticed_by_no_agent() {
    spares_the_agents(Site::together(moments::lab()), &[Victim::Server], Signal::KILL).await;
}

/// Fault: the run hosts are killed
/// Moment: while the agent streams a message
/// Outcome: the run is interrupted and says where; what was streamed is kept, marked as incomplete
/// Moment: while a tool runs
/// Outcome: the run is interrupted and says in which tool; no process is left, those with sessions of their own included
/// Moment: while a permission waits for its owner
/// Outcome: the run is interrupted and says at which question; nothing waits for an answer any more
/// Moment: between two turns, while the checkpoint is made
/// Outcome: the run is interrupted, the turn has its checkpoint, and the message that waited begins the next run
/// Moment: while what the agent left is committed
/// Outcome: it is committed once, and the index is that of the commit
/// Moment: while the worktree is made
/// Outcome: the worktree is made and the run goes on, as the first one
/// Moment: while the agent's program starts, and has read and said nothing yet
/// Outcome: the run is interrupted and says that; what it was to be told is kept once, and the next run goes on from there
/// Pain: 16, 21
#[tokio::test(flavor = "multi_thread")]
async fn killed_hosts_leave_interrupted_runs_that_go_on_when_they_are_told_to() {
    takes_the_agents(Site::together(moments::lab()), &[Victim::Hosts]).await;
}

/// Fault: the agents are killed
/// Moment: while the agent streams a message
/// Outcome: the run is interrupted and says where; what was streamed is kept, marked as incomplete
/// Moment: while a tool runs
/// Outcome: the run is interrupted and says in which tool; no process is left, those with sessions of their own included
/// Moment: while a permission waits for its owner
/// Outcome: the run is interrupted and says at which question; nothing waits for an answer any more
/// Moment: between two turns, while the checkpoint is made
/// Outcome: the run is interrupted, the turn has its checkpoint, and the message that waited begins the next run
/// Moment: while what the agent left is committed
/// Outcome: it is committed once, and the index is that of the commit
/// Moment: while the worktree is made
/// Outcome: the worktree is made and the run goes on, as the first one
/// Moment: while the agent's program starts, and has read and said nothing yet
/// Outcome: the run is interrupted and says that; what it was to be told is kept once, and the next run goes on from there
/// Pain: 16, 17
#[tokio::test(flavor = "multi_thread")]
async fn killed_agents_leave_interrupted_runs_that_go_on_when_they_are_told_to() {
    takes_the_agents(Site::together(moments::lab()), &[Victim::Agents]).await;
}

/// Fault: the agents and the daemon beside them are killed
/// Moment: while the agent streams a message
/// Outcome: the run is interrupted and says where; what was streamed is kept, marked as incomplete
/// Moment: while a tool runs
/// Outcome: the run is interrupted and says in which tool; no process is left, those with sessions of their own included
/// Moment: while a permission waits for its owner
/// Outcome: the run is interrupted and says at which question; nothing waits for an answer any more
/// Moment: between two turns, while the checkpoint is made
/// Outcome: the run is interrupted, the turn has its checkpoint, and the message that waited begins the next run
/// Moment: while what the agent left is committed
/// Outcome: it is committed once, and the index is that of the commit
/// Moment: while the worktree is made
/// Outcome: the worktree is made and the run goes on, as the first one
/// Moment: while the agent's program starts, and has read and said nothing yet
/// Outcome: the run is interrupted and says that; what it was to be told is kept once, and the next run goes on from there
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: the seven moments once more"]
async fn agents_killed_with_their_daemon_leave_interrupted_runs() {
    takes_the_agents(Site::apart(moments::lab(), None), &[Victim::Agents, Victim::Daemon]).await;
}

/// Fault: the run hosts and the daemon beside them are killed
/// Moment: while the agent streams a message
/// Outcome: the run is interrupted and says where; what was streamed is kept, marked as incomplete
/// Moment: while a tool runs
/// Outcome: the run is interrupted and says in which tool; no process is left, those with sessions of their own included
/// Moment: while a permission waits for its owner
/// Outcome: the run is interrupted and says at which question; nothing waits for an answer any more
/// Moment: between two turns, while the checkpoint is made
/// Outcome: the run is interrupted, the turn has its checkpoint, and the message that waited begins the next run
/// Moment: while what the agent left is committed
/// Outcome: it is committed once, and the index is that of the commit
/// Moment: while the worktree is made
/// Outcome: the worktree is made and the run goes on, as the first one
/// Moment: while the agent's program starts, and has read and said nothing yet
/// Outcome: the run is interrupted and says that; what it was to be told is kept once, and the next run goes on from there
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: the seven moments once more"]
async fn hosts_killed_with_their_daemon_leave_interrupted_runs() {
    takes_the_agents(Site::apart(moments::lab(), None), &[Victim::Hosts, Victim::Daemon]).await;
}

/// Fault: the machine: every process is killed at once
/// Moment: while the agent streams a message
/// Outcome: the run is interrupted and says where; what was streamed is kept, marked as incomplete
/// Moment: while a tool runs
/// Outcome: the run is interrupted and says in which tool; no process is left, those with sessions of their own included
/// Moment: while a permission waits for its owner
/// Outcome: the run is interrupted and says at which question; nothing waits for an answer any more
/// Moment: between two turns, while the checkpoint is made
/// Outcome: the run is interrupted, the turn has its checkpoint, and the message that waited begins the next run
/// Moment: while what the agent left is committed
/// Outcome: it is committed once, and the index is that of the commit
/// Moment: while the worktree is made
/// Outcome: the worktree is made and the run goes on, as the first one
/// Moment: while the agent's program starts, and has read and said nothing yet
/// Outcome: the run is interrupted and says that; what it was to be told is kept once, and the next run goes on from there
/// Pain: 17, 20, 21, 22
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_went_down_leaves_interrupted_runs_and_all_that_was_told() {
    takes_the_agents(Site::together(moments::lab()), &[Victim::Machine]).await;
}

/// Fault: the server is upgraded (SIGTERM, and started again)
/// Moment: while the agent streams a message
/// Outcome: every acknowledged line is there once, in order; the agent did not notice, and its message is whole
/// Moment: while a tool runs
/// Outcome: the tool goes on and its result is kept; what it left running is gone at the end
/// Moment: while a permission waits for its owner
/// Outcome: the question still waits, and its answer reaches the agent
/// Moment: between two turns, while the checkpoint is made
/// Outcome: the turn has its checkpoint, then the message that waited is said
/// Moment: while what the agent left is committed
/// Outcome: it is committed once, and the index is that of the commit
/// Moment: while the worktree is made
/// Outcome: the worktree is made and the run goes on, as the first one
/// Moment: while the agent's program starts, and has read and said nothing yet
/// Outcome: it starts, and is told once what it was to be told
#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: the seven moments once more"]
async fn a_server_is_upgraded_while_agents_work() {
    spares_the_agents(Site::apart(moments::lab(), None), &[Victim::Server], Signal::TERM).await;
}

/// Fault: the daemon is upgraded (SIGTERM, and started again)
/// Moment: while the agent streams a message
/// Outcome: every acknowledged line is there once, in order; the agent did not notice, and its message is whole
/// Moment: while a tool runs
/// Outcome: the tool goes on and its result is kept; what it left running is gone at the end
/// Moment: while a permission waits for its owner
/// Outcome: the question still waits, and its answer reaches the agent
/// Moment: between two turns, while the checkpoint is made
/// Outcome: the turn has its checkpoint, then the message that waited is said
/// Moment: while what the agent left is committed
/// Outcome: it is committed once, and the index is that of the commit
/// Moment: while the worktree is made
/// Outcome: the worktree is made and the run goes on, as the first one
/// Moment: while the agent's program starts, and has read and said nothing yet
/// Outcome: it starts, and is told once what it was to be told
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_is_upgraded_while_agents_work() {
    spares_the_agents(Site::apart(moments::lab(), None), &[Victim::Daemon], Signal::TERM).await;
}

/// Fault: `makima up` is upgraded (SIGTERM, and started again)
/// Moment: while the agent streams a message
/// Outcome: every acknowledged line is there once, in order; the agent did not notice, and its message is whole
/// Moment: while a tool runs
/// Outcome: the tool goes on and its result is kept; what it left running is gone at the end
/// Moment: while a permission waits for its owner
/// Outcome: the question still waits, and its answer reaches the agent
/// Moment: between two turns, while the checkpoint is made
/// Outcome: the turn has its checkpoint, then the message that waited is said
/// Moment: while what the agent left is committed
/// Outcome: it is committed once, and the index is that of the commit
/// Moment: while the worktree is made
/// Outcome: the worktree is made and the run goes on, as the first one
/// Moment: while the agent's program starts, and has read and said nothing yet
/// Outcome: it starts, and is told once what it was to be told
#[tokio::test(flavor = "multi_thread")]
async fn up_is_upgraded_while_agents_work() {
    spares_the_agents(Site::together(moments::lab()), &[Victim::Server], Signal::TERM).await;
}
