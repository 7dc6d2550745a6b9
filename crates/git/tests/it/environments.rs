//! What git is given of the world around it.

use std::ffi::OsString;
use std::fs;

use makima_git::{Environment, Git, GitError, Source, SourceError};

use crate::lab::{Lab, path_variable};

#[tokio::test]
async fn a_git_that_is_missing_or_old_is_said() {
    let lab = Lab::new().await;
    let nowhere = Environment::hermetic(lab.path().join("nowhere"), lab.path());
    assert!(matches!(Git::find(nowhere).await, Err(GitError::Missing { .. })));
    let old = lab.script("git", "echo git version 2.37.9");
    let error = Git::find(Environment::hermetic(old, lab.path())).await.unwrap_err();
    assert_eq!(error.to_string(), "git 2.37.9 is too old; install git 2.38 or newer");
    assert!(lab.git.version().major >= 2);
}

#[tokio::test]
async fn the_hint_about_another_owner_is_passed_on() {
    let (lab, user) = Lab::with_user().await;
    let git = Git::find(lab.environment().with("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")).await.unwrap();
    let Err(SourceError::NotARepository { source, .. }) = git.inspect(&user.source(), None).await else {
        panic!()
    };
    assert!(source.is_dubious_ownership());
    assert!(source.words().unwrap().contains("git config --global --add safe.directory"));
}

/// Runs `inspect` of an ssh URL and answers how ssh was called.
async fn ssh_called(lab: &Lab, environment: Environment) -> String {
    let log = lab.path().join("called");
    let bin = lab.script("ssh", &format!("echo \"ssh $*\" >> {}; exit 1", log.display()));
    lab.script("mine", &format!("echo \"mine $*\" >> {}; exit 1", log.display()));
    let path: OsString = [bin.as_os_str(), &path_variable()].join(":".as_ref());
    let git = Git::find(environment.with("PATH", path)).await.unwrap();
    assert!(git.inspect(&Source::parse("me@host:x").unwrap(), None).await.is_err());
    fs::read_to_string(log).unwrap()
}

#[tokio::test]
async fn ssh_never_asks_unless_the_user_set_it_up() {
    let lab = Lab::new().await;
    assert!(ssh_called(&lab, lab.environment()).await.starts_with("ssh -oBatchMode=yes"));
    let lab = Lab::new().await;
    let own = lab.environment().with("GIT_SSH_COMMAND", "mine -x");
    assert!(ssh_called(&lab, own).await.starts_with("mine -x "));
    let lab = Lab::new().await;
    fs::write(lab.path().join("home/.gitconfig"), "[core]\n\tsshCommand = mine -y\n").unwrap();
    assert!(ssh_called(&lab, lab.environment()).await.starts_with("mine -y "));
}

#[tokio::test]
async fn what_takes_too_long_is_ended() {
    let lab = Lab::new().await;
    let pid = lab.path().join("pid");
    let bin = lab.script("ssh", &format!("echo $$ > {}.new; mv {0}.new {0}; exec sleep 1000", pid.display()));
    let path: OsString = [bin.as_os_str(), &path_variable()].join(":".as_ref());
    let git = Git::find(lab.environment().with("PATH", path)).await.unwrap();
    let source = Source::parse("host:x").unwrap();
    let started = async {
        while !pid.exists() {
            tokio::task::yield_now().await;
        }
    };
    // Nobody waits any more: ssh, which git started, ends too.
    tokio::select! {
        _ = git.inspect(&source, None) => panic!("ssh does not answer"),
        () = started => {}
    }
    let pid = fs::read_to_string(pid).unwrap();
    let state = || fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    while !matches!(state().rsplit(')').next().unwrap().trim_start().chars().next(), None | Some('Z' | 'X')) {
        tokio::task::yield_now().await;
    }
    let soon = Some(std::time::Duration::from_millis(1));
    let Err(SourceError::NotARepository { source, .. }) = git.inspect(&source, soon).await else { panic!() };
    assert!(matches!(source, GitError::TimedOut { .. }));
}
