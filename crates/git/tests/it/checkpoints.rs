//! Settled points, §6: each sentence a test.

use std::fs;

use makima_git::{CheckpointKind, CheckpointRequest, NotHeldReason, ScanRules, Sha};

use crate::lab::{Lab, branch, told};

#[tokio::test]
async fn a_checkpoint_is_the_worktree_on_top_of_head() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    let head = task.repo.git(&["rev-parse", "HEAD"]);
    task.repo.write("a.txt", "one\n2\nthree\n").write("new/file", "new\n").remove("dir/b.txt");
    task.repo.write("debug.log", "ignored\n").write("target/x", "ignored\n");
    let made = task.checkpoint(1).await;
    assert_eq!(task.files(&made.tree), [".gitignore", "a.txt", "new/file"]);
    assert_eq!(task.repo.git(&["rev-parse", &format!("{}^", made.commit)]), head);
    assert_eq!(made.head_commit.as_ref().map(Sha::as_str), Some(&head[..]));
    assert_eq!(made.branch.as_deref(), Some(branch().as_str()));
    assert_eq!(told(&made), ["M a.txt +1 -1", "D dir/b.txt +0 -1", "A new/file +1 -0"]);
    assert_eq!((made.lines_added, made.lines_removed, made.unchanged), (2, 2, false));
    let kept = task.repo.git(&["rev-parse", "refs/makima/tasks/0190a1b2/checkpoints/1"]);
    assert_eq!(kept, made.commit.as_str());
}

#[tokio::test]
async fn the_author_is_the_user_the_committer_makima_and_trailers_say_which() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.repo.write("a.txt", "changed\n");
    let made = task.checkpoint(7).await;
    let format = "--format=%an <%ae>|%cn|%ct|%s|%(trailers:key=Makima-Task,valueonly)%(trailers:key=Makima-Checkpoint,valueonly)";
    assert_eq!(
        task.repo.git(&["show", "-s", format, made.commit.as_str()]),
        "Ursula User <ursula@example.com>|Makima|1760000000|Checkpoint 7|0190a1b2\n7"
    );
}

#[tokio::test]
async fn nobody_notices() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.repo.write("a.txt", "staged\n").git(&["add", "a.txt"]);
    task.repo.write("a.txt", "unstaged\n").write("new", "new\n");
    let index = lab.path().join("clone.git/worktrees/one/index");
    let seen = || {
        let index = (fs::read(&index).unwrap(), fs::metadata(&index).unwrap().modified().unwrap());
        let refs = task.repo.git(&["for-each-ref", "refs/heads", "refs/remotes", "refs/tags"]);
        (index, refs, task.repo.git(&["symbolic-ref", "HEAD"]), task.repo.git(&["stash", "list"]))
    };
    let before = seen();
    let made = task.worktree.checkpoint(&task.request(1)).await.unwrap().unwrap();
    assert!(before == seen());
    assert_eq!(task.content(&made.tree, "a.txt"), "unstaged");
    assert_eq!(task.repo.status(), "MM a.txt\n?? new");
    task.last = Some(made.commit);
    assert!(task.checkpoint(2).await.unchanged);
}

#[tokio::test]
async fn where_nothing_differs_from_head_its_commit_is_the_checkpoint() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.repo.write("a.txt", "by the agent\n");
    let head = task.repo.commit("By the agent");
    let made = task.checkpoint(1).await;
    assert_eq!(made.commit.as_str(), head);
    assert_eq!(task.repo.git(&["rev-parse", "refs/makima/tasks/0190a1b2/checkpoints/1"]), head);
    assert_eq!(told(&made), ["M a.txt +1 -3"]);
}

#[tokio::test]
async fn a_turn_that_changed_nothing_makes_none() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    assert_eq!(task.turn(1, None).await, None);
    task.repo.write("new", "new\n");
    let made = task.turn(1, None).await.unwrap();
    task.last = Some(made.commit.clone());
    assert_eq!(task.turn(2, None).await, None);
    let rules = ScanRules::default();
    assert!(!task.worktree.changed_since(task.last.as_ref(), &rules).await.unwrap());
    // The files stay the same, but the agent commits them.
    let head = task.repo.commit("By the agent");
    assert!(task.worktree.changed_since(task.last.as_ref(), &rules).await.unwrap());
    let made = task.turn(2, None).await.unwrap();
    assert_eq!((made.commit.as_str(), told(&made)), (&head[..], vec![]));
    task.last = Some(made.commit);
    assert_eq!(task.turn(3, None).await, None);
    // Written again with the same content.
    task.repo.write("new", "new\n");
    assert_eq!(task.turn(3, None).await, None);
}

#[tokio::test]
async fn changes_are_told_against_the_previous_checkpoint() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.repo.write("new", "1\n2\n3\n4\n5\n6\n");
    task.checkpoint(1).await;
    task.repo.remove("new").write("newer", "1\n2\n3\n4\n5\n6\n7\n").write("bin", b"\0\x01");
    let made = task.checkpoint(2).await;
    assert_eq!(told(&made), ["A bin binary", "R new > newer +1 -0"]);
    assert_eq!((made.lines_added, made.lines_removed), (1, 0));
}

#[tokio::test]
async fn made_again_it_is_the_same() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    task.repo.write("a.txt", "changed\n");
    let request = task.request(1);
    let first = task.worktree.checkpoint(&request).await.unwrap();
    task.repo.write("a.txt", "changed since\n");
    assert_eq!(task.worktree.checkpoint(&request).await.unwrap(), first);
    // Also where it is HEAD's own commit.
    task.repo.commit("By the agent");
    let request = task.request(2);
    let second = task.worktree.checkpoint(&request).await.unwrap();
    task.repo.commit("Another");
    assert_eq!(task.worktree.checkpoint(&request).await.unwrap(), second);
}

#[tokio::test]
async fn force_added_files_are_in_and_files_ignored_since_are_out() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.repo.write("x.log", "x\n").write("cache.tmp", "cache\n");
    let made = task.checkpoint(1).await;
    assert_eq!(task.files(&made.tree), [".gitignore", "a.txt", "cache.tmp", "dir/b.txt"]);
    // Ignored now, and never in the worktree's own index.
    task.repo.write(".gitignore", "*.log\n*.tmp\n/target/\n");
    let made = task.checkpoint(2).await;
    assert_eq!(task.files(&made.tree), [".gitignore", "a.txt", "dir/b.txt"]);
    task.repo.git(&["add", "-f", "x.log"]);
    let made = task.checkpoint(3).await;
    assert_eq!(task.files(&made.tree), [".gitignore", "a.txt", "dir/b.txt", "x.log"]);
    task.repo.git(&["rm", "-q", "--cached", "x.log"]);
    let made = task.checkpoint(4).await;
    assert_eq!(task.files(&made.tree), [".gitignore", "a.txt", "dir/b.txt"]);
    assert_eq!(task.repo.read("x.log"), "x\n");
}

#[tokio::test]
async fn tracked_files_that_are_ignored_stay() {
    let (lab, user) = Lab::with_user().await;
    user.write("kept.log", "kept\n").git(&["add", "-f", "kept.log"]);
    user.git(&["commit", "-qm", "Keep a log"]);
    let mut task = lab.task(&user).await;
    task.repo.write("a.txt", "a\n");
    let made = task.checkpoint(1).await;
    assert!(task.files(&made.tree).contains(&"kept.log".into()));
    task.repo.write("kept.log", "changed\n");
    let made = task.checkpoint(2).await;
    assert_eq!(task.content(&made.tree, "kept.log"), "changed");
    task.repo.git(&["rm", "-q", "--cached", "kept.log"]);
    let made = task.checkpoint(3).await;
    assert!(!task.files(&made.tree).contains(&"kept.log".into()));
}

#[tokio::test]
async fn flags_that_hide_changes_hide_none() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.repo.git(&["update-index", "--assume-unchanged", "a.txt"]);
    task.repo.git(&["update-index", "--skip-worktree", "dir/b.txt"]);
    task.repo.write("a.txt", "hidden\n").write("dir/b.txt", "hidden too\n");
    assert_eq!(task.repo.status(), "");
    let made = task.checkpoint(1).await;
    assert_eq!(told(&made), ["M a.txt +1 -3", "M dir/b.txt +1 -1"]);
    task.repo.remove("dir/b.txt");
    assert_eq!(told(&task.checkpoint(2).await), ["D dir/b.txt +0 -1"]);
    assert_eq!(task.repo.git(&["ls-files", "-v", "a.txt", "dir/b.txt"]), "h a.txt\nS dir/b.txt");
}

#[tokio::test]
async fn a_sparse_worktree_has_not_deleted_what_it_leaves_out() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.repo.git(&["sparse-checkout", "set", "--no-cone", "/*", "!/dir/"]);
    assert!(!task.repo.folder.join("dir").exists());
    task.repo.write("a.txt", "changed\n");
    assert_eq!(told(&task.checkpoint(1).await), ["M a.txt +1 -3"]);
    task.repo.write("dir/b.txt", "there again\n");
    assert_eq!(told(&task.checkpoint(2).await), ["M dir/b.txt +1 -1"]);
}

#[tokio::test]
async fn nested_repositories_are_named_and_never_touched() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    let nested = lab.repo("tasks/one/deep/nested");
    nested.write("inner", "inner\n");
    lab.repo("tasks/one/other").write("x", "x\n").commit("Inner");
    task.repo.write("deep/beside", "beside\n").write("a.txt", "changed\n");
    let before = nested.fingerprint();
    let made = task.checkpoint(1).await;
    assert_eq!(task.files(&made.tree), [".gitignore", "a.txt", "deep/beside", "dir/b.txt"]);
    let named: Vec<_> = made.not_held.iter().map(|n| (&n.path[..], n.reason)).collect();
    let reason = NotHeldReason::NestedRepository;
    assert_eq!(named, [(&b"deep/nested"[..], reason), (&b"other"[..], reason)]);
    assert_eq!(nested.fingerprint(), before);
    // A tracked file whose place a repository took.
    task.repo.remove("a.txt");
    lab.repo("tasks/one/a.txt").write("x", "x\n").commit("Inner");
    let made = task.checkpoint(2).await;
    assert_eq!(told(&made), ["D a.txt +0 -1"]);
    assert_eq!(made.not_held.len(), 3);
}

#[tokio::test]
async fn the_size_limit_is_for_untracked_files_of_turns_only() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    let large = "x".repeat(1000);
    task.repo.write("large", &large).write("a.txt", &large).write("small", "s\n");
    let made = task.turn(1, Some(999)).await.unwrap();
    assert_eq!(told(&made), ["M a.txt +1 -3", "A small +1 -0"]);
    let named: Vec<_> = made.not_held.iter().map(|n| (&n.path[..], n.reason)).collect();
    assert_eq!(named, [(&b"large"[..], NotHeldReason::TooLarge)]);
    task.last = Some(made.commit);
    // By hand there is none.
    let request = CheckpointRequest {
        rules: ScanRules { max_untracked_bytes: Some(999), ..ScanRules::default() },
        ..task.request(2)
    };
    let made = task.worktree.checkpoint(&request).await.unwrap().unwrap();
    assert_eq!((told(&made), made.not_held), (vec!["A large +1 -0".into()], vec![]));
    task.last = Some(made.commit);
    // One that grew above it.
    task.repo.write("small", &large);
    let made = task.turn(3, Some(999)).await.unwrap();
    assert_eq!((told(&made), made.not_held.len()), (vec!["D small +0 -1".into()], 1));
}

#[tokio::test]
async fn ignored_files_that_are_wanted_are_held() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.repo.write("target/keep/x.log", "x\n").write("target/other", "o\n").write("b.log", "b\n");
    let rules = ScanRules { include: vec!["target/keep".into()], ..ScanRules::default() };
    for number in [1, 2] {
        let made = task
            .worktree
            .checkpoint(&CheckpointRequest { rules: rules.clone(), ..task.request(number) })
            .await;
        let made = made.unwrap().unwrap();
        assert_eq!(task.files(&made.tree), [".gitignore", "a.txt", "dir/b.txt", "target/keep/x.log"]);
    }
    let made = task.checkpoint(3).await;
    assert_eq!(task.files(&made.tree), [".gitignore", "a.txt", "dir/b.txt"]);
}

#[tokio::test]
async fn a_lock_that_a_killed_git_left_is_no_hindrance() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.repo.write("a.txt", "1\n");
    task.checkpoint(1).await;
    let private = lab.path().join("clone.git/worktrees/one/makima");
    fs::write(private.join("index.lock"), "").unwrap();
    task.repo.write("a.txt", "2\n");
    assert_eq!(told(&task.checkpoint(2).await), ["M a.txt +1 -1"]);
    fs::write(private.join("index"), "no index").unwrap();
    task.repo.write("a.txt", "3\n");
    assert_eq!(told(&task.checkpoint(3).await), ["M a.txt +1 -1"]);
    // The agent's own lock is its own.
    fs::write(lab.path().join("clone.git/worktrees/one/index.lock"), "").unwrap();
    task.repo.write("a.txt", "4\n");
    assert_eq!(told(&task.checkpoint(4).await), ["M a.txt +1 -1"]);
}

#[tokio::test]
async fn a_task_id_that_is_no_name_is_refused() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    for id in ["../x", "a/b", "", "a b"] {
        let request = CheckpointRequest { task: id.into(), ..task.request(1) };
        assert!(task.worktree.checkpoint(&request).await.is_err(), "{id}");
    }
    assert_eq!(task.request(1).kind, CheckpointKind::Manual);
}

#[tokio::test]
async fn a_warmed_index_misses_no_change() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.repo.write("a.txt", "ONE\ntwo\nthree\n");
    task.worktree.warm().await.unwrap();
    // The same size, and most likely within the same second.
    task.repo.write("dir/b.txt", "B\n");
    assert_eq!(told(&task.checkpoint(1).await), ["M a.txt +1 -1", "M dir/b.txt +1 -1"]);
    task.worktree.warm().await.unwrap();
    assert!(task.checkpoint(2).await.unchanged);
}

/// Fault: the machine is switched off
/// Moment: while a checkpoint's ref is written, or the source's branches are
/// Outcome: the locks that are left are no hindrance to the next checkpoint and the next fetch
#[tokio::test]
async fn locks_of_our_refs_that_were_left_are_no_hindrance() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    let refs = task.clone.dir().join("refs/makima");
    fs::create_dir_all(refs.join("tasks/0190a1b2/checkpoints")).unwrap();
    fs::write(refs.join("tasks/0190a1b2/checkpoints/1.lock"), "").unwrap();
    task.repo.write("a.txt", "x\n");
    task.checkpoint(1).await;
    fs::create_dir_all(refs.join("source/heads")).unwrap();
    fs::write(refs.join("source/heads/main.lock"), "").unwrap();
    let head = user.write("a.txt", "2\n").commit("Second");
    let base = lab.clone_of(&user).await.resolve_base(None).await.unwrap();
    assert_eq!(base.commit.unwrap().as_str(), head);
}
