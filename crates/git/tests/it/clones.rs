//! The daemon's own clone, of every kind of repository.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use makima_git::{BaseError, CloneError, Source, SourceError};

use crate::lab::Lab;

#[tokio::test]
async fn a_clone_follows_its_source() {
    let (lab, user) = Lab::with_user().await;
    user.git(&["tag", "v1"]);
    user.git(&["branch", "gone"]);
    let clone = lab.clone_of(&user).await;
    let first = user.git(&["rev-parse", "HEAD"]);
    assert_eq!(clone.resolve_base(None).await.unwrap().commit.unwrap().as_str(), first);
    assert_eq!(clone.resolve_base(None).await.unwrap().branch, "main");
    assert_eq!(clone.resolve_base(Some("v1")).await.unwrap().commit.unwrap().as_str(), first);
    let second = user.write("a.txt", "2\n").commit("Second");
    user.git(&["branch", "-qD", "gone"]);
    user.git(&["checkout", "-qb", "gone/below"]);
    let clone = lab.clone_of(&user).await;
    let base = clone.resolve_base(None).await.unwrap();
    assert_eq!((base.branch.as_str(), base.commit.unwrap().as_str()), ("gone/below", &second[..]));
    for name in ["main", "refs/heads/main"] {
        let base = clone.resolve_base(Some(name)).await.unwrap();
        assert_eq!((base.branch.as_str(), base.commit.unwrap().as_str()), ("main", &second[..]));
    }
    assert!(matches!(clone.resolve_base(Some("gone")).await, Err(BaseError::NoSuchBranch { .. })));
    assert!(matches!(clone.resolve_base(Some("a..b")).await, Err(BaseError::BadName(_))));
    assert_eq!(lab.at(clone.dir()).git(&["for-each-ref", "refs/heads"]), "");
}

#[tokio::test]
async fn objects_are_hard_linked_and_borrowed_from_nobody() {
    let (lab, user) = Lab::with_user().await;
    let clone = lab.clone_of(&user).await;
    let blob = user.git(&["rev-parse", "HEAD:a.txt"]);
    let loose = format!("objects/{}/{}", &blob[..2], &blob[2..]);
    let inode = |path: &Path| fs::metadata(path).unwrap().ino();
    assert_eq!(inode(&clone.dir().join(&loose)), inode(&user.folder.join(".git").join(&loose)));
    assert!(!clone.dir().join("objects/info/alternates").exists());
    // Nor where the source itself borrows.
    let other = lab.path().join("borrower");
    user.git(&["clone", "-q", "--shared", ".", other.to_str().unwrap()]);
    let source = Source::Local(other.clone());
    let clone = lab.git.ensure_clone(&lab.path().join("2.git"), &source, &mut |_| {}).await.unwrap();
    assert!(!clone.dir().join("objects/info/alternates").exists());
    fs::remove_dir_all(&user.folder).unwrap();
    lab.at(clone.dir()).git(&["fsck", "--full", "--strict"]);
}

#[tokio::test]
async fn the_users_settings_are_carried_over_and_no_programs() {
    let (lab, user) = Lab::with_user().await;
    for (name, value) in [
        ("core.autocrlf", "input"),
        ("core.eol", "lf"),
        ("remote.origin.url", "../up \"there\".git"),
        ("filter.lfs.process", "git-lfs filter-process"),
        ("filter.lfs.clean", "evil %f"),
        ("filter.other.clean", "evil"),
        ("lfs.url", "https://lfs.example.com"),
        ("core.sshCommand", "evil"),
        ("core.fsmonitor", "evil"),
        ("credential.helper", "!evil"),
    ] {
        user.git(&["config", name, value]);
    }
    user.write(".git/info/exclude", "private\n");
    let clone = lab.clone_of(&user).await;
    let ours = lab.at(clone.dir());
    let origin = user.folder.join("../up \"there\".git");
    for (name, value) in [
        ("user.name", "Ursula User"),
        ("user.email", "ursula@example.com"),
        ("core.autocrlf", "input"),
        ("core.eol", "lf"),
        ("remote.origin.url", origin.to_str().unwrap()),
        ("filter.lfs.process", "git-lfs filter-process"),
        ("lfs.url", "https://lfs.example.com"),
    ] {
        assert_eq!(ours.git(&["config", "--get", name]), value, "{name}");
    }
    assert!(!ours.git(&["config", "--list"]).contains("evil"));
    assert_eq!(ours.read("info/exclude"), "private\n");
    assert_eq!(clone.user().await.unwrap(), crate::lab::ursula());
    user.git(&["config", "user.email", "new@example.com"]);
    assert_eq!(lab.clone_of(&user).await.user().await.unwrap().email, "new@example.com");
}

#[tokio::test]
async fn origin_is_what_it_is_to_the_user() {
    let (lab, up) = Lab::with_user().await;
    let folder = lab.path().join("mine");
    up.git(&["clone", "-q", ".", folder.to_str().unwrap()]);
    let user = lab.at(&folder);
    let first = user.git(&["rev-parse", "HEAD"]);
    user.write("a.txt", "mine\n").commit("Mine");
    let clone = lab.clone_of(&user).await;
    assert_eq!(lab.at(clone.dir()).git(&["rev-parse", "origin/main"]), first);
    assert_ne!(clone.resolve_base(Some("main")).await.unwrap().commit.unwrap().as_str(), first);
}

#[tokio::test]
async fn odd_sources_work() {
    let (lab, user) = Lab::with_user().await;
    let head = user.git(&["rev-parse", "HEAD"]);
    let bare = lab.path().join("bare.git");
    user.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    let linked = lab.path().join("linked");
    user.git(&["worktree", "add", "-q", "-b", "linked", linked.to_str().unwrap()]);
    let shallow = lab.path().join("shallow");
    user.write("a.txt", "2\n").commit("Second");
    let tip = user.git(&["rev-parse", "HEAD"]);
    let url = format!("file://{}", user.folder.display());
    user.git(&["clone", "-q", "--depth=1", "--branch=main", &url, shallow.to_str().unwrap()]);
    let cases = [
        (Source::Local(bare), "main", &head),
        (Source::Local(linked), "linked", &head),
        (Source::Local(user.folder.join("dir")), "main", &tip),
        (Source::Local(user.folder.join(".git")), "main", &tip),
        (Source::Local(shallow.clone()), "main", &tip),
        (Source::parse(&url).unwrap(), "main", &tip),
    ];
    for (number, (source, branch, commit)) in cases.iter().enumerate() {
        let dir = lab.path().join(format!("{number}.git"));
        for _ in 0..2 {
            let clone = lab.git.ensure_clone(&dir, source, &mut |_| {}).await.unwrap();
            let base = clone.resolve_base(None).await.unwrap();
            assert_eq!((&base.branch[..], base.commit.unwrap().as_str()), (*branch, &commit[..]), "{source}");
        }
    }
    // A shallow source that goes on.
    let shallow = lab.at(&shallow);
    let third = shallow.write("a.txt", "3\n").commit("Third");
    let clone =
        lab.git.ensure_clone(&lab.path().join("4.git"), &shallow.source(), &mut |_| {}).await.unwrap();
    assert_eq!(clone.resolve_base(None).await.unwrap().commit.unwrap().as_str(), third);
}

#[tokio::test]
async fn a_detached_source_starts_where_it_stands() {
    let (lab, user) = Lab::with_user().await;
    user.git(&["checkout", "-q", "--detach"]);
    for text in ["2\n", "3\n"] {
        let commit = user.write("a.txt", text).commit("On no branch");
        let base = lab.clone_of(&user).await.resolve_base(None).await.unwrap();
        assert_eq!((base.branch.as_str(), base.commit.unwrap().as_str()), ("HEAD", &commit[..]));
    }
    user.git(&["checkout", "-q", "main"]);
    assert_eq!(lab.clone_of(&user).await.resolve_base(None).await.unwrap().branch, "main");
}

#[tokio::test]
async fn an_empty_source_has_a_branch_and_no_commit() {
    let lab = Lab::new().await;
    let user = lab.repo("user");
    let clone = lab.clone_of(&user).await;
    for wanted in [None, Some("main")] {
        let base = clone.resolve_base(wanted).await.unwrap();
        assert_eq!((base.branch.as_str(), base.commit), ("main", None));
    }
    assert!(lab.git.inspect(&user.source(), None).await.unwrap().is_empty);
    let commit = user.write("a", "a\n").commit("First");
    let clone = lab.clone_of(&user).await;
    assert_eq!(clone.resolve_base(None).await.unwrap().commit.unwrap().as_str(), commit);
}

#[tokio::test]
async fn what_is_no_repository_is_said_in_gits_words() {
    let lab = Lab::new().await;
    let dir = lab.path().join("clone.git");
    let missing = Source::Local(lab.path().join("missing"));
    let error = lab.git.ensure_clone(&dir, &missing, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, CloneError::Source(SourceError::NoSuchPath { .. })));
    fs::create_dir(lab.path().join("plain")).unwrap();
    let plain = Source::Local(lab.path().join("plain"));
    let Err(SourceError::NotARepository { source, .. }) = lab.git.inspect(&plain, None).await else {
        panic!()
    };
    assert!(source.words().unwrap().contains("not a git repository"), "{source}");
    let (lab, user) = Lab::with_user().await;
    user.git(&["config", "extensions.partialClone", "origin"]);
    user.git(&["config", "core.repositoryFormatVersion", "1"]);
    assert!(matches!(lab.git.inspect(&user.source(), None).await, Err(SourceError::Partial { .. })));
}

#[tokio::test]
async fn a_repository_is_checked_without_a_clone() {
    let (lab, user) = Lab::with_user().await;
    user.git(&["tag", "-a", "-m", "One", "v1"]);
    let source = user.source();
    for base in [None, Some("main"), Some("v1"), Some("refs/heads/main")] {
        assert!(lab.git.check_repository(&source, base, None).await.is_ok(), "{base:?}");
    }
    let missing = lab.git.check_repository(&source, Some("nope"), None).await;
    assert!(matches!(missing, Err(SourceError::NoSuchBranch { .. })));
    // As a URL: `ls-remote`.
    let url = Source::Remote(format!("file://{}", user.folder.display()));
    let found =
        lab.git.check_repository(&url, Some("main"), Some(std::time::Duration::from_secs(20))).await.unwrap();
    assert_eq!((found.head_branch.as_deref(), found.is_empty), (Some("main"), false));
    let missing = lab.git.check_repository(&url, Some("nope"), None).await;
    assert!(matches!(missing, Err(SourceError::NoSuchBranch { .. })));
}

#[tokio::test]
async fn a_url_is_cloned_with_progress_and_fetched() {
    let (lab, user) = Lab::with_user().await;
    let url = Source::Remote(format!("file://{}", user.folder.display()));
    let dir = lab.path().join("clone.git");
    let mut phases = Vec::new();
    let clone = lab.git.ensure_clone(&dir, &url, &mut |progress| phases.push(progress)).await.unwrap();
    assert!(phases.iter().any(|p| p.phase == "Receiving objects" && p.percent == 100), "{phases:?}");
    let second = user.write("a.txt", "2\n").commit("Second");
    lab.git.ensure_clone(&dir, &url, &mut |_| {}).await.unwrap();
    assert_eq!(clone.resolve_base(None).await.unwrap().commit.unwrap().as_str(), second);
    assert_eq!(lab.at(&dir).git(&["rev-parse", "origin/main"]), second);
}

#[tokio::test]
async fn an_interrupted_clone_is_made_anew() {
    let (lab, user) = Lab::with_user().await;
    fs::create_dir_all(lab.path().join("clone.git.partial/objects")).unwrap();
    let (one, two) = tokio::join!(lab.clone_of(&user), lab.clone_of(&user));
    assert_eq!(one.resolve_base(None).await.unwrap(), two.resolve_base(None).await.unwrap());
    assert!(!lab.path().join("clone.git.partial").exists());
}

#[tokio::test]
async fn a_clone_writes_nothing_into_its_source() {
    let (lab, user) = Lab::with_user().await;
    user.write("a.txt", "dirty\n").write("new", "new\n");
    let before = user.fingerprint();
    let clone = lab.clone_of(&user).await;
    lab.git.uncommitted(&user.folder).await.unwrap();
    lab.git.check_repository(&user.source(), Some("main"), None).await.unwrap();
    clone.resolve_base(None).await.unwrap();
    assert_eq!(user.fingerprint(), before);
}
