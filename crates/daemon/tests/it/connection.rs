//! The connection: cut, silent, refused.

use crate::lab::{Lab, eventually, text, write};
use makima_daemon::{Daemon, DaemonError};
use makima_model::{Record, RunOutcome};
use makima_wire::frame::{Command, CommandOutcome, CommandResult};
use serde_json::json;

#[tokio::test]
async fn entries_that_were_not_acknowledged_come_again_and_none_is_lost_or_doubled() {
    let lab = Lab::new(json!({
        "ONE": [{"content": [text("one"), write("1.txt", "1")]},
                {"content": [text("first"), write("2.txt", "2")], "wait_for_file": "{{LAB}}/cut"},
                {"content": [text("second")], "wait_for_file": "{{LAB}}/back"}],
    }))
    .await;
    let daemon = lab.daemon().await;
    lab.server.kept().is_mute = true;
    let run = lab.run("ONE");
    lab.start(&run);
    lab.said(&run, "one").await;
    lab.server.cut();
    lab.open("cut");
    lab.server.until(|kept| (kept.hellos.len() == 2).then_some(())).await;
    lab.said(&run, "first").await;
    lab.server.cut();
    lab.open("back");
    lab.server.until(|kept| (kept.hellos.len() == 3).then_some(())).await;
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    // Nothing was acknowledged: all of it is still there.
    assert!(lab.run_folder(run.run).exists());
    lab.server.kept().is_mute = false;
    lab.server.cut();
    // The server has it all, and says so in its welcome.
    eventually(|| (!lab.run_folder(run.run).exists()).then_some(())).await;
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn a_server_that_is_away_stops_no_agent() {
    let lab = Lab::new(json!({"GO": [
        {"content": [text("works"), write("a.txt", "a")]},
        {"content": [text("Done.")], "wait_for_file": "{{LAB}}/go"},
    ]}))
    .await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    lab.said(&run, "works").await;
    lab.server.kept().refusal = Some("away".to_owned());
    lab.server.cut();
    lab.open("go");
    let journal = lab.run_folder(run.run).join("journal.jsonl");
    eventually(|| std::fs::read_to_string(&journal).unwrap().contains("\"ended\"").then_some(())).await;
    lab.server.kept().refusal = None;
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    assert!(lab.story(&run).contains(&"checkpoint 1".to_owned()));
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn a_command_is_carried_out_once_however_often_it_comes() {
    let lab = Lab::new(json!({"GO": [{"content": [text("Done.")]}]})).await;
    let daemon = lab.daemon().await;
    lab.server.kept().is_unsettled = true;
    let (run, id) = (lab.run("GO"), lab.clock.new_id());
    let command = Command::StartRun(Box::new(run.clone()));
    for _ in 0..3 {
        lab.server.command(id, command.clone());
    }
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    // Its end is told again until the server has it, by another daemon too.
    lab.server.until(|kept| (kept.finishes.get(&id) == Some(&1)).then_some(())).await;
    lab.server.cut();
    lab.server.until(|kept| (kept.finishes.get(&id) == Some(&2)).then_some(())).await;
    daemon.detach().await;
    lab.server.kept().is_unsettled = false;
    let daemon = lab.daemon().await;
    lab.server.until(|kept| kept.settled.contains(&id).then_some(())).await;
    let file = lab.data().join("commands").join(format!("{id}.json"));
    eventually(|| (!file.exists()).then_some(())).await;
    let started = lab.server.kept().records(run.run);
    assert_eq!(started.iter().filter(|record| matches!(record, Record::Spawned { .. })).count(), 1);
    assert_eq!(lab.server.kept().finished[&id], CommandOutcome::Done(CommandResult::Done));
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn a_daemon_that_the_server_never_took_gives_up_and_says_why() {
    let lab = Lab::new(json!({})).await;
    lab.server.kept().refusal = Some("install the same release on both".to_owned());
    let daemon = Daemon::start(lab.config()).await.unwrap();
    let error = daemon.given_up().await;
    assert!(
        matches!(&error, DaemonError::Refused { message } if message.contains("same release")),
        "{error}"
    );
    assert!(daemon.connected().await.is_err());
    daemon.stop().await;
}

#[tokio::test]
async fn a_run_that_the_server_does_not_know_is_stopped_and_its_journal_kept() {
    let lab = Lab::new(json!({"GO": [{"content": [text("on and on")], "endless": true}]})).await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    lab.until(&run, |record| matches!(record, Record::Spawned { .. }).then_some(())).await;
    lab.server.kept().unknown.insert(run.run);
    lab.server.cut();
    let journal = lab.run_folder(run.run).join("journal.jsonl");
    eventually(|| std::fs::read_to_string(&journal).unwrap().contains("\"type\":\"ended\"").then_some(()))
        .await;
    assert!(!lab.story(&run).iter().any(|line| line.starts_with("ended")));
    lab.verify();
    daemon.detach().await;
}

#[tokio::test]
async fn a_daemon_says_who_it_is_and_stays_the_same_one() {
    let lab = Lab::new(json!({})).await;
    let daemon = lab.daemon().await;
    let id = daemon.id();
    daemon.detach().await;
    let daemon = lab.daemon().await;
    assert_eq!(daemon.id(), id);
    let hellos = lab.server.kept().hellos.clone();
    assert_eq!((hellos[0].daemon, hellos[1].daemon), (id, id));
    assert_eq!((hellos[0].name.as_str(), hellos[0].max_concurrent_tasks), ("lab", 4));
    assert!(hellos[0].agents.iter().any(|agent| agent.name == "scripted" && agent.version.is_some()));
    let second = Daemon::start(lab.config()).await.err().unwrap();
    assert!(matches!(second, DaemonError::FolderHeld { .. }), "{second}");
    daemon.stop().await;
}
