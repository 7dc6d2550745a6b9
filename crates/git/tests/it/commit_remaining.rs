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

/// Fault: the daemon is killed
/// Moment: while it holds the lock of a worktree's index
/// Outcome: the next run lets go of the lock; one of the agent's own git is left alone
#[tokio::test]
async fn a_lock_of_ours_that_was_left_is_let_go() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    let git_dir = lab.path().join("clone.git/worktrees/one");
    let lock = git_dir.join("index.lock");
    task.repo.write("a.txt", "x\n");
    std::fs::create_dir_all(git_dir.join("makima")).unwrap();
    // As a kill leaves it: one file by two names.
    let leave = || {
        std::fs::write(git_dir.join("makima/new-index"), "half").unwrap();
        std::fs::hard_link(git_dir.join("makima/new-index"), &lock).unwrap();
    };
    leave();
    task.repo.fails(&["add", "a.txt"]);
    let again = lab.task(&user).await;
    again.repo.git(&["add", "a.txt"]);
    leave();
    assert!(finish(&task).await.unwrap().is_some());
    // Killed after the index was in its place.
    std::fs::hard_link(git_dir.join("index"), git_dir.join("makima/new-index")).unwrap();
    task.repo.write("a.txt", "y\n");
    std::fs::write(&lock, "").unwrap();
    assert!(matches!(finish(&task).await, Err(CommitError::Locked { .. })));
    assert!(lock.exists());
}
