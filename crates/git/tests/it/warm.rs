//! What is done ahead of the first checkpoint of a worktree.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::lab::{Lab, Task, told};

fn git_dir(task: &Task) -> PathBuf {
    task.clone.dir().join("worktrees/one")
}

#[tokio::test]
async fn nothing_that_the_agent_sees_is_written() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    task.repo.write("a.txt", "staged\n").git(&["add", "a.txt"]);
    let before = (task.repo.fingerprint(), fs::read(git_dir(&task).join("index")).unwrap());
    task.worktree.warm().await.unwrap();
    assert_eq!((task.repo.fingerprint(), fs::read(git_dir(&task).join("index")).unwrap()), before);
    assert!(!git_dir(&task).join("makima/index.lock").exists());
}

#[tokio::test]
async fn the_first_checkpoint_takes_up_what_was_made_ready() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.worktree.warm().await.unwrap();
    let ours = git_dir(&task).join("makima/index");
    let about = |found: fs::Metadata| (found.ino(), found.modified().unwrap());
    let ready = about(ours.metadata().unwrap());
    assert!(task.checkpoint(1).await.unchanged);
    assert_eq!(about(ours.metadata().unwrap()), ready);
}

#[tokio::test]
async fn a_change_of_no_size_is_seen_though_it_comes_in_the_same_second() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.worktree.warm().await.unwrap();
    task.repo.write("a.txt", "one\nTWO\nthree\n");
    assert_eq!(told(&task.checkpoint(1).await), ["M a.txt +1 -1"]);
}

#[tokio::test]
async fn what_was_staged_after_it_is_in_the_checkpoint() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    task.worktree.warm().await.unwrap();
    task.repo.write("x.log", "ignored\n").git(&["add", "--force", "x.log"]);
    assert_eq!(told(&task.checkpoint(1).await), ["A x.log +1 -0"]);
}
