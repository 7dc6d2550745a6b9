//! A way back that is cut off, or that something writes beside: at every point where it waits.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use makima_git::{CheckpointError, CheckpointKind, CheckpointRequest, RestoreError, ScanError};

use crate::everything::{Everything, git_dir, in_between};
use crate::lab::{Repo, Task};
use crate::safety_naive::with_side;

/// A merge with conflicts, files of every kind, one ignored; kept as 1. Answers a copy of it.
async fn first(task: &mut Task) -> Everything {
    task.repo.fails(&["merge", "side"]);
    task.repo.write("new/untracked", "u\n").write("t", "changed\n").write("big.log", "ignored\n");
    symlink("no/where", task.repo.folder.join("link")).unwrap();
    let one = Everything::of(task);
    task.keep(1).await;
    one
}

/// Something else in as many ways.
fn second(task: &Task) -> Everything {
    let repo = &task.repo;
    repo.git(&["merge", "--abort"]);
    repo.write(".gitignore", "/new\n*.tmp\n")
        .write("later.tmp", "ignored\n")
        .remove("link")
        .write("link/x", "x\n");
    repo.git(&["checkout", "-qb", "another"]);
    repo.git(&["rm", "-q", "d/a"]);
    repo.write("a", "other\n").commit("Another");
    fs::remove_dir_all(repo.folder.join("new")).unwrap();
    repo.write("new", "a file, and ignored\n").write("t", "staged\n").git(&["add", "t"]);
    repo.write("t", "changed again\n");
    Everything::of(task)
}

/// Cut off after so many waits, each `apart`; done again; and back.
async fn cut_everywhere(apart: usize) {
    let (_lab, mut task) = with_side().await;
    let one = first(&mut task).await;
    let two = second(&task);
    let (mut waits, mut number, mut is_done) = (0, 2, false);
    while !is_done {
        let before = Everything::of(&task);
        let request = task.request(number);
        let cut = in_between(task.worktree.restore(1, &request), waits, || false).await;
        is_done = cut.is_some();
        assert!(!git_dir(&task).join("index.lock").exists(), "after {waits} waits a lock is left");
        let restored = match cut {
            Some(done) => done.unwrap(),
            None => task.try_restore(1, number).await.unwrap(),
        };
        assert_eq!(
            String::from_utf8_lossy(&restored.collisions.join(&b" "[..])),
            "new",
            "after {waits} waits"
        );
        task.is_back(&before, &one, &restored);
        assert_eq!(task.repo.read("later.tmp"), "ignored\n");
        // And what was there before is whole too, however often it took.
        task.restore(number, number + 1, &two).await;
        assert_eq!(Everything::of(&task), two, "after {waits} waits");
        waits += apart;
        number += 2;
    }
    task.repo.git(&["fsck", "--connectivity-only", "--no-dangling"]);
}

/// Fault: the daemon is killed
/// Moment: while a worktree is brought back to a safety checkpoint
/// Outcome: done again it ends in the same files, index, HEAD and branch; what was there before is kept whole
#[tokio::test]
async fn cut_off_it_goes_on_when_it_is_called_again() {
    cut_everywhere(61).await;
}

/// Fault: the daemon is killed
/// Moment: at every wait of a worktree's way back to a safety checkpoint
/// Outcome: done again it ends in the same files, index, HEAD and branch; what was there before is kept whole
#[tokio::test]
#[ignore = "long: hundreds of ways back"]
async fn cut_off_anywhere_it_goes_on_when_it_is_called_again() {
    cut_everywhere(1).await;
}

#[tokio::test]
async fn cut_off_twice_it_still_goes_on() {
    let (_lab, mut task) = with_side().await;
    let one = first(&mut task).await;
    let two = second(&task);
    let (mut number, mut is_done) = (2, false);
    for waits in (90..).step_by(70) {
        let request = task.request(number);
        for waits in [waits, waits / 2, waits] {
            is_done |= in_between(task.worktree.restore(1, &request), waits, || false).await.is_some();
        }
        task.restore(1, number, &one).await;
        task.restore(number, number + 1, &two).await;
        number += 2;
        if is_done {
            break;
        }
    }
    assert!(is_done);
}

/// Whether some ref keeps this content, or the worktree has it.
fn is_somewhere(task: &Task, content: &str) -> bool {
    let file = task.repo.folder.parent().unwrap().join("content");
    fs::write(&file, content).unwrap();
    let blob = task.repo.git(&["hash-object", "--no-filters", file.to_str().unwrap()]);
    let on_disk = Everything::of(task).files.values().any(|(_, found)| found == content.as_bytes());
    on_disk || task.repo.git(&["rev-list", "--objects", "--all"]).contains(&blob)
}

/// Something writes some files after so many waits, each `apart`.
async fn written_everywhere(apart: usize) {
    let (_lab, mut task) = with_side().await;
    let one = first(&mut task).await;
    second(&task);
    task.keep(2).await;
    let (mut waits, mut number, mut is_done) = (0, 3, false);
    while !is_done {
        let mut written = Vec::new();
        // What will be replaced, what will go, and what nobody knows of.
        let write = || {
            for name in ["a", "link/x", "surprise"] {
                let content = format!("{name} written after {waits} waits\n");
                if fs::write(task.repo.folder.join(name), &content).is_ok() {
                    written.push(content);
                }
            }
            true
        };
        let request = task.request(number);
        match in_between(task.worktree.restore(1, &request), waits, write).await.unwrap() {
            Ok(_) | Err(RestoreError::Scan(ScanError::WorktreeChanging { .. })) => {}
            Err(error) => panic!("after {waits} waits: {error:?}"),
        }
        is_done = written.is_empty();
        for content in &written {
            assert!(is_somewhere(&task, content), "{content}");
        }
        assert!(!git_dir(&task).join("index.lock").exists());
        // With nobody beside it, it is what it was.
        task.try_restore(1, number + 1).await.unwrap();
        let now = Everything::of(&task).git;
        let same =
            (&now.entries, &now.status, &now.folder) == (&one.git.entries, &one.git.status, &one.git.folder);
        assert!(same, "after {waits} waits: {now:?}");
        task.try_restore(2, number + 2).await.unwrap();
        let _ = fs::remove_file(task.repo.folder.join("surprise"));
        waits += apart;
        number += 3;
    }
}

/// Fault: something writes in the worktree
/// Moment: while it is brought back to a safety checkpoint
/// Outcome: it is brought back and what was written is kept, or it says that the worktree is changing
#[tokio::test]
async fn what_is_written_beside_it_is_kept() {
    written_everywhere(67).await;
}

/// Fault: something writes in the worktree
/// Moment: at every wait of its way back to a safety checkpoint
/// Outcome: it is brought back and what was written is kept, or it says that the worktree is changing
#[tokio::test]
#[ignore = "long: hundreds of ways back"]
async fn what_is_written_beside_it_is_kept_whenever_it_is_written() {
    written_everywhere(1).await;
}

fn write_until(done: &AtomicBool, agent: &Repo) {
    let folder = &agent.folder;
    for round in 0_usize.. {
        if done.load(Ordering::Relaxed) {
            return;
        }
        agent.write(format!("w/{}", round % 5), "x".repeat(round % 7 * 10_000));
        let _ = fs::rename(folder.join("w/1"), folder.join("w/moved"));
        if round % 50 == 49 {
            let _ = fs::remove_dir_all(folder.join("w"));
            for args in
                [&["add", "-A"][..], &["commit", "-qm", "Beside"], &["merge", "side"], &["merge", "--abort"]]
            {
                drop(agent.command(args).output().unwrap());
            }
        }
    }
}

/// Fault: something writes, stages, commits and merges in the worktree
/// Moment: while safety checkpoints of it are kept
/// Outcome: each is a state that one comes back to, or it says that the worktree is changing
#[tokio::test]
async fn kept_beside_a_writer_each_is_a_state_to_come_back_to() {
    let (lab, mut task) = with_side().await;
    let done = Arc::new(AtomicBool::new(false));
    let (agent, until) = (lab.at(&task.repo.folder), done.clone());
    let writer = std::thread::spawn(move || write_until(&until, &agent));
    let mut kept = Vec::new();
    for number in 1..=6 {
        let request = CheckpointRequest { kind: CheckpointKind::Safety, ..task.request(number) };
        match task.worktree.checkpoint(&request).await {
            Ok(made) => kept.push((number, made.unwrap())),
            Err(CheckpointError::Scan(ScanError::WorktreeChanging { .. })) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    done.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    kept.push((7, task.keep(7).await));
    for (number, made) in &kept {
        task.try_restore(*number, 100 + number).await.unwrap();
        let tree = task.worktree.checkpoint(&task.request(200 + number)).await.unwrap().unwrap().tree;
        assert_eq!(tree, made.tree, "checkpoint {number}");
    }
    task.repo.git(&["fsck", "--connectivity-only", "--no-dangling"]);
}
