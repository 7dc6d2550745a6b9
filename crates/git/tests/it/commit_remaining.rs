//! What an agent left is committed when its task is completed.

use makima_git::{BranchName, CommitError, InProgress};

use crate::lab::{Lab, Task, branch, noon, ursula};

async fn finish(task: &Task) -> Result<Option<String>, CommitError> {
    let made = task.worktree.commit_remaining(&branch(), "Do it", &ursula(), noon()).await?;
    Ok(made.map(|commit| commit.to_string()))
}

#[tokio::test]
async fn it_is_committed_to_the_branch() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    assert_eq!(finish(&task).await.unwrap(), None);
    task.repo.write("a.txt", "staged\n").git(&["add", "a.txt"]);
    task.repo.write("a.txt", "changed\n").write("new", "n\n").write("x.log", "ignored\n").remove("dir/b.txt");
    lab.repo("tasks/one/nested").write("x", "x\n").commit("Inner");
    let commit = finish(&task).await.unwrap().unwrap();
    assert_eq!(task.repo.git(&["rev-parse", "HEAD", &branch().full()]), format!("{commit}\n{commit}"));
    assert_eq!(
        task.repo.git(&["show", "--name-status", "--format=%an %cn %s"]),
        "Ursula User Makima Do it\n\nM\ta.txt\nD\tdir/b.txt\nA\tnew"
    );
    assert_eq!(task.repo.status(), "?? nested/");
    assert_eq!(finish(&task).await.unwrap(), None);
}

#[tokio::test]
async fn a_repository_without_a_commit_gets_its_first() {
    let lab = Lab::new().await;
    let user = lab.repo("user");
    let task = lab.task(&user).await;
    assert_eq!(finish(&task).await.unwrap(), None);
    task.repo.write("a", "a\n");
    finish(&task).await.unwrap().unwrap();
    assert_eq!(
        (task.repo.git(&["rev-list", "--count", "HEAD"]), task.repo.status()),
        ("1".into(), String::new())
    );
}

#[tokio::test]
async fn in_the_middle_of_something_all_stays_as_it_is() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    task.repo.git(&["checkout", "-qb", "side"]);
    task.repo.write("a.txt", "side\n").commit("Side");
    task.repo.git(&["checkout", "-q", branch().as_str()]);
    task.repo.write("a.txt", "ours\n").commit("Ours");
    for (start, abort, wanted) in [
        (&["merge", "side"][..], &["merge", "--abort"][..], InProgress::Merge),
        (&["rebase", "side"], &["rebase", "--abort"], InProgress::Rebase),
        (&["cherry-pick", "side"], &["cherry-pick", "--abort"], InProgress::CherryPick),
    ] {
        task.repo.fails(start);
        let before = (task.repo.status(), task.repo.git(&["rev-parse", "HEAD"]));
        let refused = finish(&task).await;
        assert!(
            matches!(refused, Err(CommitError::InProgress { what, .. }) if what == wanted),
            "{refused:?}"
        );
        assert_eq!((task.repo.status(), task.repo.git(&["rev-parse", "HEAD"])), before);
        task.repo.git(abort);
    }
    task.repo.write("a.txt", "stashed\n").git(&["stash", "-q"]);
    task.repo.write("a.txt", "other\n").commit("Other");
    task.repo.fails(&["stash", "pop"]);
    let refused = finish(&task).await;
    assert!(
        matches!(refused, Err(CommitError::InProgress { what: InProgress::Conflicts, .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn another_branch_is_not_the_tasks() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    task.repo.write("a.txt", "x\n").git(&["checkout", "-qb", "other"]);
    let other = finish(&task).await;
    assert!(matches!(other, Err(CommitError::OtherBranch { found: Some(_), .. })), "{other:?}");
    let wanted = BranchName::new("other").unwrap();
    assert!(task.worktree.commit_remaining(&wanted, "x", &ursula(), noon()).await.unwrap().is_some());
    task.repo.write("a.txt", "y\n").git(&["checkout", "-q", "--detach"]);
    assert!(matches!(finish(&task).await, Err(CommitError::OtherBranch { found: None, .. })));
}

#[tokio::test]
async fn a_locked_index_moves_nothing() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    task.repo.write("a.txt", "x\n");
    let lock = lab.path().join("clone.git/worktrees/one/index.lock");
    std::fs::write(&lock, "").unwrap();
    assert!(matches!(finish(&task).await, Err(CommitError::Locked { .. })));
    assert!(lock.exists());
    assert_eq!(task.worktree.head().await.unwrap(), task.last);
    std::fs::remove_file(lock).unwrap();
    assert!(finish(&task).await.unwrap().is_some());
}

/// What a commit leaves that is killed while it holds the lock of the index, with the branch moved or not.
fn cut_off(lab: &Lab, task: &Task, has_moved: bool) -> String {
    let git_dir = lab.path().join("clone.git/worktrees/one");
    let (index, note) = (git_dir.join("makima/next-index"), git_dir.join("makima/next-commit"));
    std::fs::create_dir_all(index.parent().unwrap()).unwrap();
    let staged = |args: &[&str]| {
        let output = task.repo.command(args).env("GIT_INDEX_FILE", &index).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    staged(&["read-tree", "HEAD"]);
    staged(&["add", "-A"]);
    let tree = staged(&["write-tree"]);
    let commit = task.repo.git(&["commit-tree", "-p", "HEAD", "-m", "Do it", &tree]);
    std::fs::write(note, &commit).unwrap();
    std::fs::hard_link(&index, git_dir.join("index.lock")).unwrap();
    if has_moved {
        task.repo.git(&["update-ref", "HEAD", &commit]);
    }
    commit
}

/// Fault: the daemon is killed
/// Moment: while it commits what the agent left, the index locked and the branch not moved yet
/// Outcome: the next daemon lets go of the lock and commits
#[tokio::test]
async fn a_commit_that_was_killed_before_the_branch_moved_is_made_anew() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    task.repo.write("a.txt", "changed\n").write("new", "n\n");
    cut_off(&lab, &task, false);
    let commit = finish(&task).await.unwrap().unwrap();
    assert_eq!((task.repo.git(&["rev-parse", "HEAD"]), task.repo.status()), (commit, String::new()));
    assert_eq!(task.repo.git(&["rev-list", "--count", "HEAD"]), "2");
    assert_eq!(finish(&task).await.unwrap(), None);
}

/// Fault: the daemon is killed
/// Moment: while it commits what the agent left, the branch moved and the index not yet
/// Outcome: the next daemon brings the index after it; nothing is committed twice
#[tokio::test]
async fn a_commit_that_was_killed_after_the_branch_moved_is_brought_to_its_end() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    task.repo.write("a.txt", "changed\n").write("new", "n\n");
    let commit = cut_off(&lab, &task, true);
    assert_eq!(finish(&task).await.unwrap(), Some(commit.clone()));
    assert_eq!((task.repo.git(&["rev-parse", "HEAD"]), task.repo.status()), (commit, String::new()));
    assert!(!lab.path().join("clone.git/worktrees/one/makima/next-index").exists());
    assert_eq!(finish(&task).await.unwrap(), None);
}

/// Fault: the daemon is killed
/// Moment: while it commits what the agent left, and the task is gone on with
/// Outcome: the next run's agent finds its index free
#[tokio::test]
async fn a_lock_of_ours_that_was_left_is_let_go_before_the_next_run() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    task.repo.write("a.txt", "changed\n");
    cut_off(&lab, &task, false);
    task.repo.fails(&["add", "a.txt"]);
    let again = lab.task(&user).await;
    again.repo.git(&["add", "a.txt"]);
}
