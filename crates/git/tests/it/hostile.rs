//! A repository that names programs wherever git reads one: none of them runs when we run git.

use std::fs;
use std::path::Path;

use crate::lab::{Lab, Repo, branch, noon, ursula};

const HOOKS: &[&str] = &[
    "post-checkout",
    "pre-commit",
    "post-commit",
    "commit-msg",
    "prepare-commit-msg",
    "reference-transaction",
    "post-index-change",
    "pre-auto-gc",
    "post-rewrite",
    "post-merge",
    "update",
    "pre-receive",
    "post-receive",
    "fsmonitor-watchman",
    "post-update",
    "proc-receive",
];

/// A program that leaves a mark where it ran.
fn trap(lab: &Lab) -> String {
    let mark = lab.path().join("ran");
    let folder = lab.script("trap", &format!("echo \"$0 $*\" >> {}\ncat", mark.display()));
    folder.join("trap").to_str().unwrap().into()
}

/// What ran; then that plain git does fall into the trap, so that nothing is proven by a trap that can't work.
fn ran(lab: &Lab, repo: &Repo) -> String {
    let ran = fs::read_to_string(lab.path().join("ran")).unwrap_or_default();
    drop(repo.command(&["status"]).output().unwrap());
    assert!(lab.path().join("ran").exists());
    ran
}

fn poison(repo: &Repo, git_dir: &Path, trap: &str) {
    fs::create_dir_all(git_dir.join("hooks")).unwrap();
    for hook in HOOKS {
        fs::copy(trap, git_dir.join("hooks").join(hook)).unwrap();
    }
    for name in [
        "core.fsmonitor",
        "core.pager",
        "core.editor",
        "core.sshCommand",
        "core.askPass",
        "core.alternateRefsCommand",
        "core.gitProxy",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "merge.evil.driver",
        "gpg.program",
        "uploadpack.packObjectsHook",
        "credential.helper",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "filter.lfs.clean",
        "filter.lfs.smudge",
        "filter.lfs.process",
        "lfs.customtransfer.x.path",
        "interactive.diffFilter",
        "sequence.editor",
        "trailer.x.command",
        "remote.origin.uploadpack",
    ] {
        repo.git(&["config", name, trap]);
    }
    for (name, value) in [
        ("core.hooksPath", git_dir.join("hooks").to_str().unwrap()),
        ("commit.gpgSign", "true"),
        ("tag.gpgSign", "true"),
        ("gc.auto", "1"),
        ("protocol.ext.allow", "always"),
        ("submodule.recurse", "true"),
        ("fetch.recurseSubmodules", "true"),
    ] {
        repo.git(&["config", name, value]);
    }
}

#[tokio::test]
async fn nothing_of_a_hostile_source_runs() {
    let (lab, user) = Lab::with_user().await;
    user.write(".gitattributes", "*.txt filter=evil diff=evil merge=evil\n*.bin filter=lfs\n")
        .write("x.bin", "x\n");
    user.write(".gitmodules", "[submodule \"s\"]\n\tpath = s\n\turl = ext::sh -c evil\n");
    user.commit("Begin");
    let trap = trap(&lab);
    poison(&user, &user.folder.join(".git"), &trap);
    // One that lies in the worktree, poisoned too.
    let nested = lab.repo("user/nested");
    nested.write("x", "x\n").commit("Inner");
    poison(&nested, &nested.folder.join(".git"), &trap);
    user.write("a.txt", "changed\n").write("new.txt", "new\n").write("y.bin", "y\n");

    lab.git.uncommitted(&user.folder).await.unwrap();
    lab.git.check_repository(&user.source(), Some("main"), None).await.unwrap();
    let clone = lab.clone_of(&user).await;
    let start = clone.include_uncommitted(&user.source(), "refs/makima/x", &ursula(), noon()).await.unwrap();
    let worktree = clone.add_worktree(&lab.path().join("tasks/one"), &branch(), &start).await.unwrap();
    worktree.commit_remaining(&branch(), "Done", &ursula(), noon()).await.unwrap().unwrap();
    clone.publish(&user.source(), &branch()).await.unwrap();
    let url = makima_git::Source::Remote(format!("file://{}", user.folder.display()));
    lab.git.ensure_clone(&lab.path().join("url.git"), &url, &mut |_| {}).await.unwrap();
    assert_eq!(ran(&lab, &user), "");
}

#[tokio::test]
async fn hooks_and_monitors_in_the_clone_do_not_run() {
    let (lab, user) = Lab::with_user().await;
    user.write(".gitattributes", "*.txt diff=evil\n").commit("Begin");
    let mut task = lab.task(&user).await;
    poison(&lab.at(task.clone.dir()), task.clone.dir(), &trap(&lab));
    let nested = lab.repo("tasks/one/nested");
    nested.write("x", "x\n").commit("Inner");
    poison(&nested, &nested.folder.join(".git"), lab.path().join("bin/trap").to_str().unwrap());
    task.repo.write("a.txt", "changed\n");
    let base = task.last.clone();
    let made = task.checkpoint(1).await;
    task.clone.patch(base.as_ref(), &made.commit, None, &mut Vec::new()).await.unwrap();
    task.worktree.commit_remaining(&branch(), "Done", &ursula(), noon()).await.unwrap().unwrap();
    task.clone.publish(&user.source(), &branch()).await.unwrap();
    task.clone.remove_worktree(task.worktree.folder()).await.unwrap();
    lab.task(&user).await;
    assert_eq!(ran(&lab, &task.repo), "");
}

#[tokio::test]
async fn a_submodules_own_settings_run_nothing() {
    let (lab, user) = Lab::with_user().await;
    let inner = lab.repo("inner");
    inner.write("x.txt", "x\n").write(".gitattributes", "*.txt filter=evil\n").commit("Inner");
    user.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "-q",
        inner.folder.to_str().unwrap(),
        "sub",
    ]);
    user.commit("Add a submodule");
    let sub = lab.at(&user.folder.join("sub"));
    poison(&sub, &user.folder.join(".git/modules/sub"), &trap(&lab));
    sub.write("x.txt", "changed\n");
    user.write("a.txt", "changed\n");
    lab.git.uncommitted(&user.folder).await.unwrap();
    let clone = lab.clone_of(&user).await;
    clone.include_uncommitted(&user.source(), "refs/makima/x", &ursula(), noon()).await.unwrap();
    assert_eq!(ran(&lab, &sub), "");
}
