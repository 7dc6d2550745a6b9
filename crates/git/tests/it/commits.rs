//! Commits of a user's own branch, by time.

use crate::lab::Lab;
use makima_git::Sha;
use std::process::Command;

#[tokio::test]
async fn the_commits_of_a_branch_within_some_time_are_told_and_nothing_is_written() {
    let (lab, user) = Lab::with_user().await;
    let folder = lab.path().join("user");
    let made = |file: &str, at: i64| {
        user.write(file, "a\nb\n");
        user.git(&["add", "-A"]);
        let status = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@localhost", "commit", "-qm", file])
            .current_dir(&folder)
            .env("GIT_COMMITTER_DATE", format!("@{at} +0000"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .status();
        assert!(status.unwrap().success());
        Sha::parse(user.git(&["rev-parse", "HEAD"]).trim()).unwrap()
    };
    let (now, later) = (4_000_000_000, 4_000_000_010);
    let before = made("before", now - 1);
    let one = made("one", now);
    user.git(&["checkout", "-q", "-b", "aside"]);
    made("aside", now + 1);
    user.git(&["checkout", "-q", "main"]);
    let two = made("two", later);
    made("after", later + 1);
    let all = user.git(&["for-each-ref"]);

    let commits = lab.git.commits_between(&folder, Some("main"), (now, later), 10).await.unwrap();
    let told: Vec<_> =
        commits.iter().map(|commit| (&commit.sha, commit.at, commit.subject.as_str())).collect();
    assert_eq!(told, [(&one, now, "one"), (&two, later, "two")]);
    assert_eq!((commits[0].parent.as_ref(), commits[1].parent.as_ref()), (Some(&before), Some(&one)));
    let mut patch = Vec::new();
    let (changes, written) =
        lab.git.patch_in(&folder, Some(&before), &one, Some(1 << 20), &mut patch).await.unwrap();
    assert_eq!((changes.len(), changes[0].lines_added, &changes[0].path[..]), (1, 2, &b"one"[..]));
    assert_eq!((written.bytes, written.truncated), (patch.len() as u64, false));
    assert!(patch.starts_with(b"diff --git a/one b/one\nnew file mode"), "{}", patch.escape_ascii());
    assert_eq!(lab.git.commit_at(&folder, Some("main"), now - 1).await.unwrap(), Some(before));
    assert_eq!(lab.git.commit_at(&folder, Some("main"), 1).await.unwrap(), None);
    // Without a branch of that name, or with what is none, it is HEAD that is told of; and the newest are.
    for branch in [None, Some("gone"), Some("a\nb"), Some("-x")] {
        let commits = lab.git.commits_between(&folder, branch, (now, later), 1).await.unwrap();
        assert_eq!(commits.iter().map(|commit| &commit.sha).collect::<Vec<_>>(), [&two], "{branch:?}");
    }
    let root = Sha::parse(user.git(&["rev-list", "--max-parents=0", "HEAD"]).trim()).unwrap();
    let mut patch = Vec::new();
    let (changes, _) = lab.git.patch_in(&folder, None, &root, None, &mut patch).await.unwrap();
    assert_eq!(
        (
            changes.len(),
            patch.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"diff --git")).count()
        ),
        (3, 3)
    );
    let (_, written) = lab.git.patch_in(&folder, None, &root, Some(10), &mut Vec::new()).await.unwrap();
    assert!(written.truncated);
    assert_eq!(user.git(&["for-each-ref"]), all);
}

#[tokio::test]
async fn a_repository_without_a_commit_has_none() {
    let lab = Lab::new().await;
    lab.repo("user");
    let folder = lab.path().join("user");
    assert_eq!(lab.git.commits_between(&folder, None, (0, i64::MAX / 2), 10).await.unwrap(), []);
    assert_eq!(lab.git.commit_at(&folder, None, 1).await.unwrap(), None);
}
