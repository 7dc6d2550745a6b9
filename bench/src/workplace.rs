//! A user's repository of source files, and a daemon's folder with its clone and the worktrees of tasks.

use crate::{environment, source_tree::SourceTree};
use anyhow::{Context, Result, bail, ensure};
use makima_daemon::{CheckpointRules, Folders, Worktrees};
use makima_git::{BareClone, Git};
use makima_model::{Clock, RunId};
use makima_wire::frame::StartRun;
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};
use tempfile::TempDir;

/// Untracked files above this are left out of checkpoints, as the daemon has it by default.
pub(crate) const LARGEST_UNTRACKED: u64 = 50 << 20;

/// All of it, in one temporary folder.
pub(crate) struct Workplace {
    root: TempDir,
    pub(crate) tree: SourceTree,
    pub(crate) worktrees: Worktrees,
    git: Git,
    folders: Arc<Folders>,
    clock: Clock,
}

impl Workplace {
    /// With a repository of so many files.
    pub(crate) async fn new(files: usize) -> Result<Self> {
        let root = tempfile::Builder::new().prefix("makima-bench-").tempdir()?;
        let at = |name: &str| root.path().join(name);
        for name in ["home", "user"] {
            fs::create_dir(at(name))?;
        }
        // Housekeeping would only slow the baseline down.
        let settings = "[user]\n\tname = Ursula User\n\temail = ursula@example.com\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n";
        fs::write(at("home/.gitconfig"), settings)?;
        let mut tree = SourceTree::new(files);
        tree.write(&at("user"))?;
        let git = Git::find(environment::hermetic(&at("home"))).await?;
        let folders = Arc::new(Folders::open(&at("daemon"))?);
        let rules = CheckpointRules { max_file_bytes: Some(LARGEST_UNTRACKED), include: Vec::new() };
        let clock = Clock::system();
        let worktrees = Worktrees::new(git.clone(), Arc::clone(&folders), clock.clone(), &rules);
        let place = Self { root, tree, worktrees, git, folders, clock };
        place.git(&place.user(), &["init", "-q", "-b", "main", "--template="])?;
        place.git(&place.user(), &["add", "-A"])?;
        place.git(&place.user(), &["commit", "-q", "-m", "Begin"])?;
        Ok(place)
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The user's repository.
    pub(crate) fn user(&self) -> PathBuf {
        self.at("user")
    }

    /// The daemon's clone of it.
    pub(crate) fn clone_of(&self, run: &StartRun) -> BareClone {
        BareClone::open(&self.git, &self.folders.clone_of(&run.repository))
    }

    /// The first run of a new task, as the server says it.
    pub(crate) fn run(&self) -> Result<StartRun> {
        let id = || self.clock.new_id::<RunId>().to_string();
        let task = id();
        let branch = format!("makima/measure-{}", task.replace('-', ""));
        Ok(serde_json::from_value(json!({
            "run": id(),
            "runNumber": 1,
            "task": task,
            "taskName": "Measure",
            "owner": id(),
            "agent": "none",
            "repository": self.user(),
            "branchName": branch,
            "includeUncommitted": false,
            "commitOnFinish": true,
            "inputs": [],
        }))?)
    }

    /// What is built lies in a folder that git ignores: so it does in the user's.
    pub(crate) fn build_in(&self, folder: &Path) -> Result<()> {
        let copied = Command::new("cp").arg("-r").arg(self.at("user/target")).arg(folder).status()?;
        ensure!(copied.success(), "the ignored files could not be copied");
        Ok(())
    }

    /// Plain git, in the environment that ours has, and started as ours is: by its path, so that no copy of this
    /// process is made first.
    pub(crate) fn git(&self, folder: &Path, args: &[&str]) -> Result<String> {
        let home = self.at("home");
        let program = environment::hermetic(&home).program("git").context("git is on PATH")?;
        let output = Command::new(program)
            .current_dir(folder)
            .args(args)
            .env_clear()
            .env("PATH", environment::path_variable())
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", &home)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()?;
        if !output.status.success() {
            bail!("git {args:?} failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Leaves the disk nothing to do for what was written so far.
pub(crate) fn sync() -> Result<()> {
    Command::new("sync").status()?;
    Ok(())
}
