//! A repository that names programs wherever git reads one: none of them runs when we run git.

use std::fs;
use std::path::Path;

use makima_git::{CloneError, Git, IncludeError, PatchStyle, Published, SourceError};

use crate::lab::{Lab, Repo, branch, noon, told, ursula};

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

/// Fault: a repository that names programs as hooks, filters, monitors, drivers, helpers
/// Moment: a task's whole life, from the look at the repository to the branch in it
/// Outcome: none of them runs; what would have to pass a filter of its own is not taken along, and that is said
/// Pain: 24
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
    let (source, author) = (user.source(), ursula());
    let include = || clone.include_uncommitted(&source, "refs/makima/x", &author, noon());
    let refused = include().await.unwrap_err();
    assert!(matches!(&refused, IncludeError::Filtered { driver, .. } if driver == "evil"), "{refused}");
    assert!(refused.to_string().contains("a.txt passes the filter \"evil\""), "{refused}");
    user.write(".gitattributes", "*.txt diff=evil merge=evil\n");
    let start = include().await.unwrap().start;
    let worktree = clone.add_worktree(&lab.path().join("tasks/one"), &branch(), &start).await.unwrap();
    worktree.commit_remaining(&branch(), "Done", &ursula(), noon()).await.unwrap().unwrap();
    clone.publish(&user.source(), &branch()).await.unwrap();
    let url = makima_git::Source::Remote(format!("file://{}", user.folder.display()));
    lab.git.ensure_clone(&lab.path().join("url.git"), &url, &mut |_| {}).await.unwrap();
    assert_eq!(ran(&lab, &user), "");
}

/// Fault: hooks, monitors and drivers in the clone that agents share, and in a repository inside of the worktree
/// Moment: checkpoints, the commit of the rest, publishing, and the making of a worktree
/// Outcome: none of them runs
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
    task.clone
        .patch(base.as_ref(), &made.commit, PatchStyle::default(), None, &mut Vec::new())
        .await
        .unwrap();
    task.worktree.commit_remaining(&branch(), "Done", &ursula(), noon()).await.unwrap().unwrap();
    task.clone.publish(&user.source(), &branch()).await.unwrap();
    task.clone.remove_worktree(task.worktree.folder()).await.unwrap();
    lab.task(&user).await;
    assert_eq!(ran(&lab, &task.repo), "");
}

/// Fault: a submodule whose settings name programs
/// Moment: the look at the repository, and the user's uncommitted changes taken along
/// Outcome: none of them runs
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

/// Fault: a partial clone, whose settings name the program that it gets the rest by
/// Moment: the look at the repository
/// Outcome: it is refused, with the command that makes it complete, and nothing runs
#[tokio::test]
async fn a_partial_clone_is_refused_before_it_reaches_out() {
    let (lab, up) = Lab::with_user().await;
    up.git(&["config", "uploadpack.allowFilter", "true"]);
    let folder = lab.path().join("partial");
    let url = format!("file://{}", up.folder.display());
    up.git(&["clone", "-q", "--no-checkout", "--filter=blob:none", &url, folder.to_str().unwrap()]);
    let user = lab.at(&folder);
    // One that doesn't wait for what it is told.
    let trap = lab.script("trap", &format!("touch {}", lab.path().join("ran").display())).join("trap");
    user.git(&["config", "remote.origin.uploadpack", trap.to_str().unwrap()]);
    let refused = lab.git.ensure_clone(&lab.path().join("clone.git"), &user.source(), &mut |_| {}).await;
    let Err(CloneError::Source(error @ SourceError::Partial { .. })) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().contains("git fetch --refetch --no-filter"), "{error}");
    assert!(!lab.path().join("ran").exists());
    // So that nothing is proven by a trap that can't work.
    user.fails(&["cat-file", "blob", "HEAD:a.txt"]);
    assert!(lab.path().join("ran").exists());
}

/// Fault: settings that lead elsewhere: an included file, URLs rewritten to a program, bundles, remote helpers
/// Moment: a task's whole life
/// Outcome: nothing runs; where the branch can't be brought to the repository for it, that is said
#[tokio::test]
async fn settings_that_lead_elsewhere_lead_nowhere() {
    let (lab, user) = Lab::with_user().await;
    let trap = trap(&lab);
    let poison = lab.path().join("poison");
    let url = format!("ext::{trap} %S");
    fs::write(
        &poison,
        format!(
            "[core]\n\tfsmonitor = {trap}\n\tsshCommand = {trap}\n[protocol]\n\tallow = always\n\
             [fetch]\n\tbundleURI = {url}\n[transfer]\n\tbundleURI = true\n[protocol \"ext\"]\n\tallow = always\n\
             [remote \"origin\"]\n\turl = {url}\n\tvcs = ext\n[submodule \"s\"]\n\turl = {url}\n\tupdate = !{trap}\n"
        ),
    )
    .unwrap();
    user.git(&["config", "include.path", poison.to_str().unwrap()]);
    user.write(
        ".gitmodules",
        "[submodule \"-u./x\"]\n\tpath = s\n\turl = -u./x\n\tupdate = !evil\n\tbranch = --upload-pack=evil\n",
    );
    // What looks like a repository inside of the tree: whoever looks for one there reads its settings.
    user.write("bare/HEAD", "ref: refs/heads/main\n").write("bare/objects/x", "").write("bare/refs/x", "");
    user.write("bare/config", format!("[core]\n\tbare = true\n\tfsmonitor = {trap}\n"));
    user.git(&["-c", "core.fsmonitor=false", "add", "-A"]);
    user.git(&["-c", "core.fsmonitor=false", "commit", "-qm", "Lead elsewhere"]);
    let mut task = lab.task(&user).await;
    task.repo.write("a.txt", "changed\n").write("bare/refs/y", "");
    task.checkpoint(1).await;
    task.worktree.commit_remaining(&branch(), "Done", &ursula(), noon()).await.unwrap().unwrap();
    let published = task.clone.publish(&user.source(), &branch()).await.unwrap();
    assert!(matches!(published, Published::Fetched { .. }));
    assert!(!lab.path().join("ran").exists());
    // Every path is rewritten to a program.
    user.git(&["config", &format!("url.{url}.insteadOf"), "/"]);
    task.repo.write("a.txt", "again\n");
    task.worktree.commit_remaining(&branch(), "Done", &ursula(), noon()).await.unwrap().unwrap();
    let refused = task.clone.publish(&user.source(), &branch()).await.unwrap_err();
    let words = std::error::Error::source(&refused).unwrap().to_string();
    assert!(words.contains("transport 'ext' not allowed"), "{words}");
    assert_eq!(ran(&lab, &user), "");
}

/// Fault: alternates that lead to another object store, or nowhere
/// Moment: a task's beginning
/// Outcome: what is there is copied, and borrowed from nobody; what is nowhere is said in git's words
#[tokio::test]
async fn objects_of_others_are_copied_or_missed() {
    let (lab, other) = Lab::with_user().await;
    let folder = lab.path().join("borrower");
    other.git(&["clone", "-q", "--shared", ".", folder.to_str().unwrap()]);
    let user = lab.at(&folder);
    user.git(&["config", "core.alternateRefsCommand", &trap(&lab)]);
    let task = lab.task(&user).await;
    assert!(!task.clone.dir().join("objects/info/alternates").exists());
    task.repo.write("a.txt", "x\n").commit("Work");
    task.clone.publish(&user.source(), &branch()).await.unwrap();
    assert!(!lab.path().join("ran").exists());
    fs::rename(&other.folder, lab.path().join("gone")).unwrap();
    lab.at(task.clone.dir()).git(&["fsck", "--full"]);
    let refused = lab.git.ensure_clone(&lab.path().join("2.git"), &user.source(), &mut |_| {}).await;
    let words = std::error::Error::source(&refused.unwrap_err()).map(ToString::to_string).unwrap_or_default();
    assert!(words.contains("object"), "{words}");
    assert!(!lab.path().join("2.git").exists());
}

/// Fault: a monitor that says that nothing has changed
/// Moment: checkpoints, and the user's uncommitted changes taken along
/// Outcome: it is not asked, and nothing is missed
#[tokio::test]
async fn a_monitor_that_lies_hides_nothing() {
    let (lab, user) = Lab::with_user().await;
    let liar = lab.script("liar", "printf 'token\\0'").join("liar");
    let monitored = |repo: &Repo| {
        repo.git(&["config", "core.fsmonitor", liar.to_str().unwrap()]);
        repo.git(&["config", "core.fsmonitorHookVersion", "2"]);
        repo.git(&["config", "core.untrackedCache", "true"]);
        repo.git(&["update-index", "--fsmonitor", "--untracked-cache"]);
        repo.git(&["status"]);
        repo.write("a.txt", "changed\n").write("dir/new", "new\n");
        assert_eq!(repo.status(), "?? dir/new", "the lie is believed by plain git");
    };
    monitored(&user);
    let clone = lab.clone_of(&user).await;
    let included = clone.include_uncommitted(&user.source(), "refs/makima/x", &ursula(), noon()).await;
    let start = included.unwrap().start;
    let worktree = clone.add_worktree(&lab.path().join("tasks/x"), &branch(), &start).await.unwrap();
    assert_eq!(lab.at(worktree.folder()).status(), " M a.txt\n?? dir/new");
    user.git(&["config", "core.fsmonitor", "false"]);
    clone.remove_worktree(worktree.folder()).await.unwrap();
    lab.at(clone.dir()).git(&["update-ref", "-d", &branch().full()]);
    let mut task = lab.task(&user).await;
    monitored(&task.repo);
    assert_eq!(told(&task.checkpoint(1).await), ["M a.txt +1 -3", "A dir/new +1 -0"]);
}

/// Fault: a repository of another owner
/// Moment: a task's beginning
/// Outcome: it is refused, with git's own hint
#[tokio::test]
async fn a_repository_of_another_owner_is_refused_with_gits_hint() {
    let (lab, user) = Lab::with_user().await;
    let git = Git::find(lab.environment().with("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")).await.unwrap();
    let refused = git.ensure_clone(&lab.path().join("clone.git"), &user.source(), &mut |_| {}).await;
    let Err(CloneError::Source(SourceError::NotARepository { source, .. })) = refused else { panic!() };
    assert!(source.words().unwrap().contains("git config --global --add safe.directory"), "{source}");
}
