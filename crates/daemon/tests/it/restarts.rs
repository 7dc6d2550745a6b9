//! A daemon that goes and comes back while agents work.

use crate::lab::{Lab, eventually, host_of, is_alive, kill, processes_of, text, write};
use makima_failpoints::Failpoints;
use makima_model::{Record, RunOutcome};
use makima_wire::frame::{Command, CommandOutcome, CommandResult};
use serde_json::json;

#[tokio::test]
async fn an_agent_never_notices_that_its_daemon_was_another_one() {
    let lab = Lab::new(json!({"GO": [
        {"content": [text("before"), write("a.txt", "a")]},
        {"content": [text("after")], "wait_for_file": "{{LAB}}/go"},
    ]}))
    .await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    lab.said(&run, "before").await;
    daemon.detach().await;
    let host = host_of(&lab, &run);
    assert!(is_alive(host));
    let daemon = lab.daemon().await;
    lab.open("go");
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    let story = lab.story(&run);
    assert_eq!(story.iter().filter(|line| *line == "spawned").count(), 1);
    assert!(story.contains(&"checkpoint 1".to_owned()), "{story:?}");
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn a_turn_that_ends_while_the_daemon_is_away_is_kept_by_the_next_one() {
    let lab = Lab::new(json!({
        "ONE": [{"content": [text("waits"), write("a.txt", "a")]},
                {"content": [text("one")], "wait_for_file": "{{LAB}}/go"}],
        "TWO": [{"content": [text("two")]}],
    }))
    .await;
    let daemon = lab.daemon().await;
    let run = lab.run("ONE");
    lab.start(&run);
    lab.said(&run, "waits").await;
    let outcome = lab.order(Command::Input { run: run.run, input: lab.input("TWO") }).await;
    assert!(matches!(outcome, CommandOutcome::Done(_)), "{outcome:?}");
    daemon.detach().await;
    lab.open("go");
    let journal = lab.run_folder(run.run).join("journal.jsonl");
    eventually(|| std::fs::read_to_string(&journal).unwrap().contains("turn_ended").then_some(())).await;
    // Nothing goes on before the turn has its checkpoint.
    assert!(!std::fs::read_to_string(&journal).unwrap().contains("TWO\",\"timestamp"));
    let daemon = lab.daemon().await;
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    let story = lab.story(&run);
    let at = |line: &str| story.iter().position(|told| told == line).unwrap();
    assert!(at("turn 1 completed") < at("checkpoint 1") && at("checkpoint 1") < at("user: TWO"), "{story:?}");
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn a_host_that_died_while_the_daemon_was_away_is_found_and_cleaned_up() {
    let lab = Lab::new(json!({"GO": [
        {"content": [text("works"), write("a.txt", "a")]},
        {"content": [text("never")], "hang": true},
    ]}))
    .await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    lab.said(&run, "works").await;
    daemon.detach().await;
    let host = host_of(&lab, &run);
    kill(host);
    eventually(|| (!is_alive(host)).then_some(())).await;
    assert!(!processes_of(run.run).is_empty(), "the agent outlives its host");
    let daemon = lab.daemon().await;
    let end = lab.ended(&run).await;
    assert_eq!(end.outcome, RunOutcome::Interrupted);
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn a_run_that_ended_without_its_daemon_has_its_end_told_by_the_next_one() {
    let lab = Lab::new(json!({"GO": [
        {"content": [text("waits"), write("a.txt", "a")]},
        {"content": [text("half a")], "wait_for_file": "{{LAB}}/go", "exit": {"code": 3}},
    ]}))
    .await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    lab.said(&run, "waits").await;
    daemon.detach().await;
    let host = host_of(&lab, &run);
    lab.open("go");
    eventually(|| (!is_alive(host)).then_some(())).await;
    let daemon = lab.daemon().await;
    let end = lab.ended(&run).await;
    assert_eq!(end.outcome, RunOutcome::Failed);
    // What the agent left in the worktree has its checkpoint.
    assert!(lab.story(&run).contains(&"checkpoint 1".to_owned()), "{:?}", lab.story(&run));
    lab.verify();
    daemon.stop().await;
}

/// Fault: the daemon is killed
/// Moment: when the start of a run is kept and not acknowledged
/// Outcome: the next daemon begins the run; what it says is told once, in order
/// Moment: when the worktree is made
/// Outcome: the next daemon goes on with the same worktree
/// Moment: when all is ready for the host and it isn't started
/// Outcome: the next daemon starts it, once
/// Moment: when the host has just been started
/// Outcome: the next daemon takes it up; there is one agent
/// Moment: when a checkpoint has its ref and is noted nowhere
/// Outcome: the next daemon finds it; the turn has one checkpoint
/// Moment: when a checkpoint is noted and its branch is not published
/// Outcome: the next daemon publishes it; the turn has one checkpoint
/// Moment: when a branch is published and that is noted nowhere
/// Outcome: the next daemon finds it published, and tells of it once
/// Moment: when a turn is kept and its host does not know
/// Outcome: the host is told by the next daemon, once
/// Moment: when what the agent left is committed and that is noted nowhere
/// Outcome: it is committed once
/// Moment: when all is done but the last entry
/// Outcome: the run ends once
/// Moment: when the last entry is written and not told
/// Outcome: the run ends once
/// Pain: 20, 22
#[tokio::test]
async fn a_run_comes_to_the_same_end_wherever_its_daemon_dies() {
    let mut lab = Lab::new(
        json!({"GO": [{"content": [text("I write."), write("a.txt", "a")]}, {"content": [text("Done.")]}]}),
    )
    .await;
    let steps = [
        "run.accepted",
        "run.prepared",
        "run.laid_out",
        "run.hosted",
        "checkpoint.ref",
        "checkpoint.made",
        "branch.published",
        "turn.kept",
        "rest.committed",
        "run.over",
        "run.ended",
    ];
    for step in steps {
        lab.failpoints = Failpoints::default();
        let daemon = lab.daemon().await;
        lab.failpoints.freeze_at(step);
        let run = lab.run("GO");
        lab.start(&run);
        eventually(|| lab.failpoints.is_frozen().then_some(())).await;
        daemon.detach().await;
        lab.failpoints = Failpoints::default();
        let daemon = lab.daemon().await;
        assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed, "{step}");
        let story = lab.story(&run);
        let expected = [
            "prepared",
            "spawned",
            "user: GO",
            "assistant: I write.",
            "tool: Write",
            "assistant: Done.",
            "turn 1 completed",
            "checkpoint 1",
            "published",
            "published",
            "ended completed",
        ];
        assert_eq!(story, expected, "{step}");
        let commits = lab.repo.git(["rev-list", "--count", &run.branch_name]);
        assert_eq!(commits, "2", "{step}");
        daemon.detach().await;
    }
    lab.verify();
}

/// Fault: the daemon is killed
/// Moment: when a checkpoint by hand, made during a turn, has its ref and is noted nowhere
/// Outcome: it is told with its own number; the turn's checkpoint holds what the agent did after it
#[tokio::test]
async fn a_checkpoint_that_was_cut_off_does_not_take_the_place_of_the_turns() {
    let mut lab = Lab::new(json!({"GO": [
        {"content": [text("before"), write("a.txt", "a")]},
        {"content": [text("after"), write("a.txt", "b")], "wait_for_file": "{{LAB}}/go"},
        {"content": [text("Done.")]},
    ]}))
    .await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    lab.said(&run, "before").await;
    lab.failpoints.freeze_at("checkpoint.ref");
    let (command, checkpoint) = (lab.clock.new_id(), lab.clock.new_id());
    let by_hand = Command::Checkpoint {
        task: run.task,
        run: run.run,
        id: checkpoint,
        message: "By hand".to_owned(),
        last: None,
    };
    lab.server.command(command, by_hand);
    eventually(|| lab.failpoints.is_frozen().then_some(())).await;
    daemon.detach().await;
    lab.open("go");
    let journal = lab.run_folder(run.run).join("journal.jsonl");
    eventually(|| std::fs::read_to_string(&journal).unwrap().contains("turn_ended").then_some(())).await;
    lab.failpoints = Failpoints::default();
    let daemon = lab.daemon().await;
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    let outcome = lab.server.until(|kept| kept.finished.get(&command).cloned()).await;
    let CommandOutcome::Done(CommandResult::Checkpoint(made)) = outcome else { panic!("{outcome:?}") };
    let of_turn = lab.until(&run, |record| match record {
        Record::Checkpoint(made) => Some(made.clone()),
        _ => None,
    });
    let of_turn = of_turn.await;
    assert_eq!((made.made.number, of_turn.number), (1, 2));
    assert_eq!(made.made.id, checkpoint);
    let worktree = lab.worktree(&run);
    let held = |sha: &str| lab.repo.git(["-C", worktree.to_str().unwrap(), "show", &format!("{sha}:a.txt")]);
    assert_eq!((held(&made.made.commit_sha), held(&of_turn.commit_sha)), ("a".to_owned(), "b".to_owned()));
    lab.verify();
    daemon.stop().await;
}

/// Fault: daemon and git are killed
/// Moment: while git writes the ref of a checkpoint
/// Outcome: the next daemon makes the checkpoint; the lock that git left stops none
#[tokio::test]
async fn a_lock_that_a_killed_git_left_stops_no_checkpoint() {
    let lab = Lab::new(json!({"GO": [
        {"content": [text("works"), write("a.txt", "a")]},
        {"content": [text("Done.")], "wait_for_file": "{{LAB}}/go"},
    ]}))
    .await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    lab.said(&run, "works").await;
    daemon.detach().await;
    let mut clones = std::fs::read_dir(lab.data().join("repositories")).unwrap();
    let clone = clones.find_map(|entry| Some(entry.unwrap().path()).filter(|path| path.is_dir())).unwrap();
    let refs = clone.join(format!("refs/makima/tasks/{}/checkpoints", run.task));
    std::fs::create_dir_all(&refs).unwrap();
    std::fs::write(refs.join("1.lock"), "").unwrap();
    let daemon = lab.daemon().await;
    lab.open("go");
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    assert!(lab.story(&run).contains(&"checkpoint 1".to_owned()), "{:?}", lab.story(&run));
    lab.verify();
    daemon.stop().await;
}

#[tokio::test]
async fn a_run_that_was_only_accepted_is_begun_by_the_next_daemon() {
    let lab = Lab::new(json!({"GO": [{"content": [text("Done.")]}]})).await;
    let run = lab.run("GO");
    // As a daemon leaves it that is killed between its acknowledgement and the clone.
    let folder = lab.run_folder(run.run);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("spec.json"), serde_json::to_vec(&run).unwrap()).unwrap();
    let daemon = lab.daemon().await;
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    let spawned = lab.until(&run, |record| matches!(record, Record::Spawned { .. }).then_some(()));
    spawned.await;
    lab.verify();
    daemon.stop().await;
}

/// Fault: the daemon is killed
/// Moment: when it has kept a checkpoint's command and not begun it
/// Outcome: the next daemon makes the checkpoint, once
/// Moment: when the checkpoint is made and what came of it is not kept
/// Outcome: the next daemon finds the checkpoint, and tells of it once
/// Moment: when what came of it is kept and not told
/// Outcome: the next daemon tells of it once
#[tokio::test]
async fn a_checkpoint_by_hand_is_made_once_wherever_the_daemon_dies() {
    let mut lab = Lab::new(json!({"GO": [{"content": [text("Done."), write("a.txt", "a")]}]})).await;
    let daemon = lab.daemon().await;
    let run = lab.run("GO");
    lab.start(&run);
    lab.ended(&run).await;
    daemon.detach().await;
    for (number, step) in (2..).zip(["command.kept", "command.done", "command.told"]) {
        lab.failpoints = Failpoints::default();
        let daemon = lab.daemon().await;
        lab.failpoints.freeze_at(step);
        let id = lab.clock.new_id();
        let (task, checkpoint) = (run.task, lab.clock.new_id());
        let command =
            Command::Checkpoint { task, run: run.run, id: checkpoint, message: step.to_owned(), last: None };
        lab.server.command(id, command);
        eventually(|| lab.failpoints.is_frozen().then_some(())).await;
        daemon.detach().await;
        assert_eq!(lab.server.kept().finished.get(&id), None, "{step}");

        lab.failpoints = Failpoints::default();
        let daemon = lab.daemon().await;
        let outcome = lab.server.until(|kept| kept.finished.get(&id).cloned()).await;
        let CommandOutcome::Done(CommandResult::Checkpoint(made)) = outcome else { panic!("{outcome:?}") };
        assert_eq!((made.made.id, made.made.number), (checkpoint, number), "{step}");
        daemon.detach().await;
    }
    lab.verify();
}
