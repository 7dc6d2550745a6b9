//! Worktrees: made, found again, made anew where one was half made.

use std::fs;

use makima_git::{BranchName, Sha, Start, WorktreeError};

use crate::lab::{Lab, branch};

#[tokio::test]
async fn a_worktree_is_on_its_own_branch_at_the_base() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    assert_eq!(task.repo.git(&["symbolic-ref", "HEAD"]), branch().full());
    assert_eq!(task.worktree.head().await.unwrap(), task.last);
    assert_eq!(task.worktree.branch().await.unwrap().as_deref(), Some(branch().as_str()));
    assert_eq!((task.repo.status(), task.repo.read("dir/b.txt")), (String::new(), "b\n".into()));
    assert!(!lab.path().join("clone.git/worktrees/one/locked").exists());
    assert_eq!(user.git(&["for-each-ref", "refs/heads"]).lines().count(), 1);
}

#[tokio::test]
async fn one_that_is_there_is_left_as_it_is() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    task.repo.write("a.txt", "work\n");
    let again = lab.task(&user).await;
    assert_eq!(again.repo.read("a.txt"), "work\n");
    let opened = again.clone.worktree(task.worktree.folder()).unwrap();
    assert_eq!(opened.folder(), task.worktree.folder());
    // The `.git` file is the agent's to lose.
    task.repo.remove(".git");
    assert_eq!(opened.head().await.unwrap(), task.last);
}

#[tokio::test]
async fn one_whose_folder_is_gone_is_made_at_its_branch() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    let head = task.repo.write("a.txt", "work\n").commit("Work");
    fs::remove_dir_all(task.worktree.folder()).unwrap();
    assert!(matches!(task.clone.worktree(task.worktree.folder()), Err(WorktreeError::NotAWorktree { .. })));
    let again = lab.task(&user).await;
    assert_eq!((again.repo.git(&["rev-parse", "HEAD"]), again.repo.read("a.txt")), (head, "work\n".into()));
    assert_eq!(again.repo.status(), "");
}

#[tokio::test]
async fn one_that_was_half_made_is_made_anew() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    fs::write(lab.path().join("clone.git/worktrees/one/locked"), "initializing").unwrap();
    task.repo.remove("a.txt");
    assert!(task.clone.worktree(task.worktree.folder()).is_err());
    let again = lab.task(&user).await;
    assert_eq!((again.repo.status(), again.repo.read("a.txt")), (String::new(), "one\ntwo\nthree\n".into()));
}

#[tokio::test]
async fn a_folder_with_something_else_in_it_is_refused() {
    let (lab, user) = Lab::with_user().await;
    let clone = lab.clone_of(&user).await;
    fs::create_dir_all(lab.path().join("taken")).unwrap();
    fs::write(lab.path().join("taken/file"), "mine").unwrap();
    let made = clone.add_worktree(&lab.path().join("taken"), &branch(), &Start::Nothing).await;
    assert!(matches!(made, Err(WorktreeError::Occupied { .. })));
    assert_eq!(fs::read_to_string(lab.path().join("taken/file")).unwrap(), "mine");
}

#[tokio::test]
async fn removed_it_leaves_its_branch() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    let head = task.repo.git(&["rev-parse", "HEAD"]);
    for _ in 0..2 {
        task.clone.remove_worktree(task.worktree.folder()).await.unwrap();
    }
    assert!(!task.worktree.folder().exists());
    let kept = task.clone.commit_of(&branch().full()).await.unwrap();
    assert_eq!(kept, Sha::parse(&head));
    assert_eq!(lab.at(task.clone.dir()).git(&["worktree", "list"]).lines().count(), 1);
}

#[tokio::test]
async fn two_tasks_have_two_worktrees_of_the_same_name() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    let start = Start::Commit(task.last.clone().unwrap());
    let other = BranchName::new("makima/other-1").unwrap();
    let other = task.clone.add_worktree(&lab.path().join("elsewhere/one"), &other, &start).await.unwrap();
    assert_eq!(other.branch().await.unwrap().as_deref(), Some("makima/other-1"));
    assert_eq!(task.worktree.branch().await.unwrap().as_deref(), Some(branch().as_str()));
}
