//! A user's uncommitted changes, taken along.

use std::fs;

use makima_git::{InProgress, NotHeldReason, Start, Uncommitted};

use crate::lab::{Lab, Repo, branch, noon, ursula};

const KEEP: &str = "refs/makima/tasks/0190a1b2/uncommitted";

async fn started(lab: &Lab, user: &Repo) -> (Start, Repo) {
    let clone = lab.clone_of(user).await;
    let start = clone.include_uncommitted(&user.source(), KEEP, &ursula(), noon()).await.unwrap().start;
    let worktree = clone.add_worktree(&lab.path().join("tasks/one"), &branch(), &start).await.unwrap();
    (start, lab.at(worktree.folder()))
}

#[tokio::test]
async fn they_are_in_the_worktree_and_not_committed() {
    let (lab, user) = Lab::with_user().await;
    let head = user.git(&["rev-parse", "HEAD"]);
    user.write("a.txt", "staged\n").write("staged-only", "x\n").git(&["add", "-A"]);
    user.write("a.txt", "unstaged\n").write("new", "new\n").write("x.log", "ignored\n").remove("dir/b.txt");
    user.remove("staged-only");
    user.git(&["add", "-N", "."]);
    let before = user.fingerprint();
    let (_, task) = started(&lab, &user).await;
    assert_eq!(user.fingerprint(), before);
    assert_eq!(task.git(&["rev-parse", "HEAD"]), head);
    assert_eq!(task.status(), " M a.txt\n D dir/b.txt\n?? new");
    assert_eq!((task.read("a.txt"), task.read("new")), ("unstaged\n".into(), "new\n".into()));
    assert!(!task.folder.join("x.log").exists());
}

#[tokio::test]
async fn every_object_is_in_the_clone_itself() {
    let (lab, user) = Lab::with_user().await;
    user.git(&["checkout", "-q", "--detach"]);
    user.write("on-no-branch", "x\n").commit("On no branch");
    // Staged and then written over with the same content: known by its index entry alone.
    user.write("staged", "staged\n").git(&["add", "staged"]);
    user.write("untracked", "untracked\n");
    let (start, task) = started(&lab, &user).await;
    let Start::Uncommitted { files, .. } = start else { panic!("{start:?}") };
    fs::remove_dir_all(&user.folder).unwrap();
    task.git(&["rev-list", "--objects", files.as_str()]);
    task.git(&["fsck", "--connectivity-only"]);
    assert_eq!(task.git(&["rev-parse", KEEP]), files.as_str());
    assert_eq!((task.read("staged"), task.read("untracked")), ("staged\n".into(), "untracked\n".into()));
}

#[tokio::test]
async fn a_clean_repository_starts_at_its_head() {
    let (lab, user) = Lab::with_user().await;
    user.write("x.log", "ignored\n");
    let (start, task) = started(&lab, &user).await;
    assert!(matches!(start, Start::Commit(_)));
    assert_eq!(task.status(), "");
}

#[tokio::test]
async fn a_repository_without_a_commit_has_them_too() {
    let lab = Lab::new().await;
    let user = lab.repo("user");
    assert_eq!(started(&lab, &user).await.0, Start::Nothing);
    let lab = Lab::new().await;
    let user = lab.repo("user");
    user.write("a", "a\n").write("b", "b\n").git(&["add", "a"]);
    let (_, task) = started(&lab, &user).await;
    assert_eq!(task.status(), "?? a\n?? b");
}

#[tokio::test]
async fn sparse_and_split_worktrees_lose_nothing() {
    let (lab, user) = Lab::with_user().await;
    user.git(&["sparse-checkout", "set", "--no-cone", "/*", "!/dir/"]);
    user.write("a.txt", "changed\n");
    let (_, task) = started(&lab, &user).await;
    assert_eq!(task.status(), " M a.txt");
    let (lab, user) = Lab::with_user().await;
    user.git(&["update-index", "--split-index"]);
    user.write("staged", "x\n").git(&["add", "staged"]);
    user.write("a.txt", "changed\n");
    let (_, task) = started(&lab, &user).await;
    assert_eq!(task.status(), " M a.txt\n?? staged");
}

#[tokio::test]
async fn they_are_counted() {
    let (lab, user) = Lab::with_user().await;
    assert!(lab.git.uncommitted(&user.folder).await.unwrap().is_none());
    user.write("a.txt", "x\n")
        .write("new/1", "")
        .write("new/2", "")
        .write("x.log", "")
        .write("dir/b.txt", "y\n");
    user.git(&["add", "dir/b.txt"]);
    let found = lab.git.uncommitted(&user.folder).await.unwrap();
    assert_eq!(found, Uncommitted { changed: 2, untracked: 2 });
    assert_eq!(lab.git.uncommitted(&user.folder.join("dir")).await.unwrap(), found);
}

/// Fault: a repository with others inside, names that no tree keeps, and a merge that isn't done
/// Moment: the user's uncommitted changes are taken along
/// Outcome: the files are, and what was not is named
#[tokio::test]
async fn what_is_not_taken_is_named() {
    let (lab, user) = Lab::with_user().await;
    user.git(&["checkout", "-qb", "side"]);
    user.write("a.txt", "side\n").commit("Side");
    user.git(&["checkout", "-q", "main"]);
    user.write("a.txt", "ours\n").commit("Ours");
    user.fails(&["merge", "side"]);
    lab.repo("user/nested").write("x", "x\n").commit("Inner");
    user.write("git~1", "x\n");
    let clone = lab.clone_of(&user).await;
    let taken = clone.include_uncommitted(&user.source(), KEEP, &ursula(), noon()).await.unwrap();
    let not_held: Vec<_> = taken.not_held.iter().map(|held| (&held.path[..], held.reason)).collect();
    assert_eq!(
        not_held,
        [(&b"git~1"[..], NotHeldReason::InvalidName), (&b"nested"[..], NotHeldReason::NestedRepository)]
    );
    assert_eq!(taken.in_progress, Some(InProgress::Merge));
}

/// Fault: a staged file that is larger than what is held in memory of an answer
/// Moment: the user's uncommitted changes are taken along
/// Outcome: it is taken
#[tokio::test]
#[ignore = "long: hundreds of megabytes"]
async fn a_staged_file_of_any_size_is_taken() {
    let (lab, user) = Lab::with_user().await;
    // Noise, which no compression makes small: what repeats is farther apart than it looks.
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    let large = noise.take(1 << 20).collect::<Vec<u8>>().repeat(600);
    user.write("large", &large).git(&["add", "large"]);
    let (_, task) = started(&lab, &user).await;
    assert!(fs::read(task.folder.join("large")).unwrap() == large);
}
