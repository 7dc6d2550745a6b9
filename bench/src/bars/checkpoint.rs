//! Bar 1: a checkpoint as the daemon makes it after a turn, against what a person would type for the same.

use crate::{
    arguments::Arguments,
    environment, printer,
    rounds::{Contest, interleaved},
    source_tree::SourceTree,
    table::{Limit, Outcome, Row},
};
use anyhow::{Context, Result, bail, ensure};
use makima_git::{
    BareClone, BranchName, CheckpointKind, CheckpointRequest, Git, Person, ScanRules, Sha, Source, Start,
};
use serde_json::json;
use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::{Instant, SystemTime},
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How many files the trees have, and what ours may cost there.
const TREES: [(usize, f64); 3] = [(2_200, 1.15), (4_900, 1.15), (60_000, 1.0)];
/// What the daemon has by default.
const LARGEST_UNTRACKED: u64 = 50 << 20;
const LARGEST_PATCH: u64 = 64 << 20;

/// How far the daemon's path is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Extent {
    /// The commit, its ref, and the numbers of its changes: what the baseline does too.
    Commit,
    /// And the patch, synced and hashed, and the file that knows of the checkpoint: all that comes before its record.
    Record,
    /// And the task's branch, taken to the user's repository.
    Published,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for (files, most) in TREES {
        printer::progress(&format!("  a tree of {files} files"));
        let mut twins = Twins::new(files).await?;
        let extents = [
            (Extent::Commit, "checkpoint with numstat", Limit::None),
            (Extent::Record, "checkpoint, whole daemon path (with patch)", Limit::AtMost(most)),
            (Extent::Published, "the same, and the branch published", Limit::None),
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

/// A worktree of the daemon's clone, and a clone of the user's own with the same files.
struct Twins {
    root: TempDir,
    tree: SourceTree,
    source: Source,
    clone: BareClone,
    branch: BranchName,
    worktree: PathBuf,
    twin: PathBuf,
    extent: Extent,
    round: usize,
    number: u64,
    previous: Sha,
    /// The trees that both made in this round.
    made: (String, String),
}

impl Twins {
    async fn new(files: usize) -> Result<Self> {
        let root = tempfile::Builder::new().prefix("makima-bench-").tempdir()?;
        let at = |name: &str| root.path().join(name);
        for name in ["home", "user", "blobs", "tasks"] {
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

        let ours = Git::find(environment::hermetic(&at("home"))).await?;
        let source = Source::Local(at("user"));
        let clone = ours.ensure_clone(&at("clone.git"), &source, &mut |_| {}).await?;
        let base = clone.resolve_base(None).await?.commit.context("the repository has a commit")?;
        let branch = BranchName::new("makima/measure-0a1b2c3d")?;
        let start = Start::Commit(base.clone());
        let worktree = clone.add_worktree(&at("worktree"), &branch, &start).await?.folder().to_owned();
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
            source,
            clone,
            branch,
            worktree,
            twin,
            extent: Extent::Commit,
            round: 0,
            number: 0,
            previous: base,
            made: Default::default(),
            root,
        })
    }

    /// What `Worktrees::keep_turn` of the daemon does, act by act.
    async fn keep_turn(&mut self) -> Result<()> {
        let worktree = self.clone.worktree(&self.worktree)?;
        let previous = self.clone.commit_of(self.previous.as_str()).await?;
        let author: Person = self.clone.user().await?;
        self.number += 1;
        let request = CheckpointRequest {
            task: "0190a1b2".into(),
            number: self.number,
            kind: CheckpointKind::Turn,
            message: format!("Measure (turn {})", self.number),
            author,
            at: SystemTime::now(),
            rules: ScanRules { max_untracked_bytes: Some(LARGEST_UNTRACKED), include: Vec::new() },
            previous: previous.clone(),
        };
        let made = worktree.checkpoint(&request).await?.context("the turn changed something")?;
        if self.extent >= Extent::Record {
            let patch = self.patch(previous.as_ref(), &made.tree).await?;
            let task = json!({"commit": made.commit.as_str(), "patch": patch,
                "files": made.files_changed.iter().map(|file| String::from_utf8_lossy(&file.path)).collect::<Vec<_>>()});
            let file = self.root.path().join("tasks/one.json");
            tokio::task::spawn_blocking(move || write_synced(&file, task.to_string().as_bytes())).await??;
        }
        if self.extent >= Extent::Published {
            self.clone.publish(&self.source, &self.branch).await?;
        }
        self.previous = made.commit;
        self.made.0 = made.tree.to_string();
        Ok(())
    }

    async fn patch(&self, previous: Option<&Sha>, tree: &Sha) -> Result<String> {
        let blobs = self.root.path().join("blobs");
        let path = blobs.join("new");
        let mut file = tokio::fs::File::create(&path).await?;
        self.clone.patch(previous, tree, Some(LARGEST_PATCH), &mut file).await?;
        file.flush().await?;
        file.sync_all().await?;
        let (mut file, mut hasher) = (tokio::fs::File::open(&path).await?, blake3::Hasher::new());
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer).await? {
                0 => break,
                read => hasher.update(&buffer[..read]),
            };
        }
        let hash = hasher.finalize().to_hex().to_string();
        tokio::fs::rename(&path, blobs.join(&hash)).await?;
        Ok(hash)
    }

    fn git(&self, args: &[&str]) -> Result<String> {
        git(self.root.path(), &self.twin, args)
    }
}

impl Contest for Twins {
    async fn prepare(&mut self, _round: usize) -> Result<()> {
        self.round += 1;
        self.tree.edit(self.round, &[self.worktree.clone(), self.twin.clone()])
    }

    async fn ours(&mut self) -> Result<f64> {
        let start = Instant::now();
        self.keep_turn().await?;
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
        self.made.1 = self.git(&["rev-parse", "HEAD^{tree}"])?.trim().to_owned();
        ensure!(self.made.0 == self.made.1, "the trees differ: {:?}", self.made);
        Ok(())
    }
}

/// Plain git, in the environment that ours has.
fn git(root: &Path, folder: &Path, args: &[&str]) -> Result<String> {
    let home = root.join("home");
    let output = Command::new("git")
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

fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(path.parent().unwrap_or(path))?.sync_all()?;
    Ok(())
}
