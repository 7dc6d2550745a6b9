//! A daemon whose disk is full or read-only, and then isn't.

use crate::lab::{Lab, bash, eventually, host_of, is_alive, kill, text, write};
use makima_model::{CommandId, Record, RunOutcome, StopReason};
use makima_testkit::{ReadOnly, SmallDisk, with_own_mounts};
use makima_wire::frame::{Command, StartRun};
use serde_json::json;
use std::{fs, path::Path, process::Command as Program, time::Duration};

/// The run's messages in their order, each once, and no hole among its entries: the lab's server looks for those.
fn said(lab: &Lab, run: &StartRun) -> Vec<String> {
    lab.story(run)
        .into_iter()
        .filter_map(|told| told.strip_prefix("assistant: ").map(str::to_owned))
        .collect()
}

/// git's own look at a clone.
fn check(clone: &Path) {
    let output = Program::new("git")
        .args(["--git-dir", clone.to_str().unwrap(), "fsck", "--no-dangling", "--no-progress"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn clone_of(lab: &Lab) -> std::path::PathBuf {
    let entries = fs::read_dir(lab.data().join("repositories")).unwrap();
    entries.map(|entry| entry.unwrap().path()).find(|path| path.join("HEAD").exists()).unwrap()
}

/// What is told of the daemon's trouble now.
async fn trouble(lab: &Lab, is_it: impl Fn(Option<&str>) -> bool) {
    lab.server.until(|kept| is_it(kept.troubles.last()?.as_deref()).then_some(())).await;
}

/// Files that agents wait for, where there always is room for them.
struct Gates(tempfile::TempDir);

impl Gates {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn open(&self, name: &str) {
        fs::write(self.path(name), "").unwrap();
    }

    /// Has the agent keep its own memory here: it is the journal that finds no room, not the agent.
    fn keep_session(&self, lab: &Lab, run: &StartRun) {
        fs::create_dir_all(lab.run_folder(run.run)).unwrap();
        std::os::unix::fs::symlink(self.0.path(), lab.run_folder(run.run).join("session")).unwrap();
    }
}

fn is_no_room(trouble: Option<&str>) -> bool {
    trouble.is_some_and(|said| said.contains("no room left") && said.contains("run waits"))
}

/// Fault: the daemon's disk is full
/// Moment: while the agent talks
/// Outcome: the agent is paused, which the server is told at once; with room again it goes on, and every line is there once, in
/// order
#[test]
fn an_agent_whose_journal_finds_no_room_is_paused_and_goes_on() {
    with_own_mounts(async {
        let (disk, gates) = (SmallDisk::mount(32 << 20), Gates::new());
        let mut steps = vec![json!({"content": [text("before"), bash("true")]})];
        // As much as no pipe holds.
        steps.extend((0..40).map(|n| {
            let long = format!("{n} {}", "x".repeat(8 << 10));
            json!({"content": [text(&long), bash("true")], "wait_for_file": gates.path("full")})
        }));
        steps.push(json!({"content": [text("after")]}));
        let lab = Lab::in_folder(disk.folder(), json!({"GO": steps})).await;
        let daemon = lab.daemon().await;
        let run = lab.run("GO");
        gates.keep_session(&lab, &run);
        lab.start(&run);
        lab.said(&run, "before").await;
        disk.fill(0);
        gates.open("full");
        trouble(&lab, is_no_room).await;
        let host = host_of(&lab, &run);
        assert!(is_alive(host));
        disk.make_room();
        assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
        let said = said(&lab, &run);
        assert_eq!((said.len(), said[0].as_str(), said[41].as_str()), (42, "before", "after"));
        for (n, text) in said[1..41].iter().enumerate() {
            assert!(text.starts_with(&format!("{n} x")), "{text}");
        }
        trouble(&lab, |trouble| !is_no_room(trouble)).await;
        lab.verify();
        daemon.stop().await;
    });
}

/// Fault: the daemon's disk is full
/// Moment: while the agent is paused for it and its owner stops it
/// Outcome: the agent is stopped at once; what it had said is told when there is room
/// Fault: the daemon is killed
/// Moment: while an agent is paused because its disk is full
/// Outcome: the host lives, the next daemon is told why it waits, and nothing is lost
#[test]
fn an_agent_that_is_paused_for_want_of_room_can_be_stopped() {
    with_own_mounts(async {
        let (disk, gates) = (SmallDisk::mount(32 << 20), Gates::new());
        // More than what is left of the journal's last page.
        let long = "x".repeat(8 << 10);
        let steps = json!({"GO": [
            {"content": [text("before"), bash("true")]},
            {"content": [text(&long), bash("sleep 1000")], "wait_for_file": gates.path("full")},
        ]});
        let mut lab = Lab::in_folder(disk.folder(), steps).await;
        lab.patience.interrupt = Duration::from_secs(1);
        let daemon = lab.daemon().await;
        let run = lab.run("GO");
        gates.keep_session(&lab, &run);
        lab.start(&run);
        lab.said(&run, "before").await;
        disk.fill(0);
        gates.open("full");
        trouble(&lab, is_no_room).await;
        // As after a restart: the host is asked anew.
        daemon.detach().await;
        let daemon = lab.daemon().await;
        trouble(&lab, is_no_room).await;

        let host = host_of(&lab, &run);
        let children = || {
            let children =
                fs::read_to_string(format!("/proc/{host}/task/{host}/children")).unwrap_or_default();
            children.split_whitespace().count()
        };
        assert!(children() > 0, "the agent lives");
        let stop = lab.clock.new_id();
        lab.server.command(stop, Command::Stop { run: run.run, reason: StopReason::Owner });
        eventually(|| (children() == 0).then_some(())).await;
        assert!(is_alive(host), "what it holds is not on the disk yet");
        assert!(!lab.server.kept().acknowledged.contains(&stop), "it is not durable");
        disk.make_room();
        lab.server.until(|kept| kept.finished.get(&stop).cloned()).await;
        assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Interrupted);
        assert_eq!(said(&lab, &run), ["before", &long]);
        lab.verify();
        daemon.stop().await;
    });
}

/// Fault: the daemon's disk is full
/// Moment: while a turn's checkpoint is made
/// Outcome: that is told in clear words, nothing half-made stays, and the next turn's checkpoint holds both
#[test]
fn a_checkpoint_that_finds_no_room_is_made_by_the_next_turn() {
    with_own_mounts(async {
        let (disk, gates) = (SmallDisk::mount(32 << 20), Gates::new());
        let steps = json!({"ONE": [
            {"content": [text("one"), bash("head -c 3000000 /dev/urandom > one.bin; touch ../one")]},
            {"content": [text("written")], "wait_for_file": gates.path("full")},
        ], "TWO": [{"content": [text("two"), write("two.txt", "2")], "wait_for_file": gates.path("room")}]});
        let lab = Lab::in_folder(disk.folder(), steps).await;
        let daemon = lab.daemon().await;
        let run = lab.run("ONE");
        lab.start(&run);
        let worktree = lab.worktree(&run);
        eventually(|| worktree.join("../one").exists().then_some(())).await;
        // Room for the journal, not for an object of three megabytes.
        disk.fill(1 << 20);
        lab.order(Command::Input { run: run.run, input: lab.input("TWO") }).await;
        gates.open("full");
        let message = lab
            .until(&run, |record| match record {
                Record::CheckpointFailed { turn: 1, message } => Some(message.clone()),
                _ => None,
            })
            .await;
        assert!(message.contains("no room left") && message.contains("next turn"), "{message}");
        disk.make_room();
        gates.open("room");
        assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
        let made = lab
            .until(&run, |record| match record {
                Record::Checkpoint(made) if made.turn == Some(2) => Some(made.clone()),
                _ => None,
            })
            .await;
        let paths: Vec<&str> = made.files_changed.iter().map(|file| file.path.as_str()).collect();
        assert_eq!((made.number, paths), (1, vec!["one.bin", "two.txt"]));
        check(&clone_of(&lab));
        lab.verify();
        daemon.stop().await;
    });
}

/// Fault: the daemon's disk is full
/// Moment: while the clone is made, and while the worktree is
/// Outcome: the run is interrupted and says why; what was half made is gone, and the next run begins
#[test]
fn a_run_that_finds_no_room_for_its_worktree_can_be_started_again() {
    with_own_mounts(async {
        // Too little for the clone; then enough for the clone, and too little for the worktree.
        for but in [2 << 20, 6 << 20] {
            let disk = SmallDisk::mount(32 << 20);
            let lab = Lab::in_folder(disk.folder(), json!({"GO": [{"content": [text("Done.")]}]})).await;
            let noise = Program::new("head").args(["-c", "4000000", "/dev/urandom"]).output().unwrap().stdout;
            fs::write(lab.repo.path().join("large.bin"), noise).unwrap();
            lab.repo.git(["add", "large.bin"]);
            lab.repo.git(["commit", "--quiet", "-m", "Something large"]);
            let daemon = lab.daemon().await;
            disk.fill(but);
            let run = lab.run("GO");
            lab.start(&run);
            let end = lab.ended(&run).await;
            assert_eq!(end.outcome, RunOutcome::Interrupted, "{end:?}");
            assert!(end.reason.as_ref().unwrap().contains("no room left"), "{end:?}");
            disk.make_room();
            let again = StartRun { run: lab.clock.new_id(), run_number: run.run_number + 1, ..run };
            lab.start(&again);
            assert_eq!(lab.ended(&again).await.outcome, RunOutcome::Completed);
            check(&clone_of(&lab));
            lab.verify();
            daemon.stop().await;
        }
    });
}

/// Fault: the daemon's disk becomes read-only
/// Moment: when a run is to start, and when its result was told
/// Outcome: the command is not acknowledged and the server is told why; the connection stays; it is carried out once, when the
/// disk can be written again
#[test]
fn a_command_that_a_read_only_disk_does_not_take_waits() {
    with_own_mounts(async {
        let lab = Lab::new(json!({"GO": [{"content": [text("Done.")]}]})).await;
        let daemon = lab.daemon().await;
        let read_only = ReadOnly::make(&lab.data());
        let run = lab.run("GO");
        let id = lab.clock.new_id();
        lab.server.command(id, Command::StartRun(Box::new(run.clone())));
        trouble(&lab, |trouble| trouble.is_some_and(|said| said.contains("read-only"))).await;
        assert!(!lab.server.kept().acknowledged.contains(&id));
        // What needs no disk is done all the same.
        let repository = lab.repo.path().to_str().unwrap().to_owned();
        lab.order(Command::CheckRepository { repository, base_branch: None }).await;
        assert_eq!(lab.server.kept().hellos.len(), 1, "the connection was kept");
        drop(read_only);
        assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
        trouble(&lab, |trouble| trouble.is_none()).await;
        assert_eq!(lab.server.kept().hellos.len(), 1);
        lab.verify();
        daemon.stop().await;
    });
}

/// Fault: the daemon's disk becomes read-only, and a run host is killed
/// Moment: while its agent works
/// Outcome: the server is told that the run waits, and the run is interrupted when the disk can be written again
#[test]
fn a_run_whose_end_can_not_be_written_is_ended_when_it_can() {
    with_own_mounts(async {
        let steps = json!({"GO": [{"content": [text("before"), bash("sleep 1000")]}]});
        let lab = Lab::new(steps).await;
        let daemon = lab.daemon().await;
        let run = lab.run("GO");
        lab.start(&run);
        lab.said(&run, "before").await;
        let read_only = ReadOnly::make(&lab.data());
        kill(host_of(&lab, &run));
        let waits = |trouble: Option<&str>| {
            trouble.is_some_and(|said| said.contains("read-only") && said.contains("run waits"))
        };
        trouble(&lab, waits).await;
        drop(read_only);
        assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Interrupted);
        assert_eq!(said(&lab, &run), ["before"]);
        lab.verify();
        daemon.stop().await;
    });
}

/// The disk hangs: what the command is written to is a pipe that nobody reads.
///
/// Fault: the daemon's disk is slow
/// Moment: while a command is kept
/// Outcome: the daemon's heart goes on beating on the same thread, and the command is carried out when the disk has taken it
#[tokio::test]
async fn a_disk_that_hangs_does_not_stop_the_heart() {
    let lab = Lab::new(json!({"GO": [{"content": [text("Done.")]}]})).await;
    let daemon = lab.daemon().await;
    let (run, id) = (lab.run("GO"), lab.clock.new_id::<CommandId>());
    let pipe = lab.data().join("commands").join(format!("{id}.json.new"));
    assert!(Program::new("mkfifo").arg(&pipe).status().unwrap().success());
    lab.server.command(id, Command::StartRun(Box::new(run.clone())));
    let beats = lab.server.kept().troubles.len();
    lab.server.until(|kept| (kept.troubles.len() >= beats + 3).then_some(())).await;
    assert!(!lab.server.kept().acknowledged.contains(&id));
    let read = tokio::task::spawn_blocking(move || fs::read(pipe));
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    assert!(!read.await.unwrap().unwrap().is_empty());
    assert_eq!(lab.server.kept().hellos.len(), 1, "the connection was kept");
    lab.verify();
    daemon.stop().await;
}
