//! A task's branch in the user's repository.

use makima_git::{BranchName, PublishError, Published, Source};

use crate::lab::{Lab, branch};

#[tokio::test]
async fn the_branch_appears_and_nothing_else() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    let commit = task.repo.write("a.txt", "1\n").commit("Work");
    task.repo.git(&["tag", "agents-tag"]);
    task.repo.git(&["branch", "agents-branch"]);
    let published = task.clone.publish(&user.source(), &branch()).await.unwrap();
    assert_eq!(published, Published::Fetched { commit: makima_git::Sha::parse(&commit).unwrap() });
    let refs = user.git(&["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, format!("refs/heads/main\n{}", branch().full()));
    assert!(!user.folder.join(".git/FETCH_HEAD").exists());
    assert_eq!(user.status(), "");
    // Rewritten: forced. Nothing new: the same answer.
    task.repo.git(&["commit", "-q", "--amend", "-m", "Rewritten"]);
    for _ in 0..2 {
        task.clone.publish(&user.source(), &branch()).await.unwrap();
        assert_eq!(user.git(&["log", "-1", "--format=%s", branch().as_str()]), "Rewritten");
    }
}

#[tokio::test]
async fn one_that_is_checked_out_is_left_alone() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    let old = task.repo.write("a.txt", "1\n").commit("Work");
    task.clone.publish(&user.source(), &branch()).await.unwrap();
    task.repo.write("a.txt", "2\n").commit("More");
    let linked = lab.path().join("linked");
    user.git(&["worktree", "add", "-q", linked.to_str().unwrap(), branch().as_str()]);
    let published = task.clone.publish(&user.source(), &branch()).await.unwrap();
    assert_eq!(published, Published::CheckedOut { worktree: linked.clone() });
    assert_eq!(user.git(&["rev-parse", branch().as_str()]), old);
    user.git(&["worktree", "remove", linked.to_str().unwrap()]);
    assert!(matches!(task.clone.publish(&user.source(), &branch()).await, Ok(Published::Fetched { .. })));
}

/// Fault: the machine goes down
/// Moment: while git writes the task's branch in the user's repository
/// Outcome: the lock that is left there is removed when the branch is next published; one that somebody may hold is not
#[tokio::test]
async fn a_lock_that_was_left_is_removed() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    task.repo.write("a.txt", "1\n").commit("Work");
    let lock = user.folder.join(format!(".git/{}.lock", branch().full()));
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    let file = std::fs::File::create(&lock).unwrap();
    let refused = task.clone.publish(&user.source(), &branch()).await.unwrap_err();
    assert!(matches!(refused, PublishError::Git { .. }), "{refused:?}");
    assert!(lock.exists());
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(3600)).unwrap();
    assert!(matches!(task.clone.publish(&user.source(), &branch()).await, Ok(Published::Fetched { .. })));
    assert!(!lock.exists());
}

/// Fault: a user commits to a task's branch
/// Moment: between two turns of its agent, which has written its own commits anew
/// Outcome: the branch is left alone and it is said why; once it is out of the way, the task's work comes under its name
/// Pain: 3
#[tokio::test]
async fn what_the_user_committed_to_it_is_never_lost() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    task.repo.write("a.txt", "1\n").commit("Work");
    task.clone.publish(&user.source(), &branch()).await.unwrap();
    user.git(&["switch", "-q", branch().as_str()]);
    let theirs = user.write("b.txt", "theirs\n").commit("By the user");
    user.git(&["switch", "-q", "main"]);
    user.git(&["pack-refs", "--all"]);
    for message in ["Rewritten", "Rewritten again"] {
        task.repo.git(&["commit", "-q", "--amend", "-m", message]);
        let refused = task.clone.publish(&user.source(), &branch()).await.unwrap_err();
        assert!(
            matches!(&refused, PublishError::Moved { found, .. } if found.as_str() == theirs),
            "{refused}"
        );
        assert_eq!(user.git(&["rev-parse", branch().as_str()]), theirs);
    }
    user.git(&["branch", "-m", branch().as_str(), "mine"]);
    task.clone.publish(&user.source(), &branch()).await.unwrap();
    assert_eq!(user.git(&["log", "-1", "--format=%s", branch().as_str()]), "Rewritten again");
    // What goes on from theirs brings it along.
    user.git(&["branch", "-f", branch().as_str(), "mine"]);
    task.repo.git(&["fetch", "-q", user.folder.to_str().unwrap(), "mine"]);
    task.repo.git(&["reset", "-q", "--hard", "FETCH_HEAD"]);
    let on = task.repo.write("a.txt", "2\n").commit("On top");
    task.clone.publish(&user.source(), &branch()).await.unwrap();
    assert_eq!(user.git(&["rev-parse", branch().as_str()]), on);
}

#[tokio::test]
async fn others_are_never_written() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    let refused = task.clone.publish(&user.source(), &BranchName::new("main").unwrap()).await;
    assert!(matches!(refused, Err(PublishError::NotOurs(_))));
    let remote = Source::Remote("https://example.com/x".into());
    assert_eq!(task.clone.publish(&remote, &branch()).await.unwrap(), Published::KeptInClone);
}

#[tokio::test]
async fn an_empty_and_a_bare_repository_get_it_too() {
    let lab = Lab::new().await;
    let user = lab.repo("user");
    let task = lab.task(&user).await;
    assert_eq!(task.clone.publish(&user.source(), &branch()).await.unwrap(), Published::NothingYet);
    let commit = task.repo.write("a", "a\n").commit("First");
    task.clone.publish(&user.source(), &branch()).await.unwrap();
    assert_eq!(user.git(&["rev-parse", branch().as_str()]), commit);
    let bare = lab.path().join("bare.git");
    user.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    task.repo.write("a", "b\n").commit("Second");
    assert!(matches!(
        task.clone.publish(&Source::Local(bare), &branch()).await,
        Ok(Published::Fetched { .. })
    ));
}

#[tokio::test]
async fn one_without_a_commit_of_its_own_appears_at_the_users_commit() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    let head = user.git(&["rev-parse", "HEAD"]);
    let published = task.clone.publish(&user.source(), &branch()).await.unwrap();
    assert_eq!(published, Published::Fetched { commit: makima_git::Sha::parse(&head).unwrap() });
    assert_eq!(user.git(&["rev-parse", branch().as_str()]), head);
    assert_eq!(user.git(&["symbolic-ref", "HEAD"]), "refs/heads/main");
    assert!(!user.folder.join(".git/FETCH_HEAD").exists());
    assert_eq!(user.status(), "");
}

#[tokio::test]
async fn one_that_went_back_to_the_users_commit_is_moved_there_though_it_stands_in_no_file() {
    let (lab, user) = Lab::with_user().await;
    let task = lab.task(&user).await;
    let work = task.repo.write("a.txt", "1\n").commit("Work");
    task.clone.publish(&user.source(), &branch()).await.unwrap();
    user.git(&["pack-refs", "--all"]);
    let head = user.write("b.txt", "b\n").commit("Meanwhile");
    task.repo.git(&["fetch", "-q", user.folder.to_str().unwrap(), "main"]);
    task.repo.git(&["reset", "-q", "--hard", "FETCH_HEAD"]);
    assert_eq!(user.git(&["rev-parse", branch().as_str()]), work);
    task.clone.publish(&user.source(), &branch()).await.unwrap();
    assert_eq!(user.git(&["rev-parse", branch().as_str()]), head);
}
