//! What a daemon's folder is looked at for: each thing is broken in turn, named, and mended again.

use crate::lab::{Lab, eventually, text, write};
use makima_daemon::verify::Inventory;
use makima_git::{Environment, Git};
use makima_model::{CommandId, RunId, verify::Report};
use makima_wire::frame::{Command, StartRun};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A daemon that went away while an agent works, after another task was done and its agent asked for a checkpoint.
struct Left {
    lab: Lab,
    /// Done; the server has all of it.
    done: StartRun,
    /// Lives; its journal is here.
    live: StartRun,
    /// A command whose end the server has not settled.
    command: CommandId,
}

impl Left {
    async fn new() -> Self {
        let lab = Lab::new(json!({
            "DONE": [{"content": [text("Done."), write("a.txt", "a")]}],
            "LIVE": [{"content": [text("waits"), write("b.txt", "b")]}, {"content": [text("on")], "wait_for_file": "{{LAB}}/go"}],
        }))
        .await;
        let daemon = lab.daemon().await;
        let done = lab.run("DONE");
        lab.start(&done);
        lab.ended(&done).await;
        let folder = lab.run_folder(done.run);
        eventually(|| (!folder.exists()).then_some(())).await;
        let live = lab.run("LIVE");
        lab.start(&live);
        lab.said(&live, "waits").await;
        // The run's folder is left by what was acknowledged before.
        lab.server.kept().is_unsettled = true;
        let command = lab.clock.new_id();
        let id = lab.clock.new_id();
        let checkpoint =
            Command::Checkpoint { task: done.task, run: done.run, id, message: "by hand".into(), last: None };
        lab.server.command(command, checkpoint);
        lab.server.until(|kept| kept.finished.contains_key(&command).then_some(())).await;
        daemon.detach().await;
        Self { lab, done, live, command }
    }

    async fn look(&self) -> Report {
        look(&self.lab).await
    }

    fn file(&self, name: &str) -> PathBuf {
        self.lab.data().join(name)
    }

    fn clone_dir(&self) -> PathBuf {
        fs::read_dir(self.file("repositories"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.is_dir())
            .unwrap()
    }

    fn reference(&self, number: u64) -> PathBuf {
        self.clone_dir().join(format!("refs/makima/tasks/{}/checkpoints/{number}", self.done.task))
    }

    /// Breaks a file, looks, and mends it.
    async fn with(&self, file: &Path, content: Option<&[u8]>) -> Vec<String> {
        let before = fs::read(file).ok();
        match content {
            Some(content) => fs::write(file, content).unwrap(),
            None => fs::remove_file(file).unwrap(),
        }
        let rules = rules(&self.look().await);
        match before {
            Some(before) => fs::write(file, before).unwrap(),
            None => fs::remove_file(file).unwrap(),
        }
        rules
    }
}

fn rules(report: &Report) -> Vec<String> {
    report.findings.iter().map(|finding| finding.rule.clone()).collect()
}

/// Looks as `makima doctor --verify` does, with what the lab's server has.
pub async fn look(lab: &Lab) -> Report {
    let environment = Environment::pick(lab.config().environment);
    let git = Git::find(environment).await.unwrap();
    let inventory = Inventory::list(&lab.data()).unwrap().expect("there is a data folder");
    let Some(daemon) = inventory.listed().daemon else { return Report::default() };
    let before = lab.server.kept().known(daemon);
    let looked = inventory.look(&git, &before, &mut |_| {}).await;
    let after = lab.server.kept().known(daemon);
    looked.settled(&after)
}

#[tokio::test]
async fn what_is_broken_in_a_daemons_folder_is_named_and_nothing_else() {
    let left = Left::new().await;
    let healthy = left.look().await;
    assert_eq!(healthy.findings, [], "of what is healthy");
    for kind in [
        "journals",
        "commands of the daemon",
        "tasks of the daemon",
        "worktrees",
        "clones",
        "checkpoints in clones",
    ] {
        assert!(
            healthy.checked.get(kind).is_some_and(|count| *count > 0),
            "no {kind}: {:?}",
            healthy.checked
        );
    }

    let run = left.lab.run_folder(left.live.run);
    let journal = run.join("journal.jsonl");
    let entries = fs::read_to_string(&journal).unwrap();
    let lines: Vec<&str> = entries.lines().collect();
    let without = |n: usize| {
        let kept = lines.iter().enumerate().filter(|(at, _)| *at != n);
        kept.map(|(_, line)| format!("{line}\n")).collect::<String>()
    };
    // What a crash left half written is no finding.
    let torn = format!("{entries}{{\"n\": {}, \"at", lines.len() + 1);
    assert_eq!(left.with(&journal, Some(torn.as_bytes())).await, [""; 0]);
    assert_eq!(left.with(&journal, Some(without(1).as_bytes())).await, ["journal"], "an entry is gone");
    let garbled = entries.replacen(lines[1], "{\"n\": 2}", 1);
    assert_eq!(left.with(&journal, Some(garbled.as_bytes())).await, ["journal"], "an entry is none");
    let ended = lines[0].replacen(
        &lines[0][lines[0].find("\"record\"").unwrap()..],
        "\"record\":{\"type\":\"ended\",\"outcome\":\"failed\",\"reason\":null}}",
        1,
    );
    let ended = format!("{ended}\n{}\n", lines[1]);
    assert_eq!(left.with(&journal, Some(ended.as_bytes())).await, ["journal"], "more stands behind the end");
    let short = without(lines.len() - 1);
    assert_eq!(left.with(&journal, Some(short.as_bytes())).await, ["journal_behind"]);
    assert_eq!(left.with(&run.join("spec.json"), Some(b"{")).await, ["run_spec"]);

    let command = left.file(&format!("commands/{}.json", left.command));
    assert_eq!(left.with(&command, Some(b"[]")).await, ["command_file"]);
    let strange: CommandId = left.lab.clock.new_id();
    let unknown = left.file(&format!("commands/{strange}.json"));
    assert_eq!(left.with(&unknown, Some(&fs::read(&command).unwrap())).await, ["command_unknown"]);

    let task = left.file(&format!("tasks/{}.json", left.done.task));
    assert_eq!(left.with(&task, Some(b"{")).await, ["task_file"]);
    assert_eq!(left.with(&task, None).await, ["task_missing"]);

    assert_eq!(left.with(&left.reference(1), None).await, ["checkpoint_unkept"]);
    let two = fs::read(left.reference(2)).unwrap();
    assert_eq!(
        left.with(&left.reference(1), Some(&two)).await,
        ["checkpoint_unkept"],
        "the ref leads elsewhere"
    );
    let lock = left.clone_dir().join(format!("worktrees/{}/index.lock", left.done.task));
    assert_eq!(left.with(&lock, Some(b"")).await, ["lock_left"]);
    let upload = left.file(&format!("blobs/{}", "a".repeat(64)));
    assert_eq!(left.with(&upload, Some(b"no patch")).await, ["upload_changed"]);

    assert_eq!(left.look().await, healthy, "something was not mended");
    left.end().await;
}

#[tokio::test]
async fn folders_that_are_gone_from_a_daemon_are_named() {
    let left = Left::new().await;
    let away = |path: &Path| {
        let place = left.lab.file("away");
        fs::rename(path, &place).unwrap();
        place
    };
    for (path, rule) in [
        (left.lab.run_folder(left.live.run), "run_missing"),
        (left.lab.worktree(&left.done), "worktree_missing"),
        (left.clone_dir().join(format!("worktrees/{}", left.done.task)), "worktree_unregistered"),
    ] {
        let place = away(&path);
        let found = rules(&left.look().await);
        fs::rename(place, &path).unwrap();
        assert_eq!(found, [rule], "{}", path.display());
    }
    // A run that the server knows nothing of.
    let strange: RunId = left.lab.clock.new_id();
    fs::create_dir(left.lab.run_folder(strange)).unwrap();
    fs::copy(
        left.lab.run_folder(left.live.run).join("spec.json"),
        left.lab.run_folder(strange).join("spec.json"),
    )
    .unwrap();
    assert_eq!(rules(&left.look().await), ["run_unknown"]);
    fs::remove_dir_all(left.lab.run_folder(strange)).unwrap();
    // A commit's tree, and a commit.
    let clone = left.clone_dir();
    let object = |name: &str| clone.join("objects").join(&name[..2]).join(&name[2..]);
    let commit = fs::read_to_string(left.reference(1)).unwrap().trim().to_owned();
    let tree =
        left.lab.repo.git(["--git-dir", clone.to_str().unwrap(), "rev-parse", &format!("{commit}^{{tree}}")]);
    for name in [tree.trim(), &commit] {
        let place = away(&object(name));
        let report = left.look().await;
        fs::rename(place, object(name)).unwrap();
        assert!(!report.findings.is_empty(), "{name}");
        assert!(report.findings.iter().all(|finding| finding.rule == "object_missing"), "{report:?}");
    }
    assert_eq!(left.look().await.findings, []);
    left.end().await;
}

impl Left {
    /// Lets the agent end.
    async fn end(self) {
        self.lab.server.kept().is_unsettled = false;
        self.lab.open("go");
        let daemon = self.lab.daemon().await;
        self.lab.ended(&self.live).await;
        self.lab.verify();
        daemon.stop().await;
    }
}
