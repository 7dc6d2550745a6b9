//! Checkpoints while something writes in the same worktree.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use makima_git::{CheckpointError, ScanError};

use crate::lab::{Lab, Repo};

fn write_until(done: &AtomicBool, agent: &Repo) {
    let folder = &agent.folder;
    for round in 0_usize.. {
        if done.load(Ordering::Relaxed) {
            return;
        }
        agent.write(format!("w/{}", round % 5), "x".repeat(round % 7 * 10_000));
        let _ = fs::rename(folder.join("w/1"), folder.join("w/moved"));
        if round % 50 == 49 {
            fs::remove_dir_all(folder.join("w")).unwrap();
            drop(agent.command(&["add", "-A"]).output().unwrap());
            drop(agent.command(&["commit", "-qm", "Beside"]).output().unwrap());
        }
    }
}

#[tokio::test]
async fn each_is_made_or_says_that_the_worktree_changes() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    let done = Arc::new(AtomicBool::new(false));
    let (agent, until) = (lab.at(&task.repo.folder), done.clone());
    let writer = std::thread::spawn(move || write_until(&until, &agent));
    let mut all = Vec::new();
    for number in 1..=15 {
        all.push(task.worktree.checkpoint(&task.request(number)).await);
    }
    done.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    for one in &all {
        let fine =
            matches!(one, Ok(Some(_)) | Err(CheckpointError::Scan(ScanError::WorktreeChanging { .. })));
        assert!(fine, "{one:?}");
    }
    assert!(all.iter().any(Result::is_ok), "{all:?}");
    let clone = lab.at(task.clone.dir());
    clone.git(&["fsck", "--connectivity-only"]);
    assert!(!clone.folder.join("worktrees/one/makima/index.lock").exists());
}
