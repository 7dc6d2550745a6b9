//! The ways in which a run ends that isn't simply done, and what is left of it: nothing.

use crate::lab::{Lab, bash, eventually, host_of, is_alive, kill, number_in, processes_of, text, write};
use makima_agents::AgentConfig;
use makima_daemon::{Daemon, DaemonConfig, host::Patience};
use makima_model::{Answer, Record, RunOutcome, StopReason};
use makima_wire::{
    Code,
    frame::{Command, CommandOutcome, CommandResult, Refusal, StartRun},
};
use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt, process::Command as Program, time::Duration};

/// Starts a process with a session and an environment of its own, and leaves word of its number.
const STRAY: &str = "setsid env -i sleep 1000 >/dev/null 2>&1 & echo $! > {{LAB}}/stray";

fn done() -> CommandOutcome {
    CommandOutcome::Done(CommandResult::Done)
}

#[tokio::test]
async fn a_stopped_agent_is_interrupted_its_turn_ends_and_is_kept() {
    let lab = Lab::new(json!({"GO": [
        {"content": [write("half.txt", "half")]},
        {"content": [text("on and on")], "endless": true},
    ]}))
    .await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    lab.server.until(|kept| kept.deltas.iter().any(|(of, _)| *of == run.run).then_some(())).await;
    assert_eq!(lab.stop(&run).await, done());
    let end = lab.ended(&run).await;
    assert_eq!((end.outcome, end.reason.as_deref()), (RunOutcome::Interrupted, Some("stopped by its owner")));
    let story = lab.story(&run);
    assert!(story.contains(&"turn 1 interrupted".to_owned()), "{story:?}");
    assert!(story.contains(&"checkpoint 1".to_owned()), "{story:?}");
    // Once more: it has ended.
    assert_eq!(lab.stop(&run).await, done());
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn an_agent_that_ignores_everything_is_killed_with_all_that_came_from_it() {
    let mut lab = Lab::new(json!({})).await;
    let stray = lab.file("stray");
    let script = format!(
        "[ $0 = --version ] && exit; trap '' TERM INT HUP; setsid env -i sleep 1000 >/dev/null 2>&1 & echo $! > {}; while :; do sleep 1; done",
        stray.display()
    );
    lab.patience = Patience { interrupt: Duration::from_millis(50), ..lab.patience };
    lab.agents.insert(
        "deaf".to_owned(),
        AgentConfig {
            command: vec!["sh".to_owned(), "-c".to_owned(), script],
            scenario: lab.agents["scripted"].scenario.clone(),
            ..AgentConfig::default()
        },
    );
    let daemon = lab.daemon().await;
    let mut run = lab.run("GO");
    run.agent = "deaf".to_owned();
    lab.start(&run);
    let stray = number_in(&stray).await;
    assert!(is_alive(stray));
    assert_eq!(lab.stop(&run).await, done());
    let end = lab.ended(&run).await;
    assert_eq!(end.reason.as_deref(), Some("stopped by its owner"));
    assert!(!is_alive(stray), "{}", fs::read_to_string(format!("/proc/{stray}/status")).unwrap());
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn what_an_agent_leaves_running_goes_with_it() {
    let lab = Lab::new(json!({"GO": [{"content": [bash(STRAY)]}, {"content": [text("Done.")]}]})).await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    assert!(!is_alive(number_in(&lab.file("stray")).await));
    lab.verify();
    daemon.stop().await;
}

/// Fault: the run host is killed
/// Moment: while a tool runs that left a child with a session of its own and an empty environment
/// Outcome: the run is interrupted, with the turn and the tool it had come to; the child is gone, and a stranger in the worktree is not
#[tokio::test]
async fn a_killed_host_leaves_an_interrupted_run_and_no_process() {
    let lab = Lab::new(json!({"GO": [
        {"content": [write("half.txt", "half")]},
        {"content": [bash("(setsid env -i sleep 1000 >/dev/null 2>&1 & echo $! > {{LAB}}/stray)")]},
        {"content": [bash("sleep 1000 & echo $! > {{LAB}}/child; wait")]},
    ]}))
    .await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    let strays = [number_in(&lab.file("stray")).await, number_in(&lab.file("child")).await];
    lab.until(&run, |record| match record {
        Record::Message { message } => (message.tool_calls.len() == 1
            && message.tool_calls[0].input["command"]
                .as_str()
                .is_some_and(|command| command.contains("child")))
        .then_some(()),
        _ => None,
    })
    .await;
    let mut stranger = Program::new("sleep").arg("1000").current_dir(lab.worktree(&run)).spawn().unwrap();
    kill(host_of(&lab, &run));
    let end = lab.ended(&run).await;
    let alive = is_alive(i32::try_from(stranger.id()).unwrap());
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert!(alive, "a process that is not the run's was killed");
    assert_eq!(end.outcome, RunOutcome::Interrupted);
    let reason = end.reason.unwrap();
    assert!(reason.contains("was killed") && reason.ends_with("(turn 1, while it used Bash)"), "{reason}");
    for stray in strays {
        assert!(!is_alive(stray), "{}", fs::read_to_string(format!("/proc/{stray}/status")).unwrap());
    }
    // The worktree is as the agent left it.
    assert_eq!(fs::read_to_string(lab.worktree(&run).join("half.txt")).unwrap(), "half");
    lab.verify();
    daemon.stop().await;
}

/// Fault: the run host is killed
/// Moment: while the agent streams a message
/// Outcome: what was streamed is kept and marked as incomplete; the run is interrupted
#[tokio::test]
async fn what_was_streamed_outlives_a_killed_host() {
    let lab = Lab::new(json!({"GO": [{"content": [text("half a message")], "hang": true}]})).await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    let streamed = lab.run_folder(run.run).join("streamed.jsonl");
    eventually(|| fs::read_to_string(&streamed).ok()?.contains("half a message").then_some(())).await;
    kill(host_of(&lab, &run));
    let end = lab.ended(&run).await;
    assert_eq!(end.outcome, RunOutcome::Interrupted);
    let reason = end.reason.unwrap();
    assert!(reason.ends_with("(turn 1, after it said “half a message”)"), "{reason}");
    let incomplete = lab.until(&run, |record| match record {
        Record::Message { message } if message.incomplete => Some(message.content.clone()),
        _ => None,
    });
    assert_eq!(incomplete.await, "half a message");
    lab.verify();
    daemon.stop().await;
}

/// A program in the place of the host's, which calls that as `$HOST`.
fn instead_of_the_host(lab: &Lab, script: &str) -> DaemonConfig {
    let (file, config) = (lab.file("host"), lab.config());
    fs::write(
        &file,
        format!(
            "#!/bin/sh\nHOST={}\n[ \"$1\" = run-host ] || exec $HOST \"$@\"\n{script}\n",
            config.program.display()
        ),
    )
    .unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    DaemonConfig { program: file, ..config }
}

/// Fault: the run host is killed
/// Moment: before it can be talked to
/// Outcome: the run is interrupted, not failed
#[tokio::test]
async fn a_host_that_is_killed_before_it_can_be_talked_to_leaves_an_interrupted_run() {
    let lab = Lab::new(json!({"GO": [{"content": [text("never")], "hang": true}]})).await;
    let at_once = "kill -9 $$";
    let with_word_of_itself =
        "$HOST \"$@\" >/dev/null & until [ -e \"$2/process.json\" ]; do sleep 0.01; done; kill -9 $! $$";
    for script in [at_once, with_word_of_itself] {
        let daemon = Daemon::start(instead_of_the_host(&lab, script)).await.unwrap();
        let run = lab.run("GO");
        lab.start(&run);
        let end = lab.ended(&run).await;
        assert_eq!(end.outcome, RunOutcome::Interrupted, "{script}: {end:?}");
        assert!(end.reason.as_ref().unwrap().contains("was killed"), "{script}: {end:?}");
        lab.verify();
        daemon.stop().await;
    }
}

/// Fault: the daemon is killed
/// Moment: when it has just started a run host, which comes up later than the next daemon's
/// Outcome: there is one host and one agent, and the run goes on
#[tokio::test]
async fn a_host_of_an_earlier_daemon_that_comes_up_late_is_taken_up() {
    let lab = Lab::new(json!({"GO": [{"content": [text("Done.")]}]})).await;
    let script = "setsid $HOST \"$@\" >/dev/null & until [ -e \"$2/process.json\" ]; do sleep 0.01; done; exec $HOST \"$@\"";
    let daemon = Daemon::start(instead_of_the_host(&lab, script)).await.unwrap();
    let run = lab.run("GO");
    lab.start(&run);
    let end = lab.ended(&run).await;
    assert_eq!(end.outcome, RunOutcome::Completed, "{end:?}");
    assert_eq!(lab.story(&run).iter().filter(|line| *line == "spawned").count(), 1);
    lab.verify();
    daemon.stop().await;
}

/// Fault: the agent is killed
/// Moment: while it streams a message
/// Outcome: the run is interrupted, with the signal and the message it had come to, which is kept as incomplete
#[tokio::test]
async fn an_agent_that_is_killed_leaves_an_interrupted_run_that_says_so() {
    let lab = Lab::new(json!({"GO": [{"content": [text("half a")], "crash": true}]})).await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    let end = lab.ended(&run).await;
    assert_eq!(end.outcome, RunOutcome::Interrupted);
    let reason = end.reason.unwrap();
    assert!(reason.contains("signal 9") && reason.ends_with("(turn 1, after it said “half a”)"), "{reason}");
    assert!(lab.story(&run).contains(&"assistant: half a".to_owned()), "{:?}", lab.story(&run));
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn an_agent_whose_program_is_missing_fails_its_run_with_what_to_do() {
    let mut lab = Lab::new(json!({})).await;
    let missing = AgentConfig { command: vec!["no-such-program".to_owned()], ..AgentConfig::default() };
    lab.agents.insert("claude".to_owned(), missing);
    let daemon = lab.daemon().await;
    let names: Vec<&str> = daemon.agents().iter().map(|agent| agent.name.as_str()).collect();
    assert_eq!(names, ["scripted"]);
    assert!(daemon.agents()[0].default);
    let mut run = lab.run("GO");
    run.agent = "claude".to_owned();
    lab.start(&run);
    let end = lab.ended(&run).await;
    let reason = end.reason.unwrap();
    assert_eq!(end.outcome, RunOutcome::Failed);
    assert!(reason.contains("\"no-such-program\"") && reason.contains("agents.claude.command"), "{reason}");
    let mut run = lab.run("GO");
    run.agent = "gemini".to_owned();
    lab.start(&run);
    assert!(lab.ended(&run).await.reason.unwrap().contains("[agents.gemini]"));
    daemon.stop().await;
}

#[tokio::test]
async fn a_repository_that_is_not_there_fails_the_run_and_is_named() {
    let lab = Lab::new(json!({})).await;
    let daemon = lab.daemon().await;
    let mut run = lab.run("GO");
    run.repository = lab.file("nowhere").to_str().unwrap().to_owned();
    lab.start(&run);
    let end = lab.ended(&run).await;
    assert_eq!(end.outcome, RunOutcome::Failed);
    assert!(end.reason.unwrap().contains("nowhere"));
    let mut run = lab.run("GO");
    run.base_branch = Some("no-such-branch".to_owned());
    lab.start(&run);
    assert!(lab.ended(&run).await.reason.unwrap().contains("no-such-branch"));
    daemon.stop().await;
}

#[tokio::test]
async fn a_daemon_that_shuts_down_stops_its_agents_and_tells_the_server() {
    let lab = Lab::new(json!({"GO": [{"content": [text("on and on")], "endless": true}]})).await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    lab.server.until(|kept| kept.deltas.iter().any(|(of, _)| *of == run.run).then_some(())).await;
    daemon.stop().await;
    let end = lab.ended(&run).await;
    assert_eq!((end.outcome, end.reason.as_deref()), (RunOutcome::Interrupted, Some("shutdown")));
    assert!(!lab.run_folder(run.run).exists());
    lab.verify();
}

#[tokio::test]
async fn a_host_whose_daemon_does_not_come_back_stops_its_agent() {
    let mut lab = Lab::new(json!({"GO": [{"content": [text("on and on")], "endless": true}]})).await;
    lab.patience = Patience { daemon: Duration::from_millis(200), ..lab.patience };
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    lab.server.until(|kept| kept.deltas.iter().any(|(of, _)| *of == run.run).then_some(())).await;
    let host = host_of(&lab, &run);
    daemon.detach().await;
    eventually(|| (!is_alive(host)).then_some(())).await;
    assert_eq!(processes_of(run.run), [0; 0]);
    let daemon = lab.daemon().await;
    let end = lab.ended(&run).await;
    assert_eq!(end.outcome, RunOutcome::Interrupted);
    assert!(end.reason.unwrap().contains("daemon was gone"));
    assert!(lab.story(&run).contains(&"turn 1 interrupted".to_owned()));
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn a_question_waits_for_its_answer_and_takes_it_once() {
    let lab = Lab::new(json!({"GO": [
        {"content": [text("May I?")], "ask": {"text": "Which?", "choices": ["a", "b"]}},
        {"content": [text("Thanks.")]},
    ]}))
    .await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    let question = lab.until(&run, |record| match record {
        Record::Asked { question } => Some(question.id),
        _ => None,
    });
    let question = question.await;
    let answer = |text: &str| Command::Answer {
        run: run.run,
        question,
        answer: Answer::Text { text: text.to_owned() },
    };
    assert_eq!(lab.order(answer("a")).await, done());
    // The same again may come; another answer comes too late. Both may find the run ended.
    let late = lab.order(answer("b")).await;
    let codes = [Code::Conflict, Code::NotRunning];
    assert!(
        matches!(late, CommandOutcome::Refused(Refusal { code, .. }) if codes.contains(&code)),
        "{late:?}"
    );
    lab.said(&run, "Thanks.").await;
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    let answered = lab.story(&run).iter().filter(|line| *line == "answered").count();
    assert_eq!(answered, 1);
    daemon.stop().await;
}

#[tokio::test]
async fn what_comes_for_a_run_that_has_ended_is_refused() {
    let lab = Lab::new(json!({"GO": [{"content": [text("Done.")]}]})).await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    lab.ended(&run).await;
    let outcome = lab.order(Command::Input { run: run.run, input: lab.input("more") }).await;
    assert!(
        matches!(outcome, CommandOutcome::Refused(Refusal { code: Code::NotRunning, .. })),
        "{outcome:?}"
    );
    daemon.stop().await;
}

#[tokio::test]
async fn a_run_that_the_server_replaced_is_stopped() {
    let lab = Lab::new(json!({"GO": [{"content": [text("on and on")], "endless": true}]})).await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    lab.until(&run, |record| matches!(record, Record::Spawned { .. }).then_some(())).await;
    let outcome = lab.order(Command::Stop { run: run.run, reason: StopReason::Replaced }).await;
    assert_eq!(outcome, done());
    assert!(lab.ended(&run).await.reason.unwrap().contains("newer run"));
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn a_task_has_one_agent_at_a_time() {
    let lab = Lab::new(json!({
        "FIRST": [{"content": [text("on and on")], "endless": true}],
        "SECOND": [{"content": [text("second")]}],
    }))
    .await;
    let daemon = lab.daemon().await;
    let first = lab.run("FIRST");
    lab.start(&first);
    lab.server.until(|kept| kept.deltas.iter().any(|(of, _)| *of == first.run).then_some(())).await;
    let mut second = lab.run("SECOND");
    (second.task, second.branch_name, second.run_number) = (first.task, first.branch_name.clone(), 2);
    lab.start(&second);
    assert_eq!(lab.ended(&second).await.outcome, RunOutcome::Completed);
    assert!(lab.ended(&first).await.reason.unwrap().contains("newer run"));
    let at = |run: &StartRun, told: fn(&Record) -> bool| {
        lab.server.kept().entries[&run.run].iter().find(|entry| told(&entry.record)).unwrap().at
    };
    let ended = at(&first, |record| matches!(record, Record::Ended(_)));
    let spawned = at(&second, |record| matches!(record, Record::Spawned { .. }));
    assert!(ended <= spawned, "the first ended at {ended}, the second began at {spawned}");
    lab.verify();
    daemon.stop().await;
}

/// An agent whose program is this shell script.
fn program(lab: &Lab, script: &str) -> AgentConfig {
    AgentConfig {
        command: vec!["sh".to_owned(), "-c".to_owned(), format!("[ \"$0\" = --version ] && exit; {script}")],
        scenario: lab.agents["scripted"].scenario.clone(),
        ..AgentConfig::default()
    }
}

#[tokio::test]
async fn an_agent_that_misbehaves_fails_clearly_and_touches_no_other_run() {
    let mut lab = Lab::new(json!({"GO": [
        {"content": [write("a.txt", "a\n")]},
        {"content": [text("Done.")], "wait_for_file": "{{LAB}}/go"},
    ]}))
    .await;
    let cases = [
        ("gone", "exit 7", "7"),
        ("talker", "echo 'please log in first' >&2; exit 1", "please log in first"),
        ("noise", "head -c 300000 /dev/urandom; exit 3", "3"),
        ("latin", r"printf '\377\376 caf\351\n{\n[]\nnull\n\n\000\n'; exit 4", "4"),
        ("endless", "head -c 70000000 /dev/zero | tr '\\0' x; exit 5", "5"),
    ];
    for (name, script, _) in cases {
        let config = program(&lab, script);
        lab.agents.insert(name.to_owned(), config);
    }
    let daemon = lab.daemon().await;
    let good = lab.run("GO");
    lab.start(&good);
    for (name, _, told) in cases {
        let mut run = lab.run("GO");
        run.agent = name.to_owned();
        lab.start(&run);
        let end = lab.ended(&run).await;
        assert_eq!(end.outcome, RunOutcome::Failed, "{name}: {end:?}");
        let reason = end.reason.unwrap_or_default();
        assert!(reason.contains(told), "{name}: {reason}");
        assert!(reason.chars().count() < 5000 && !reason.contains(char::is_control), "{name}: {reason:?}");
    }
    lab.open("go");
    assert_eq!(lab.ended(&good).await.outcome, RunOutcome::Completed);
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn an_agent_that_says_nothing_is_told_of_and_left_alone() {
    let mut lab = Lab::new(json!({})).await;
    lab.patience =
        Patience { quiet: Duration::from_millis(100), interrupt: Duration::from_millis(50), ..lab.patience };
    let config = program(&lab, "sleep 1000");
    lab.agents.insert("silent".to_owned(), config);
    let daemon = lab.daemon().await;
    let mut run = lab.run("GO");
    run.agent = "silent".to_owned();
    lab.start(&run);
    // Twice, each time after twice as long; it lives on until somebody stops it.
    lab.server
        .until(|kept| {
            let entries = kept.entries.get(&run.run)?;
            let told = entries.iter().filter(|entry| {
                matches!(&entry.record, Record::Notice { text, .. } if text.contains("has said nothing for"))
            });
            (told.count() >= 2).then_some(())
        })
        .await;
    assert_eq!(lab.stop(&run).await, done());
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Interrupted);
    daemon.stop().await;
}
