//! A server or daemon that kills itself at a step of its own, between two acts that must both be found done, or neither.

use super::{
    moments::{create, held_by_git, lab, said_by, status},
    site::{Site, Victim},
};
use crate::lab::{Lab, bash, say, until};
use makima_model::{MessageRole, TaskId, TaskStatus};
use makima_wire::Task;
use rustix::process::Signal;
use serde_json::json;
use std::fs;

/// The task once it has come to its end in its first run, in which its agent was told and has said this.
async fn done_in_one_run(site: &Site, task: TaskId, told: &[&str], said: &[&str]) -> Task {
    let client = site.client();
    let done = status(&client, task, TaskStatus::Completed).await;
    assert_eq!(done.run_number, 1, "{done:?}");
    assert_eq!(said_by(&client, task, MessageRole::User).await, told);
    assert_eq!(said_by(&client, task, MessageRole::Assistant).await, said);
    done
}

/// Fault: the daemon is killed with SIGKILL
/// Moment: when the start of a run is kept and not acknowledged
/// Outcome: the next daemon begins the run; there is one agent, which is told once what it was to be told
/// Moment: when all is ready for the host and it isn't started
/// Outcome: the same
/// Moment: when the host has just been started
/// Outcome: the next daemon takes it up; the same
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_started_once_wherever_its_daemon_is_killed() {
    let mut site = Site::apart(lab(), None);
    for step in ["run.accepted", "run.laid_out", "run.hosted"] {
        site.arm(Victim::Daemon, step);
        let task = create(&site, "BEGIN", None).await;
        site.killed();
        site.start();
        done_in_one_run(&site, task, &["BEGIN"], &["Begun."]).await;
    }
    site.verify();
}

/// Fault: the daemon is killed with SIGKILL
/// Moment: when a task's branch is about to be brought into the user's repository
/// Outcome: the next daemon brings it there; the turn has one checkpoint, the branch one commit
/// Moment: when it is there and its clone doesn't say so yet
/// Outcome: the next daemon finds it there; the same
/// Moment: when it is there and that is noted nowhere else
/// Outcome: the same
#[tokio::test(flavor = "multi_thread")]
async fn a_branch_is_published_once_wherever_its_daemon_is_killed() {
    let commit = bash("echo one > one.txt; git add -A; git commit --quiet --message One");
    let mut site = Site::apart(Lab::new(json!({ "COMMIT": [commit, say("It is committed.")] })), None);
    for step in ["before", "there", "branch.published"] {
        let task = if step == "branch.published" {
            site.arm(Victim::Daemon, step);
            let task = create(&site, "COMMIT", None).await;
            site.killed();
            task
        } else {
            let task = held_by_git(&site, "COMMIT", "fetch --quiet").await;
            if step == "there" {
                let noting = site.hold("update-ref --no-deref --stdin");
                site.let_go_before("fetch --quiet");
                until("git is held", async || noting.is_reached().then_some(())).await;
            }
            site.end(&[Victim::Daemon], Signal::KILL);
            site.let_go();
            task
        };
        let branch = site.client().task(task).await.unwrap().branch_name;
        let is_there = site.lab.repo.git(["branch", "--list", &branch]).contains(&branch);
        assert_eq!(is_there, step != "before", "{step}");
        site.start();
        let done = done_in_one_run(&site, task, &["COMMIT"], &["I run.", "It is committed."]).await;
        assert_eq!(done.checkpoint_count, 1, "{step}");
        assert_eq!(site.lab.committed(&branch, "one.txt"), "one");
        assert_eq!(site.lab.repo.git(["rev-list", "--count", &format!("HEAD..{branch}")]), "1", "{step}");
    }
    site.verify();
}

/// Fault: the server is killed with SIGKILL
/// Moment: when what an agent said is stored and not acknowledged
/// Outcome: it is there once, and the daemon goes on from there
/// Moment: when what came of a command is stored and not acknowledged
/// Outcome: the command was carried out once
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_server_had_stored_and_not_acknowledged_is_there_once() {
    let mut site = Site::apart(lab(), None);
    let task = create(&site, "TALK", None).await;
    until("its agent talks", async || (!site.streamed().concat().is_empty()).then_some(())).await;
    site.arm(Victim::Server, "result.taken");
    let client = site.client();
    let sending = tokio::spawn(async move { client.send_message(task, "GO ON").await });
    site.killed();
    site.arm_next(Victim::Server, "entries.taken");
    sending.await.unwrap().unwrap();
    fs::write(site.daemons_data().join("worktrees/go"), "").unwrap();
    site.killed();
    site.start();
    let said = ["I write.", "This message is shown, and then comes the rest of it.", "On it."];
    done_in_one_run(&site, task, &["TALK", "GO ON"], &said).await;
    site.verify();
}
