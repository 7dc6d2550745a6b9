//! What may wait for the server is bounded: an agent whose share is full waits, and goes on by itself.

use crate::{
    lab::{Lab, bash, eventually, host_of, is_alive, text, write},
    server::Kept,
};
use makima_model::{NoticeLevel, Record, RunId, RunOutcome};
use makima_testkit::FaultProxy;
use makima_wire::frame::{Command, CommandOutcome};
use serde_json::{Value, json};
use std::{
    fs,
    time::{Duration, Instant},
};

const MIB: usize = 1 << 20;

/// A step that says so much, beginning with a number, and does something, so that another step follows.
fn much(number: usize) -> Value {
    json!({"content": [text(&said(number)), bash("true")], "chunk": MIB})
}

/// A script of so many of them.
fn talk(count: usize) -> Vec<Value> {
    (0..count).map(much).chain([json!({"content": [text("Done.")]})]).collect()
}

fn said(number: usize) -> String {
    format!("{number} {}", "x".repeat(MIB / 2))
}

/// How much the journals of a run take on the disk.
fn on_disk(lab: &Lab, run: RunId) -> u64 {
    journals(lab, run).iter().map(|path| fs::metadata(path).map_or(0, |file| file.len())).sum()
}

fn journals(lab: &Lab, run: RunId) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(lab.run_folder(run)).into_iter().flatten().flatten().map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl")).collect()
}

/// Whether the run's journal has this text, wherever the server is.
fn has_written(lab: &Lab, run: RunId, text: &str) -> Option<()> {
    let files = journals(lab, run);
    files.iter().any(|path| fs::read_to_string(path).unwrap_or_default().contains(text)).then_some(())
}

/// What the agent said, by the numbers that it began with.
fn numbers(lab: &Lab, run: RunId) -> Vec<usize> {
    let records = lab.server.kept().records(run);
    let texts = records.iter().filter_map(|record| match record {
        Record::Message { message } if message.content.ends_with('x') => Some(&message.content),
        _ => None,
    });
    texts.map(|text| text.split(' ').next().unwrap().parse().unwrap()).collect()
}

/// Fault: the server is away
/// Moment: while an agent says more than may wait on the daemon's disk
/// Outcome: the agent is paused, not stopped; when the server is back it goes on by itself, and every line is there once, in order
#[tokio::test]
async fn an_agent_whose_journal_is_full_is_paused_and_goes_on_when_the_server_is_back() {
    const COUNT: usize = 8;
    let lab = Lab::new(json!({ "TALK": talk(COUNT) })).await;
    let proxy = FaultProxy::before(&lab.server.url).await;
    let mut config = lab.config();
    let most = 2 * MIB as u64;
    (config.server_url, config.max_journal_bytes) = (proxy.url(), most);
    let daemon = makima_daemon::Daemon::start(config).await.unwrap();
    daemon.connected().await.unwrap();
    let run = lab.run("TALK");
    lab.start(&run);
    lab.until(&run, |record| matches!(record, Record::Spawned { .. }).then_some(())).await;
    proxy.close();
    eventually(|| has_written(&lab, run.run, "the agent is paused")).await;
    // No more comes: what it says stays in its pipe. The last that was read may be one message too much.
    let paused_at = on_disk(&lab, run.run);
    assert!(paused_at < most + 2 * MIB as u64, "{paused_at}");
    assert!(is_alive(host_of(&lab, &run)));
    proxy.open();
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    assert_eq!(numbers(&lab, run.run), (0..COUNT).collect::<Vec<_>>());
    let notices: Vec<(NoticeLevel, String)> =
        lab.server.kept().records(run.run).iter().filter_map(notice).collect();
    assert!(
        notices[0].0 == NoticeLevel::Warning && notices[0].1.contains("daemon.max_journal_bytes"),
        "{notices:?}"
    );
    assert!(notices[1].1.contains("no longer paused"), "{notices:?}");
    lab.verify();
    daemon.stop().await;
}

fn notice(record: &Record) -> Option<(NoticeLevel, String)> {
    match record {
        Record::Notice { level, text, .. } if text.contains("paused") => Some((*level, text.clone())),
        _ => None,
    }
}

/// Fault: the server acknowledges nothing
/// Moment: while an agent is paused because of it
/// Outcome: the daemon tells the server why its agent is paused; the agent is stopped in good order, and all that it had said is kept
#[tokio::test]
async fn a_paused_agent_hears_and_is_stopped_in_good_order() {
    let lab = Lab::new(json!({ "TALK": talk(40) })).await;
    let mut config = lab.config();
    config.max_journal_bytes = 2 * MIB as u64;
    let daemon = makima_daemon::Daemon::start(config).await.unwrap();
    daemon.connected().await.unwrap();
    lab.server.kept().is_mute = true;
    let run = lab.run("TALK");
    lab.start(&run);
    lab.until(&run, notice).await;
    let is_told = |kept: &Kept| {
        let told = kept.troubles.last()?.as_deref().unwrap_or_default();
        Some(told.contains("daemon.max_journal_bytes") && told.ends_with("1 run waits for it"))
    };
    lab.server.until(|kept| is_told(kept).filter(|is| *is)).await;
    let heard = lab.order(Command::Input { run: run.run, input: lab.input("MORE") }).await;
    assert!(matches!(heard, CommandOutcome::Done(_)), "{heard:?}");
    let stopped = lab.stop(&run).await;
    assert!(matches!(stopped, CommandOutcome::Done(_)), "{stopped:?}");
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Interrupted);
    lab.server.until(|kept| is_told(kept).filter(|is| !*is)).await;
    let numbers = numbers(&lab, run.run);
    assert!(numbers.len() < 40);
    assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>());
    assert!(lab.story(&run).contains(&"turn 1 interrupted".to_owned()), "{:?}", lab.story(&run).last());
    lab.verify();
    daemon.detach().await;
}

/// Fault: the daemon is replaced by another one
/// Moment: after most of what a run said was acknowledged and let go of
/// Outcome: the run goes on, its turn has its checkpoint, and every line is there once, in order
#[tokio::test]
async fn what_the_server_has_leaves_the_disk_while_the_agent_works() {
    const COUNT: usize = 10;
    let mut steps: Vec<Value> = (0..COUNT).map(much).collect();
    steps.push(json!({"content": [text("waits"), write("a.txt", "a")]}));
    steps.push(json!({"content": [text("goes on"), write("b.txt", "b")], "wait_for_file": "{{LAB}}/go"}));
    steps.push(json!({"content": [text("Done.")]}));
    let lab = Lab::new(json!({ "TALK": steps })).await;
    let daemon = lab.daemon().await;
    let run = lab.run("TALK");
    lab.start(&run);
    lab.said(&run, "waits").await;
    // As much as is said in two messages may stay: segments go as a whole.
    eventually(|| (on_disk(&lab, run.run) < 3 * MIB as u64).then_some(())).await;
    daemon.detach().await;
    let daemon = lab.daemon().await;
    lab.open("go");
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    assert_eq!(numbers(&lab, run.run), (0..COUNT).collect::<Vec<_>>());
    assert!(lab.story(&run).contains(&"checkpoint 1".to_owned()));
    eventually(|| (!lab.run_folder(run.run).exists()).then_some(())).await;
    lab.verify();
    daemon.stop().await;
}

/// Fault: the server is away many times longer than anything is patient
/// Moment: while an agent works
/// Outcome: the agent is not stopped; the daemon still looks for the server, and tells it everything when it is back
#[tokio::test]
async fn a_server_that_is_away_longer_than_anybody_is_patient_stops_no_agent() {
    let mut lab = Lab::new(json!({"GO": [
        {"content": [text("works"), write("a.txt", "a")]},
        {"content": [text("Done.")], "wait_for_file": "{{LAB}}/go"},
    ]}))
    .await;
    // An hour is as far behind this as this test is behind it: nothing else has a time at which it gives up.
    lab.patience.daemon = Duration::from_millis(300);
    let proxy = FaultProxy::before(&lab.server.url).await;
    let config = makima_daemon::DaemonConfig { server_url: proxy.url(), ..lab.config() };
    let daemon = makima_daemon::Daemon::start(config).await.unwrap();
    daemon.connected().await.unwrap();
    let run = lab.run("GO");
    lab.start(&run);
    lab.until(&run, |record| matches!(record, Record::Spawned { .. }).then_some(())).await;
    let (left, refused) = (Instant::now(), proxy.refused());
    proxy.close();
    eventually(|| (proxy.refused() >= refused + 3).then_some(())).await;
    assert!(left.elapsed() >= Duration::from_millis(900), "{:?}", left.elapsed());
    assert!(is_alive(host_of(&lab, &run)));
    lab.open("go");
    eventually(|| has_written(&lab, run.run, "\"type\":\"ended\"")).await;
    proxy.open();
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    assert!(lab.story(&run).contains(&"checkpoint 1".to_owned()));
    lab.verify();
    daemon.stop().await;
}

/// Fault: the server acknowledges nothing
/// Moment: while two agents talk, one of them much
/// Outcome: each has its share of the room; what one says takes nothing from the other
#[tokio::test]
async fn one_agent_that_says_much_does_not_stop_another() {
    let lab = Lab::new(json!({
        "TALK": talk(40),
        "SHORT": [{"content": [text("short"), write("a.txt", "a")]}, {"content": [text("Done.")], "wait_for_file": "{{LAB}}/go"}],
    }))
    .await;
    let mut config = lab.config();
    config.max_journal_bytes = 4 * MIB as u64;
    let daemon = makima_daemon::Daemon::start(config).await.unwrap();
    daemon.connected().await.unwrap();
    lab.server.kept().is_mute = true;
    let (loud, short) = (lab.run("TALK"), lab.run("SHORT"));
    lab.start(&short);
    lab.said(&short, "short").await;
    lab.start(&loud);
    lab.until(&loud, notice).await;
    lab.open("go");
    assert_eq!(lab.ended(&short).await.outcome, RunOutcome::Completed);
    let notices = lab.server.kept().records(short.run).iter().filter_map(notice).count();
    assert_eq!(notices, 0);
    let stopped = lab.stop(&loud).await;
    assert!(matches!(stopped, CommandOutcome::Done(_)), "{stopped:?}");
    lab.verify();
    daemon.detach().await;
}
