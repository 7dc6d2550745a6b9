//! What a checkpoint does not ask git again, and that it misses nothing for it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;

use makima_git::{CheckpointKind, CheckpointRequest, Git, Sha};

use crate::lab::{Lab, Task, branch, path_variable, told};

const TRACKED: [&str; 3] = [".gitignore", "a.txt", "dir/b.txt"];

/// A task with a checkpoint that holds untracked files, and the names that its next one holds beside the tracked ones.
struct Held {
    lab: Lab,
    task: Task,
}

impl Held {
    async fn new(files: &[&str]) -> Self {
        let (lab, user) = Lab::with_user().await;
        let mut task = lab.task(&user).await;
        for file in files {
            task.repo.write(file, "untracked\n");
        }
        let made = task.checkpoint(1).await;
        assert_eq!(made.files_changed.len(), files.len());
        Self { lab, task }
    }

    async fn next(&mut self, number: u64) -> Vec<String> {
        let made = self.task.checkpoint(number).await;
        let files = self.task.files(&made.tree);
        assert!(TRACKED.iter().all(|file| files.iter().any(|found| found == file)), "{files:?}");
        files.into_iter().filter(|file| !TRACKED.contains(&&file[..])).collect()
    }
}

#[tokio::test]
async fn a_rule_in_a_folder_counts_at_once() {
    let mut held = Held::new(&["deep/er/x.tmp", "deep/er/y", "z.tmp"]).await;
    held.task.repo.write("deep/.gitignore", "*.tmp\n");
    assert_eq!(held.next(2).await, ["deep/.gitignore", "deep/er/y", "z.tmp"]);
    held.task.repo.write("deep/.gitignore", "*.tmp\n!x.tmp\n");
    assert_eq!(held.next(3).await, ["deep/.gitignore", "deep/er/x.tmp", "deep/er/y", "z.tmp"]);
    // Allowed by one that goes.
    held.task.repo.write(".gitignore", "*.tmp\n");
    assert_eq!(held.next(4).await, ["deep/.gitignore", "deep/er/x.tmp", "deep/er/y"]);
    held.task.repo.remove("deep/.gitignore");
    assert_eq!(held.next(5).await, ["deep/er/y"]);
}

#[tokio::test]
async fn a_rule_in_a_file_that_it_ignores_itself_counts_at_once() {
    let mut held = Held::new(&["venv/lib/x", "beside"]).await;
    held.task.repo.write("venv/.gitignore", "*\n");
    assert_eq!(held.next(2).await, ["beside"]);
    held.task.repo.write("venv/.gitignore", ".gitignore\n");
    assert_eq!(held.next(3).await, ["beside", "venv/lib/x"]);
}

#[tokio::test]
async fn a_rule_outside_of_the_worktree_counts_at_once() {
    let mut held = Held::new(&["x.one", "x.two", "x.three"]).await;
    let exclude = held.lab.path().join("clone.git/info/exclude");
    fs::create_dir_all(exclude.parent().unwrap()).unwrap();
    fs::write(&exclude, "*.one\n").unwrap();
    assert_eq!(held.next(2).await, ["x.three", "x.two"]);
    // The file that is there by default, and another one that a setting names.
    fs::create_dir_all(held.lab.path().join("home/git")).unwrap();
    fs::write(held.lab.path().join("home/git/ignore"), "*.two\n").unwrap();
    assert_eq!(held.next(3).await, ["x.three"]);
    let other = held.lab.path().join("other-rules");
    fs::write(&other, "*.three\n").unwrap();
    held.task.repo.git(&["config", "core.excludesFile", other.to_str().unwrap()]);
    assert_eq!(held.next(4).await, ["x.two"]);
    fs::write(exclude, "").unwrap();
    fs::write(other, "").unwrap();
    assert_eq!(held.next(5).await, ["x.one", "x.three", "x.two"]);
}

#[tokio::test]
async fn names_that_look_like_patterns_are_names() {
    let mut held = Held::new(&[":(glob)*.tmp", "-n.tmp", "*.tmp", "!x.tmp", "a b\n.tmp", "kept"]).await;
    held.task.repo.write(".gitignore", "*.tmp\n");
    assert_eq!(held.next(2).await, ["kept"]);
}

#[tokio::test]
async fn what_lies_behind_a_link_now_is_gone() {
    let mut held = Held::new(&["new/x", "new/deep/y", "kept/z"]).await;
    fs::rename(held.task.repo.folder.join("new"), held.task.repo.folder.join("moved")).unwrap();
    symlink("moved", held.task.repo.folder.join("new")).unwrap();
    assert_eq!(held.next(2).await, ["kept/z", "moved/deep/y", "moved/x", "new"]);
    held.task.repo.write(".gitignore", "moved/\n");
    assert_eq!(held.next(3).await, ["kept/z", "new"]);
}

#[tokio::test]
async fn an_index_that_the_agent_writes_between_counts() {
    let mut held = Held::new(&["x.tmp", "y.tmp"]).await;
    let repo = held.lab.at(&held.task.repo.folder);
    repo.git(&["add", "x.tmp"]);
    repo.write(".gitignore", "*.tmp\n");
    assert_eq!(held.next(2).await, ["x.tmp"]);
    repo.git(&["add", "-f", "y.tmp"]);
    assert_eq!(held.next(3).await, ["x.tmp", "y.tmp"]);
    repo.write("y.tmp", "changed\n");
    assert_eq!(held.next(4).await, ["x.tmp", "y.tmp"]);
    repo.git(&["rm", "-q", "--cached", "x.tmp"]);
    assert_eq!(held.next(5).await, ["y.tmp"]);
    repo.git(&["rm", "-q", "-f", "y.tmp"]);
    repo.write("y.tmp", "there again\n");
    assert_eq!(held.next(6).await, Vec::<String>::new());
    assert_eq!(repo.read("x.tmp"), "untracked\n");
}

#[tokio::test]
async fn a_tracked_file_that_is_ignored_comes_back() {
    let (lab, user) = Lab::with_user().await;
    user.write("kept.log", "kept\n").write("large", "x\n").git(&["add", "-f", "kept.log", "large"]);
    user.git(&["commit", "-qm", "Keep a log"]);
    let mut task = lab.task(&user).await;
    task.repo.remove("kept.log").remove("large");
    assert_eq!(told(&task.checkpoint(1).await), ["D kept.log +0 -1", "D large +0 -1"]);
    task.repo.write("kept.log", "back\n").write("large", "x".repeat(1000));
    // Tracked: no limit holds for it.
    let made = task.turn(2, Some(999)).await.unwrap();
    assert_eq!(
        (told(&made), made.not_held),
        (vec!["A kept.log +1 -0".into(), "A large +1 -0".into()], vec![])
    );
    task.last = Some(made.commit);
    assert!(task.checkpoint(3).await.unchanged);
    task.repo.git(&["rm", "-q", "--cached", "kept.log"]);
    assert_eq!(told(&task.checkpoint(4).await), ["D kept.log +0 -1"]);
}

#[tokio::test]
async fn what_a_killed_scan_left_in_our_index_is_not_believed() {
    let mut held = Held::new(&["x"]).await;
    held.task.repo.write("debug.log", "ignored\n");
    let index = held.lab.path().join("clone.git/worktrees/one/makima/index");
    let mut add = held.task.repo.command(&["update-index", "--add", "debug.log"]);
    assert!(add.env("GIT_INDEX_FILE", index).status().unwrap().success());
    assert_eq!(held.next(2).await, ["x"]);
}

#[tokio::test]
async fn refs_that_are_packed_are_found() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.repo.write("a.txt", "1\n");
    let first = task.checkpoint(1).await;
    let head = task.repo.commit("By the agent");
    task.repo.git(&["pack-refs", "--all"]);
    task.repo.write("a.txt", "2\n");
    let made = task.checkpoint(2).await;
    assert_eq!(made.head_commit.as_ref().map(Sha::as_str), Some(&head[..]));
    assert_eq!(task.worktree.checkpoint(&task.request(1)).await.unwrap().unwrap().commit, first.commit);
    task.clone.publish(&user.source(), &branch()).await.unwrap();
    user.git(&["pack-refs", "--all"]);
    let head = task.repo.commit("Again");
    task.clone.publish(&user.source(), &branch()).await.unwrap();
    assert_eq!(user.git(&["rev-parse", branch().as_str()]), head);
}

#[tokio::test]
async fn a_branch_that_its_user_deleted_or_moved_is_published_again() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    let commit = task.repo.write("a.txt", "1\n").commit("Work");
    let name = branch();
    for undo in [&["branch", "-D"][..], &["branch", "-f"][..]] {
        task.clone.publish(&user.source(), &name).await.unwrap();
        let target = (undo[1] == "-f").then_some("main");
        user.git(&[undo, &[name.as_str()], target.as_slice()].concat());
        task.clone.publish(&user.source(), &name).await.unwrap();
        assert_eq!(user.git(&["rev-parse", name.as_str()]), commit);
    }
}

#[tokio::test]
async fn a_previous_checkpoint_that_is_elsewhere_leaves_the_base() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    let elsewhere = Sha::parse(&"1".repeat(40));
    task.repo.write("new", "new\n");
    let request = CheckpointRequest {
        previous: elsewhere.clone(),
        base: task.last.clone(),
        kind: CheckpointKind::Turn,
        ..task.request(1)
    };
    let made = task.worktree.checkpoint(&request).await.unwrap().unwrap();
    assert_eq!(told(&made), ["A new +1 -0"]);
    let request = CheckpointRequest { previous: Some(made.commit.clone()), number: 2, ..request };
    assert_eq!(task.worktree.checkpoint(&request).await.unwrap(), None);
    // A task that began with nothing has no base; one that is named has to be there.
    let request = CheckpointRequest { previous: elsewhere.clone(), base: None, ..request };
    assert_eq!(task.worktree.checkpoint(&request).await.unwrap().unwrap().files_changed.len(), 4);
    let request = CheckpointRequest { base: elsewhere, number: 3, ..request };
    assert!(task.worktree.checkpoint(&request).await.is_err());
}

#[tokio::test]
async fn a_patch_comes_with_the_checkpoint() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    let base = task.last.clone();
    task.repo.write("a.txt", "one\n2\nthree\n").write("bin", b"\0\x01").write_bytes(b"od\xffd\n", "odd\n");
    task.repo.git(&["mv", "dir/b.txt", "dir/c.txt"]);
    let request = task.request(1);
    let mut patch = Vec::new();
    let (made, written) =
        task.worktree.checkpoint_with_patch(&request, 1 << 20, &mut patch).await.unwrap().unwrap();
    let range = [base.as_ref().unwrap().as_str(), made.commit.as_str()];
    let wanted = task.repo.git(&["diff", "--full-index", range[0], range[1]]);
    assert_eq!(String::from_utf8(patch.clone()).unwrap().trim_end(), wanted.trim_end());
    assert_eq!((written.bytes, written.truncated), (patch.len() as u64, false));
    assert_eq!(made.files_changed, task.clone.changes(base.as_ref(), &made.commit).await.unwrap());
    // Made again: the same. Above the limit: cut off, and all numbers are there.
    let mut short = Vec::new();
    let again = task.worktree.checkpoint_with_patch(&request, 100, &mut short).await.unwrap().unwrap();
    assert_eq!(
        (again.0.files_changed, again.1.truncated, &short[..]),
        (made.files_changed, true, &patch[..100])
    );
    task.last = Some(made.commit);
    let turn = CheckpointRequest { kind: CheckpointKind::Turn, ..task.request(2) };
    let mut nothing = Vec::new();
    assert_eq!(task.worktree.checkpoint_with_patch(&turn, 100, &mut nothing).await.unwrap(), None);
    assert!(nothing.is_empty());
}

#[tokio::test]
async fn a_turn_takes_nine_git_processes_and_publishing_nothing_none() {
    let (mut lab, user) = Lab::with_user().await;
    let log = lab.path().join("log");
    let count = format!(
        "for word; do case $word in --no-pager | -c | *=*) ;; *) echo $word >> {}; break ;; esac; done",
        log.display()
    );
    let real = lab.environment().program("git").unwrap();
    let bin = lab.script("git", &format!("{count}\nexec {} \"$@\"", real.display()));
    let path: OsString = [bin.as_os_str(), &path_variable()].join(":".as_ref());
    lab.git = Git::find(lab.environment().with("PATH", path)).await.unwrap();
    let mut task = lab.task(&user).await;
    task.clone.publish(&user.source(), &branch()).await.unwrap();
    for (number, checks) in [(1, None), (2, Some("check-ignore"))] {
        task.repo.write("a.txt", number.to_string()).write(format!("new-{number}"), "new\n");
        if number == 2 {
            task.repo.remove("dir/b.txt");
        }
        // Copied anew, our index is looked through once.
        let first = (number == 1).then_some("ls-files");
        fs::remove_file(&log).unwrap();
        let mut patch = Vec::new();
        let request = task.request(number);
        let made = task.worktree.checkpoint_with_patch(&request, 1 << 20, &mut patch).await.unwrap();
        task.last = made.map(|(made, _)| made.commit);
        task.clone.publish(&user.source(), &branch()).await.unwrap();
        let said = fs::read_to_string(&log).unwrap();
        let mut found: Vec<&str> = said.lines().collect();
        found.sort_unstable();
        let mut wanted = vec![
            "cat-file",
            "commit-tree",
            "diff-files",
            "diff-tree",
            "ls-files",
            "update-index",
            "update-ref",
            "write-tree",
        ];
        wanted.extend(checks.into_iter().chain(first));
        wanted.sort_unstable();
        assert_eq!(found, wanted);
    }
}
