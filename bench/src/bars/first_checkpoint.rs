//! Bar 3: the first checkpoint of a new worktree against those that come after it.

use crate::{
    arguments::Arguments,
    printer,
    rounds::{Contest, interleaved},
    table::{Limit, Outcome, Row},
    workplace::{Workplace, sync},
};
use anyhow::{Result, bail, ensure};
use makima_model::Record;
use makima_wire::frame::StartRun;
use std::{path::PathBuf, time::Instant};

/// How many files the trees have.
const TREES: [usize; 3] = [2_200, 4_900, 60_000];
const LIMIT: f64 = 1.5;

/// When the first turn ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// After what the daemon does beside the agent in a new worktree.
    Long,
    /// At once.
    Short,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for files in TREES {
        printer::progress(&format!("  a tree of {files} files"));
        let mut contest = Checkpoints::new(files).await?;
        let turns = [
            (Turn::Long, "first checkpoint of a new worktree", Limit::AtMost(LIMIT)),
            (Turn::Short, "the same, of a turn that ends as soon as it began", Limit::None),
        ];
        for (turn, what, limit) in turns {
            contest.turn = turn;
            let what = format!("{what}, {files} files");
            let ratio = interleaved(&what, arguments.rounds(), &mut contest).await?;
            let baseline = "later checkpoints of the same edits".to_owned();
            outcome.rows.push(Row { bar: 3, what, baseline, ratio, limit });
        }
    }
    Ok(outcome)
}

/// A worktree that is new in each round, and one that had checkpoints before.
struct Checkpoints {
    place: Workplace,
    old: Worktree,
    new: Option<Worktree>,
    turn: Turn,
    round: usize,
    /// The commit that the new one's first checkpoint made.
    made: String,
}

struct Worktree {
    run: StartRun,
    folder: PathBuf,
    turns: u32,
}

impl Checkpoints {
    async fn new(files: usize) -> Result<Self> {
        let mut place = Workplace::new(files).await?;
        let mut old = Worktree::make(&place).await?;
        // Its files are to be older than its index by seconds, as they are after a while.
        place.worktrees.warm(old.run.task).await?;
        place.tree.edit(0, std::slice::from_ref(&old.folder))?;
        old.keep(&place).await?;
        Ok(Self { place, old, new: None, turn: Turn::Long, round: 0, made: String::new() })
    }
}

impl Worktree {
    async fn make(place: &Workplace) -> Result<Self> {
        let run = place.run()?;
        let (folder, _) = place.worktrees.prepare(&run, &mut |_| {}).await?;
        place.build_in(&folder)?;
        Ok(Self { run, folder, turns: 0 })
    }

    /// What the daemon does after a turn. Answers how long it took, and the commit.
    async fn keep(&mut self, place: &Workplace) -> Result<(f64, String)> {
        self.turns += 1;
        let start = Instant::now();
        let records = place.worktrees.keep_turn(&self.run, self.turns).await;
        let seconds = start.elapsed().as_secs_f64();
        match records.into_iter().next() {
            Some(Record::Checkpoint(made)) if made.patch.is_some() => Ok((seconds, made.commit_sha)),
            other => bail!("no checkpoint: {other:?}"),
        }
    }
}

impl Contest for Checkpoints {
    async fn prepare(&mut self, _round: usize) -> Result<()> {
        self.round += 1;
        let new = Worktree::make(&self.place).await?;
        if self.turn == Turn::Long {
            self.place.worktrees.warm(new.run.task).await?;
        }
        self.place.tree.edit(self.round, &[new.folder.clone(), self.old.folder.clone()])?;
        sync()?;
        self.new = Some(new);
        Ok(())
    }

    async fn ours(&mut self) -> Result<f64> {
        let Some(new) = &mut self.new else { bail!("no worktree was made") };
        let (seconds, made) = new.keep(&self.place).await?;
        self.made = made;
        Ok(seconds)
    }

    async fn baseline(&mut self) -> Result<f64> {
        Ok(self.old.keep(&self.place).await?.0)
    }

    async fn settle(&mut self) -> Result<()> {
        let Some(new) = self.new.take() else { bail!("no worktree was made") };
        let git = |args: &[&str]| self.place.git(&new.folder, args);
        git(&["add", "-A"])?;
        let (ours, theirs) =
            (git(&["rev-parse", &format!("{}^{{tree}}", self.made)])?, git(&["write-tree"])?);
        ensure!(ours == theirs, "the trees differ: {ours}, {theirs}");
        self.place.clone_of(&new.run).remove_worktree(&new.folder).await?;
        Ok(())
    }
}
