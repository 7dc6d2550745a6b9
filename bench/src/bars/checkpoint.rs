//! Bar 1: a checkpoint as the daemon makes it after a turn, against what a person would type for the same.

use crate::{
    arguments::Arguments,
    printer,
    rounds::{Contest, interleaved},
    table::{Limit, Outcome, Row},
    workplace::{LARGEST_UNTRACKED, Workplace, sync},
};
use anyhow::{Context, Result, bail, ensure};
use makima_git::{BareClone, CheckpointKind, CheckpointRequest, Person, ScanRules, Sha};
use makima_model::{Published, Record};
use makima_wire::frame::StartRun;
use std::{
    path::PathBuf,
    time::{Instant, SystemTime},
};

/// How many files the trees have, and what ours may cost there.
const TREES: [(usize, f64); 3] = [(2_200, 1.15), (4_900, 1.15), (60_000, 1.0)];

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
    place: Workplace,
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
        let place = Workplace::new(files).await?;
        place.git(&place.at(""), &["clone", "-q", "--local", "user", "twin"])?;
        let (run, twin) = (place.run()?, place.at("twin"));
        let clone = place.clone_of(&run);
        let (worktree, _) = place.worktrees.prepare(&run, &mut |_| {}).await?;
        let base = clone.resolve_base(None).await?.commit.context("the repository has a commit")?;
        place.build_in(&worktree)?;
        place.build_in(&twin)?;
        sync()?;
        Ok(Self {
            place,
            run,
            clone,
            base,
            worktree,
            twin,
            extent: Extent::Commit,
            round: 0,
            number: 0,
            made: String::new(),
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
        let records = self.place.worktrees.keep_turn(&self.run, turn).await;
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
        self.place.git(&self.twin, args)
    }
}

impl Contest for Twins {
    async fn prepare(&mut self, _round: usize) -> Result<()> {
        self.round += 1;
        self.place.tree.edit(self.round, &[self.worktree.clone(), self.twin.clone()])?;
        if self.extent == Extent::Committed {
            self.place.git(&self.worktree, &["add", "-A"])?;
            self.place.git(&self.worktree, &["commit", "-q", "-m", "By the agent"])?;
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
        let ours = self.place.git(&self.worktree, &["rev-parse", &format!("{}^{{tree}}", self.made)])?;
        let theirs = self.git(&["rev-parse", "HEAD^{tree}"])?;
        ensure!(ours == theirs, "the trees differ: {ours}, {theirs}");
        Ok(())
    }
}
