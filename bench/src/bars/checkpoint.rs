//! Bar 1: a checkpoint as the daemon makes it after a turn, against what a person would type for the same.

use crate::{
    arguments::Arguments,
    environment, printer,
    rounds::{Contest, interleaved},
    source_tree::SourceTree,
    table::{Limit, Outcome, Row},
};
use anyhow::{Context, Result, bail, ensure};
use makima_daemon::{CheckpointRules, Folders, Worktrees};
use makima_git::{BareClone, CheckpointKind, CheckpointRequest, Git, Person, ScanRules, Sha};
use makima_model::{Clock, Published, Record, RunId};
use makima_wire::frame::StartRun;
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Instant, SystemTime},
};
use tempfile::TempDir;

/// How many files the trees have, and what ours may cost there.
const TREES: [(usize, f64); 3] = [(2_200, 1.15), (4_900, 1.15), (60_000, 1.0)];
/// What the daemon has by default.
const LARGEST_UNTRACKED: u64 = 50 << 20;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// The commit, its ref, and the numbers of its changes: what the baseline does too.
    Commit,
    /// What the daemon does after a turn, all of it.
    Turn,
    /// The same after a turn whose agent committed what it did: the worktree's own index is new, and the branch has moved and
    /// is taken to the user's repository.
    Committed,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for (files, most) in TREES {
        printer::progress(&format!("  a tree of {files} files"));
        let mut twins = Twins::new(files).await?;
        let extents = [
            (Extent::Commit, "checkpoint with numstat", Limit::None),
            (Extent::Turn, "checkpoint, whole daemon path (with patch)", Limit::AtMost(most)),
            (
                Extent::Committed,
                "the same, of a turn that was committed, and the branch published",
                Limit::None,
            ),
        ];
        for (extent, what, limit) in extents {
            twins.extent = extent;
            let what = format!("{what}, {files} files");
            let ratio = interleaved(&what, arguments.rounds(), &mut twins).await?;
            let baseline = "`git add -A && git commit && git diff-tree --numstat`".to_owned();
            outcome.rows.push(Row { bar: 1, what, baseline, ratio, limit });
        }
    }
    Ok(outcome)
}

/// A task's worktree as the daemon has it, and a clone of the user's own with the same files.
struct Twins {
    root: TempDir,
    tree: SourceTree,
    worktrees: Worktrees,
    run: StartRun,
    clone: BareClone,
    base: Sha,
    worktree: PathBuf,
    twin: PathBuf,
    extent: Extent,
    round: usize,
    /// Checkpoints that were made past the daemon.
    number: u64,
    /// The commit that ours made in this round.
    made: String,
}

impl Twins {
    async fn new(files: usize) -> Result<Self> {
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
        let git = |folder: &Path, args: &[&str]| git(root.path(), folder, args);
        git(&at("user"), &["init", "-q", "-b", "main", "--template="])?;
        git(&at("user"), &["add", "-A"])?;
        git(&at("user"), &["commit", "-q", "-m", "Begin"])?;
        git(root.path(), &["clone", "-q", "--local", "user", "twin"])?;

        let clock = Clock::system();
        let ours = Git::find(environment::hermetic(&at("home"))).await?;
        let folders = Arc::new(Folders::open(&at("daemon"))?);
        let rules = CheckpointRules { max_file_bytes: Some(LARGEST_UNTRACKED), include: Vec::new() };
        let run = run_on(&at("user"), &clock)?;
        let clone = BareClone::open(&ours, &folders.clone_of(&run.repository));
        let worktrees = Worktrees::new(ours, folders, clock, &rules);
        let (worktree, _) = worktrees.prepare(&run, &mut |_| {}).await?;
        let base = clone.resolve_base(None).await?.commit.context("the repository has a commit")?;
        // What is built lies in both, and is ignored in both.
        for to in [&worktree, &at("twin")] {
            let copied = Command::new("cp").arg("-r").arg(at("user/target")).arg(to).status()?;
            ensure!(copied.success(), "the ignored files could not be copied");
        }
        // The disk is to have nothing left to do for this.
        Command::new("sync").status()?;
        let twin = at("twin");
        Ok(Self {
            tree,
            worktrees,
            run,
            clone,
            base,
            worktree,
            twin,
            extent: Extent::Commit,
            round: 0,
            number: 0,
            made: String::new(),
            root,
        })
    }

    /// The commit alone, past the daemon, as a task of its own.
    async fn commit(&mut self) -> Result<String> {
        let worktree = self.clone.worktree(&self.worktree)?;
        self.number += 1;
        let request = CheckpointRequest {
            task: "0190a1b2".into(),
            number: self.number,
            kind: CheckpointKind::Turn,
            message: format!("Measure (turn {})", self.number),
            author: Person { name: "Ursula User".into(), email: "ursula@example.com".into() },
            at: SystemTime::now(),
            rules: ScanRules { max_untracked_bytes: Some(LARGEST_UNTRACKED), include: Vec::new() },
            previous: Sha::parse(&self.made),
            base: Some(self.base.clone()),
        };
        let made = worktree.checkpoint(&request).await?.context("the turn changed something")?;
        Ok(made.commit.to_string())
    }

    async fn turn(&self) -> Result<String> {
        let turn = u32::try_from(self.round)?;
        let records = self.worktrees.keep_turn(&self.run, turn).await;
        let is_published = records
            .iter()
            .any(|record| matches!(record, Record::Published { published: Published::Repository { .. } }));
        // Told when it is new.
        ensure!(self.extent != Extent::Committed || is_published, "not published: {records:?}");
        match records.into_iter().next() {
            Some(Record::Checkpoint(made)) if made.patch.is_some() => Ok(made.commit_sha),
            other => bail!("no checkpoint: {other:?}"),
        }
    }

    fn git(&self, args: &[&str]) -> Result<String> {
        git(self.root.path(), &self.twin, args)
    }
}

/// The first run of a task on a repository, as the server says it.
fn run_on(repository: &Path, clock: &Clock) -> Result<StartRun> {
    let id = || clock.new_id::<RunId>().to_string();
    Ok(serde_json::from_value(json!({
        "run": id(),
        "runNumber": 1,
        "task": id(),
        "taskName": "Measure",
        "owner": id(),
        "agent": "none",
        "repository": repository,
        "branchName": "makima/measure-0a1b2c3d",
        "includeUncommitted": false,
        "commitOnFinish": true,
        "inputs": [],
    }))?)
}

impl Contest for Twins {
    async fn prepare(&mut self, _round: usize) -> Result<()> {
        self.round += 1;
        self.tree.edit(self.round, &[self.worktree.clone(), self.twin.clone()])?;
        if self.extent == Extent::Committed {
            git(self.root.path(), &self.worktree, &["add", "-A"])?;
            git(self.root.path(), &self.worktree, &["commit", "-q", "-m", "By the agent"])?;
        }
        Ok(())
    }

    async fn ours(&mut self) -> Result<f64> {
        let start = Instant::now();
        self.made = match self.extent {
            Extent::Commit => self.commit().await?,
            Extent::Turn | Extent::Committed => self.turn().await?,
        };
        Ok(start.elapsed().as_secs_f64())
    }

    async fn baseline(&mut self) -> Result<f64> {
        let message = format!("Measure (turn {})", self.round);
        let start = Instant::now();
        self.git(&["add", "-A"])?;
        self.git(&["commit", "-q", "-m", &message])?;
        self.git(&["diff-tree", "-r", "--numstat", "HEAD^", "HEAD"])?;
        Ok(start.elapsed().as_secs_f64())
    }

    async fn settle(&mut self) -> Result<()> {
        let ours = git(self.root.path(), &self.worktree, &["rev-parse", &format!("{}^{{tree}}", self.made)])?;
        let theirs = self.git(&["rev-parse", "HEAD^{tree}"])?;
        ensure!(ours == theirs, "the trees differ: {ours}, {theirs}");
        Ok(())
    }
}

/// Plain git, in the environment that ours has, and started as ours is: by its path, so that no copy of this process
/// is made first.
fn git(root: &Path, folder: &Path, args: &[&str]) -> Result<String> {
    let home = root.join("home");
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
