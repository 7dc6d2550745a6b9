//! Commits of a clone as one file that plain git takes.

use std::fs;

use makima_git::{BranchName, BundleError, Bundled, Sha};

use crate::lab::{Lab, Repo, branch};

fn tag(name: &str, commit: &str) -> Bundled {
    Bundled { name: format!("refs/tags/{name}"), commit: Sha::parse(commit).unwrap() }
}

fn refs(repo: &Repo) -> Vec<String> {
    repo.git(&["for-each-ref", "--format=%(refname) %(objectname)", "refs/tags", "refs/heads"])
        .lines()
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn a_clone_of_a_bundle_has_every_commit_by_its_name_and_stands_on_the_first() {
    let (lab, user) = Lab::with_user().await;
    let mut task = lab.task(&user).await;
    let mut commits = Vec::new();
    for number in 1..=3 {
        task.repo.write("a.txt", format!("{number}\n")).write(format!("new-{number}"), "new\n");
        commits.push(task.checkpoint(number).await.commit.to_string());
    }
    let gone = "1".repeat(40);
    let wanted = commits.iter().chain([&gone]).zip(1..).map(|(commit, n)| tag(&format!("one/{n}"), commit));
    let present = task.clone.present(wanted.collect()).await.unwrap();
    let found: Vec<&str> = present.iter().map(|bundled| bundled.commit.as_str()).collect();
    assert_eq!(found, commits);
    let branches =
        task.clone.branches(&[branch(), BranchName::new("makima/nothing").unwrap()]).await.unwrap();
    let head = task.repo.git(&["rev-parse", "HEAD"]);
    assert_eq!(branches, [Bundled { name: branch().full(), commit: Sha::parse(&head).unwrap() }]);

    let all = [branches, present].concat();
    let mut bundle = Vec::new();
    task.clone.bundle(&all, &mut bundle).await.unwrap();
    let file = lab.path().join("code.bundle");
    fs::write(&file, bundle).unwrap();
    user.git(&["bundle", "verify", "--quiet", file.to_str().unwrap()]);
    let cloned = lab.path().join("cloned");
    user.git(&["clone", "--quiet", file.to_str().unwrap(), cloned.to_str().unwrap()]);
    let cloned = lab.at(&cloned);
    let mut told: Vec<String> =
        commits.iter().zip(1..).map(|(commit, n)| format!("refs/tags/one/{n} {commit}")).collect();
    told.insert(0, format!("{} {head}", branch().full()));
    assert_eq!(refs(&cloned), told);
    assert_eq!(cloned.git(&["symbolic-ref", "HEAD"]), branch().full());
    assert_eq!(cloned.git(&["show", "one/2:a.txt"]), "2");
    cloned.git(&["fsck", "--strict", "--no-dangling"]);
    assert_eq!(cloned.status(), "");
}

#[tokio::test]
async fn a_repository_of_sha_256_has_a_bundle_too() {
    let lab = Lab::new().await;
    let user = lab.repo("user");
    fs::remove_dir_all(user.folder.join(".git")).unwrap();
    user.git(&["init", "-q", "-b", "main", "--template=", "--object-format=sha256"]);
    user.git(&["config", "user.name", "Ursula User"]);
    user.git(&["config", "user.email", "ursula@example.com"]);
    user.write("a.txt", "one\n").commit("Begin");
    let clone = lab.clone_of(&user).await;
    let head = user.git(&["rev-parse", "HEAD"]);
    let mut bundle = Vec::new();
    clone.bundle(&[tag("one/1", &head)], &mut bundle).await.unwrap();
    let file = lab.path().join("code.bundle");
    fs::write(&file, bundle).unwrap();
    let cloned = lab.path().join("cloned");
    user.git(&["clone", "--quiet", file.to_str().unwrap(), cloned.to_str().unwrap()]);
    assert_eq!(lab.at(&cloned).git(&["rev-parse", "HEAD"]), head);
}

#[tokio::test]
async fn what_nobody_could_clone_is_refused() {
    let (lab, user) = Lab::with_user().await;
    user.write("a.txt", "two\n").commit("Go on");
    let shallow = lab.path().join("shallow");
    let from = format!("file://{}", user.folder.display());
    user.git(&["clone", "--quiet", "--depth=1", &from, shallow.to_str().unwrap()]);
    let shallow = lab.at(&shallow);
    let clone = lab.clone_of(&shallow).await;
    let head = shallow.git(&["rev-parse", "HEAD"]);
    let refused = clone.bundle(&[tag("one/1", &head)], &mut Vec::new()).await.unwrap_err();
    assert!(matches!(refused, BundleError::Shallow), "{refused}");
}
