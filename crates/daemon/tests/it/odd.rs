//! Odd and hostile repositories, through a daemon: from the clone of it to the branch in it.

use crate::lab::{Lab, bash, text, write};
use makima_model::{NotHeldReason, Published, Record, RunOutcome};
use makima_wire::frame::StartRun;
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

fn works() -> Value {
    json!({"GO": [
        {"content": [write("new.txt", "new\n"), bash("printf 'changed\\n' > README.md; chmod +x README.md")]},
        {"content": [text("Done.")]},
    ]})
}

async fn notice(lab: &Lab, run: &StartRun, part: &str) -> String {
    lab.until(run, |record| match record {
        Record::Notice { text, .. } if text.contains(part) => Some(text.clone()),
        _ => None,
    })
    .await
}

/// A program that leaves a mark where it ran; the mark.
fn trap(lab: &Lab) -> (PathBuf, PathBuf) {
    let (trap, mark) = (lab.file("trap"), lab.file("ran"));
    fs::write(&trap, format!("#!/bin/sh\necho \"$0 $*\" >> {}\nexit 0\n", mark.display())).unwrap();
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    (trap, mark)
}

/// Fault: a repository that names programs as hooks, filters, monitors, editors, helpers
/// Moment: a run with the user's uncommitted changes, from the clone to the branch in it
/// Outcome: none of them runs, and the branch arrives
#[tokio::test]
async fn a_hostile_repository_starts_nothing() {
    let lab = Lab::new(works()).await;
    let daemon = lab.daemon().await;
    lab.repo
        .commit_files([(".gitattributes", "*.evil filter=evil\n*.md diff=evil merge=evil\n")], "Attributes");
    let (trap, mark) = trap(&lab);
    let hooks = lab.repo.path().join(".git/hooks");
    fs::create_dir_all(&hooks).unwrap();
    for hook in [
        "post-checkout",
        "pre-commit",
        "post-commit",
        "reference-transaction",
        "post-index-change",
        "post-merge",
    ] {
        fs::copy(&trap, hooks.join(hook)).unwrap();
    }
    lab.repo.write("mine.txt", "mine\n");
    let trap = trap.to_str().unwrap();
    for name in [
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "core.editor",
        "core.askPass",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "merge.evil.driver",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "gpg.program",
        "credential.helper",
        "uploadpack.packObjectsHook",
        "remote.origin.uploadpack",
        "core.alternateRefsCommand",
    ] {
        lab.repo.git(["-c", "core.fsmonitor=false", "config", name, trap]);
    }
    let mut run = lab.run("GO");
    run.include_uncommitted = true;
    lab.start(&run);
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    assert_eq!(fs::read_to_string(&mark).unwrap_or_default(), "");
    let quiet = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"];
    let shown = |file: &str| {
        lab.repo.git([&quiet[..], &["cat-file", "blob", &format!("{}:{file}", run.branch_name)]].concat())
    };
    assert_eq!(
        (shown("new.txt"), shown("mine.txt"), shown("README.md")),
        ("new".into(), "mine".into(), "changed".into())
    );
    // So that nothing is proven by a trap that can't work.
    drop(lab.repo.command().arg("status").output().unwrap());
    assert!(mark.exists());
    lab.verify();
    daemon.stop().await;
}

/// Fault: a repository in the middle of a merge, with another one inside
/// Moment: a run is begun with the user's uncommitted changes
/// Outcome: it has the files as they are, and what it has not is told
#[tokio::test]
async fn what_is_not_taken_along_is_told() {
    let lab = Lab::new(works()).await;
    let daemon = lab.daemon().await;
    lab.repo.branch("side").checkout("side").commit_files([("README.md", "side\n")], "Side");
    lab.repo.checkout("main").commit_files([("README.md", "ours\n")], "Ours");
    assert!(!lab.repo.command().args(["merge", "side"]).output().unwrap().status.success());
    let nested = lab.repo.path().join("nested");
    fs::create_dir(&nested).unwrap();
    lab.repo.git(["-C", nested.to_str().unwrap(), "init", "-q", "--template="]);
    fs::write(nested.join("x"), "x").unwrap();
    let mut run = lab.run("GO");
    run.include_uncommitted = true;
    lab.start(&run);
    assert_eq!(lab.ended(&run).await.outcome, RunOutcome::Completed);
    let told = notice(&lab, &run, "not taken along").await;
    assert_eq!(told, "not taken along of what is uncommitted: a merge, nested (a repository of its own)");
    assert!(lab.repo.git(["ls-files", "-u"]).contains("README.md"));
    lab.verify();
    daemon.stop().await;
}

/// Fault: uncommitted changes that would have to pass a filter of the repository's own
/// Moment: a run is begun with them
/// Outcome: it fails, and says what to do
/// Fault: a partial clone
/// Moment: a run is begun
/// Outcome: it fails, with the command that makes the clone complete
#[tokio::test]
async fn what_is_refused_says_what_to_do() {
    let lab = Lab::new(works()).await;
    let daemon = lab.daemon().await;
    lab.repo
        .commit_files([(".gitattributes", "*.secret filter=crypt\n"), ("a.secret", "sealed\n")], "Sealed");
    lab.repo.git(["config", "filter.crypt.clean", "sed s/open/sealed/"]);
    lab.repo.write("a.secret", "open again\n");
    let mut run = lab.run("GO");
    run.include_uncommitted = true;
    lab.start(&run);
    let end = lab.ended(&run).await;
    assert_eq!(end.outcome, RunOutcome::Failed);
    let reason = end.reason.unwrap();
    assert!(reason.contains("a.secret passes the filter \"crypt\""), "{reason}");
    assert!(reason.contains("commit it, or start without what is uncommitted"), "{reason}");
    lab.repo.git(["config", "remote.origin.promisor", "true"]);
    let run = lab.run("GO");
    lab.start(&run);
    let end = lab.ended(&run).await;
    assert!(end.reason.as_ref().unwrap().contains("git fetch --refetch --no-filter"), "{end:?}");
    lab.verify();
    daemon.stop().await;
}

/// Fault: a nested repository, a name that is no text, and a file above the limit, all by the agent
/// Moment: a turn's checkpoint, and the commit of the rest
/// Outcome: the checkpoint names what it doesn't hold; the commit has what the limit left out
/// Fault: the user has a branch that is called `makima`
/// Moment: the branch is published
/// Outcome: it stays in the clone, and why is told
#[tokio::test]
async fn what_a_turn_does_not_hold_is_named() {
    let script = "git init -q nested; touch nested/x; printf odd > \"$(printf 'o\\377d')\"; head -c 3000 /dev/zero > large";
    let lab = Lab::new(json!({"GO": [{"content": [bash(script)]}, {"content": [text("Done.")]}]})).await;
    let mut config = lab.config();
    config.checkpoint.max_file_bytes = Some(2000);
    let daemon = makima_daemon::Daemon::start(config).await.unwrap();
    daemon.connected().await.unwrap();
    lab.repo.branch("makima");
    let run = lab.run("GO");
    lab.start(&run);
    let end = lab.ended(&run).await;
    assert_eq!(end.outcome, RunOutcome::Completed);
    let made = lab.until(&run, |record| match record {
        Record::Checkpoint(made) => Some(made.clone()),
        _ => None,
    });
    let made = made.await;
    let not_held: Vec<_> = made.not_held.iter().map(|left| (left.path.as_str(), left.reason)).collect();
    assert_eq!(not_held, [("large", NotHeldReason::TooLarge), ("nested", NotHeldReason::NestedRepository)]);
    let changed: Vec<_> = made.files_changed.iter().map(|file| file.path_bytes.as_deref()).collect();
    assert_eq!(changed, [Some("b/9k")]);
    let failed = lab.until(&run, |record| match record {
        Record::Published { published: Published::Failed { message } } => Some(message.clone()),
        _ => None,
    });
    let message = failed.await;
    assert!(message.contains("refs/heads/makima"), "{message}");
    lab.repo.git(["branch", "-D", "makima"]);
    let mut again = lab.run("nothing");
    (again.task, again.branch_name, again.run_number) = (run.task, run.branch_name.clone(), 2);
    lab.start(&again);
    lab.ended(&again).await;
    let worktree = lab.worktree(&run);
    assert_eq!(fs::metadata(worktree.join("large")).unwrap().len(), 3000);
    let kept =
        lab.repo.command().args(["cat-file", "-s", &format!("{}:large", run.branch_name)]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&kept.stdout).trim(), "3000");
    lab.verify();
    daemon.stop().await;
}
