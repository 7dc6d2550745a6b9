//! What networks do to the connection, while agents talk: nothing is lost, nothing doubled, nothing out of order.

use crate::lab::{Lab, bash, eventually, text, write};
use makima_daemon::{Daemon, DaemonConfig};
use makima_model::{MessageRole, Record, RunOutcome};
use makima_testkit::{FaultProxy, Faults, Random, Way};
use makima_wire::frame::{Command, CommandOutcome, CommandResult, StartRun};
use serde_json::{Value, json};

/// A lab whose daemon reaches its server through a proxy, and soon notices its silence.
async fn through_a_proxy(scripts: Value) -> (Lab, FaultProxy, Daemon) {
    let lab = Lab::new(scripts).await;
    let proxy = FaultProxy::before(&lab.server.url).await;
    lab.server.kept().is_impatient = true;
    let daemon = Daemon::start(DaemonConfig { server_url: proxy.url(), ..lab.config() }).await.unwrap();
    daemon.connected().await.unwrap();
    (lab, proxy, daemon)
}

/// What the agent of a run said, without its number.
fn said(lab: &Lab, run: &StartRun) -> Vec<String> {
    let records = lab.server.kept().records(run.run);
    let texts = records.into_iter().filter_map(|record| match record {
        Record::Message { message } if message.role == MessageRole::Assistant => Some(message.content),
        _ => None,
    });
    texts.collect()
}

/// Waits until the daemon has said hello so often.
async fn hellos(lab: &Lab, count: usize) {
    lab.server.until(|kept| (kept.hellos.len() >= count).then_some(())).await;
}

/// Fault: one direction of the connection is swallowed, and nobody is told
/// Moment: while an agent talks
/// Outcome: the silence is noticed, the connection is made anew, and every line is there once, in order
/// Pain: 20
#[tokio::test]
async fn a_half_open_connection_is_noticed_and_replaced() {
    let (lab, proxy, daemon) = through_a_proxy(json!({"GO": [
        {"content": [text("one"), bash("true")]},
        {"content": [text("two"), bash("true")], "wait_for_file": "{{LAB}}/down"},
        {"content": [text("three"), write("a.txt", "a")], "wait_for_file": "{{LAB}}/up"},
        {"content": [text("Done.")]},
    ]}))
    .await;
    lab.server.kept().may_double = true;
    let run = lab.run("GO");
    lab.start(&run);
    lab.said(&run, "one").await;
    proxy.swallow(Way::Down);
    lab.open("down");
    hellos(&lab, 2).await;
    lab.said(&run, "two").await;
    // The other way: the end of the run would never be told.
    proxy.swallow(Way::Up);
    lab.open("up");
    hellos(&lab, 3).await;
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    assert_eq!(said(&lab, &run), ["one", "two", "three", "Done."]);
    lab.verify();
    daemon.stop().await;
}

/// Fault: a connection stays open at the server while its daemon has connected anew, and delivers late
/// Moment: after a command was given and while an agent talks
/// Outcome: the command is carried out once and settled once; every line is there once, in order
#[tokio::test]
async fn an_old_connection_that_delivers_late_doubles_nothing() {
    let (lab, proxy, daemon) = through_a_proxy(json!({"GO": [
        {"content": [text("one"), bash("true")]},
        {"content": [text("two"), write("a.txt", "a")]},
        {"content": [text("Done.")], "wait_for_file": "{{LAB}}/go"},
    ]}))
    .await;
    lab.server.kept().may_double = true;
    proxy.hold(Way::Up);
    let (run, id) = (lab.run("GO"), lab.clock.new_id());
    lab.server.command(id, Command::StartRun(Box::new(run.clone())));
    // It runs, and the server knows nothing of it.
    eventually(|| {
        std::fs::read_to_string(lab.run_folder(run.run).join("journal.jsonl"))
            .ok()?
            .contains("two")
            .then_some(())
    })
    .await;
    let connections = proxy.count();
    proxy.leave_behind();
    proxy.connected(connections + 1).await;
    // Both deliver now, the old one and the new one.
    proxy.open();
    hellos(&lab, 2).await;
    lab.said(&run, "two").await;
    lab.open("go");
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    lab.server.until(|kept| kept.settled.contains(&id).then_some(())).await;
    assert_eq!(said(&lab, &run), ["one", "two", "Done."]);
    let spawned = lab.story(&run).iter().filter(|line| *line == "spawned").count();
    assert_eq!((spawned, &lab.server.kept().finished[&id]), (1, &CommandOutcome::Done(CommandResult::Done)));
    lab.verify();
    daemon.stop().await;
}

/// Fault: the connection that carries a checkpoint's patch is cut in the middle
/// Moment: after a turn
/// Outcome: the patch is sent again from its beginning; the checkpoint is told once, and only after it
#[tokio::test]
async fn an_upload_that_is_torn_is_begun_again() {
    let (lab, proxy, daemon) = through_a_proxy(json!({"GO": [
        {"content": [text("begins"), bash("true")]},
        {"content": [bash("head -c 1200000 /dev/urandom | base64 > large.txt")], "wait_for_file": "{{LAB}}/go"},
        {"content": [text("Done.")]},
    ]}))
    .await;
    let run = lab.run("GO");
    lab.start(&run);
    lab.said(&run, "begins").await;
    // Entries are far smaller: it is the upload that is cut.
    proxy.cut_after(Way::Up, 500_000);
    lab.open("go");
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    assert!(proxy.has_cut(Way::Up));
    let patch = lab.until(&run, |record| match record {
        Record::Checkpoint(made) => made.patch.clone(),
        _ => None,
    });
    let patch = patch.await;
    assert!(lab.server.kept().blobs[&patch.hash].len() > 500_000);
    lab.verify();
    daemon.stop().await;
}

/// Fault: the connection is cut in the middle of a frame
/// Moment: while a long message is sent, and while a command is given
/// Outcome: the message is sent again whole, the command is given again; both are there once
#[tokio::test]
async fn a_frame_that_is_torn_is_sent_again() {
    let long = "x".repeat(300_000);
    let (lab, proxy, daemon) = through_a_proxy(json!({"GO": [
        {"content": [text("one"), bash("true")]},
        {"content": [text(&long), bash("true")], "chunk": 100_000, "wait_for_file": "{{LAB}}/go"},
        {"content": [text("Done.")], "wait_for_file": "{{LAB}}/end"},
    ], "MORE": [{"content": [text("more")]}]}))
    .await;
    let run = lab.run("GO");
    lab.start(&run);
    lab.said(&run, "one").await;
    proxy.cut_after(Way::Up, 100_000);
    lab.open("go");
    lab.said(&run, &long).await;
    assert!(proxy.has_cut(Way::Up));
    proxy.cut_after(Way::Down, 200);
    let mut input = lab.input("MORE");
    input.content += &" ".repeat(1000);
    let told = lab.order(Command::Input { run: run.run, input }).await;
    assert!(matches!(told, CommandOutcome::Done(_)), "{told:?}");
    assert!(proxy.has_cut(Way::Down));
    lab.open("end");
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    assert_eq!(said(&lab, &run), ["one", long.as_str(), "Done.", "more"]);
    lab.verify();
    daemon.stop().await;
}

/// How many messages an agent's script has, in pieces, with a moment between them.
const LINES: usize = 16;

fn talk(agent: usize) -> Vec<Value> {
    let step = |line| {
        let mut content = vec![text(&line_of(agent, line))];
        // Without a tool, the turn ends.
        content.extend((line + 1 < LINES).then(|| bash("true")));
        json!({"content": content, "chunk": 40, "chunk_delay_s": 0.02})
    };
    (0..LINES).map(step).collect()
}

fn line_of(agent: usize, line: usize) -> String {
    format!("{agent}/{line} {}", "and so on, ".repeat(1 + (agent * 7 + line * 5) % 30))
}

async fn agents_talk_through_faults(seed: u64, times: usize) {
    const AGENTS: usize = 3;
    let scripts: serde_json::Map<String, Value> =
        (0..AGENTS).map(|agent| (format!("AGENT {agent}"), talk(agent).into())).collect();
    let (lab, proxy, daemon) = through_a_proxy(scripts.into()).await;
    lab.server.kept().may_double = true;
    let runs: Vec<StartRun> = (0..AGENTS).map(|agent| lab.run(&format!("AGENT {agent}"))).collect();
    runs.iter().for_each(|run| lab.start(run));
    proxy.disturb(&mut Random::new(seed), times, Faults::All).await;
    for (agent, run) in runs.iter().enumerate() {
        assert_eq!(lab.ended(run).await.outcome, RunOutcome::Completed, "seed {seed}");
        let expected: Vec<String> = (0..LINES).map(|line| line_of(agent, line)).collect();
        assert_eq!(said(&lab, run), expected, "seed {seed}");
        let spawned = lab.story(run).iter().filter(|line| *line == "spawned").count();
        assert_eq!(spawned, 1, "seed {seed}");
        eventually(|| (!lab.run_folder(run.run).exists()).then_some(())).await;
    }
    lab.verify();
    daemon.stop().await;
}

/// Fault: cuts, stalls, slowness, swallowed directions and old connections that deliver late, as a seed says
/// Moment: while several agents talk
/// Outcome: every conversation is what its agent's script says, and every agent was started once
/// Pain: 20
#[tokio::test]
async fn several_agents_talk_through_whatever_the_network_does() {
    agents_talk_through_faults(20, 5).await;
}

/// Fault: cuts, stalls, slowness, swallowed directions and old connections that deliver late, as many seeds say
/// Moment: while several agents talk
/// Outcome: every conversation is what its agent's script says, and every agent was started once
#[tokio::test]
#[ignore = "long: many schedules of faults, one after the other"]
async fn several_agents_talk_through_many_networks() {
    for seed in 0..12 {
        agents_talk_through_faults(seed, 12).await;
    }
}
