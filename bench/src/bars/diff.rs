//! Bar 6: what differs between two checkpoints over HTTP, by the daemon that has them and again, against `git diff`.

use crate::{
    arguments::Arguments,
    rounds::{Contest, interleaved},
    table::{Limit, Outcome, Row},
    up::{self, Up},
    workplace::Workplace,
};
use anyhow::{Context, Result, bail, ensure};
use makima_client::{Client, Making};
use makima_model::{Point, TaskId, TaskStatus};
use makima_wire::{CreateCheckpoint, CreateTask, DiffQuery};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const FILES: usize = 4900;
/// How many differences a round asks for.
const ASKED: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let program = up::program()?;
    let mut place = Workplace::new(FILES).await?;
    let home = place.at("up");
    configure(&home)?;
    let up = Up::start(&program, &home)?;
    let client = Client::new(&up.ready.url, Some(up.ready.api_key.clone()))?;
    let (task, worktree) = a_task(&client, &place).await?;
    let wanted = ASKED * (arguments.rounds() + 1);
    let mut commits = Vec::new();
    while pairs(commits.len()).len() < wanted {
        place.tree.edit(commits.len(), std::slice::from_ref(&worktree))?;
        let made = client.create_checkpoint(task, &CreateCheckpoint::default()).await?;
        let Making::Made(made) = made else { bail!("a checkpoint took too long") };
        commits.push(made.commit_sha);
    }
    let mut contest = Diffs {
        client: &client,
        place: &place,
        worktree: &worktree,
        task,
        pairs: pairs(commits.len()),
        commits,
        round: 0,
        files: (0, 0),
    };
    let mut outcome = Outcome::default();
    for (which, limit) in [("for the first time", Limit::AtMost(1.3)), ("asked again", Limit::AtMost(0.2))] {
        let what = format!("what differs between two checkpoints of {FILES} files, {which}");
        let ratio = interleaved(&what, arguments.rounds(), &mut contest).await?;
        outcome.rows.push(Row { bar: 6, what, baseline: "`git diff -U3`".into(), ratio, limit });
    }
    // One and the one before it: the patch that is kept with it.
    contest.pairs = (1..contest.commits.len()).cycle().take(wanted).map(|to| (to - 1, to)).collect();
    let what = format!("what a checkpoint of {FILES} files changed, from its kept patch");
    let ratio = interleaved(&what, arguments.rounds(), &mut contest).await?;
    outcome.rows.push(Row { bar: 6, what, baseline: "`git diff -U3`".into(), ratio, limit: Limit::None });
    up.stop()?;
    Ok(outcome)
}

/// Pairs of checkpoints of which neither is right before the other.
fn pairs(checkpoints: usize) -> Vec<(usize, usize)> {
    (2..checkpoints).flat_map(|to| (0..to - 1).map(move |from| (from, to))).collect()
}

/// An agent that has nothing to do.
fn configure(home: &Path) -> Result<()> {
    let data = home.join("data");
    fs::create_dir_all(&data)?;
    let scenario = home.join("scenario.json");
    let says = json!([{ "content": [{ "type": "text", "text": "Done." }] }]);
    fs::write(&scenario, json!({ "scripts": { "Measure": says } }).to_string())?;
    fs::write(data.join("makima.toml"), format!("[agents.scripted]\nscenario = {scenario:?}\n"))?;
    Ok(())
}

/// A task whose run has ended, and its worktree.
async fn a_task(client: &Client, place: &Workplace) -> Result<(TaskId, PathBuf)> {
    let wanted = CreateTask {
        plan: "Measure".into(),
        repository: Some(place.user().to_string_lossy().into_owned()),
        ..CreateTask::default()
    };
    let id = client.create_task(&wanted).await?.id;
    let ended = async {
        loop {
            let task = client.task(id).await?;
            if task.status.is_over() {
                return anyhow::Ok(task);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let task = tokio::time::timeout(PATIENCE, ended).await.context("the agent didn't end")??;
    ensure!(task.status == TaskStatus::Completed, "the agent's run ended badly: {:?}", task.status_reason);
    Ok((id, task.worktree_path.context("the task has a worktree")?.into()))
}

struct Diffs<'a> {
    client: &'a Client,
    place: &'a Workplace,
    worktree: &'a Path,
    task: TaskId,
    commits: Vec<String>,
    pairs: Vec<(usize, usize)>,
    round: usize,
    /// How many files differed, as ours and as git says.
    files: (usize, usize),
}

impl Diffs<'_> {
    fn of_round(&self) -> &[(usize, usize)] {
        &self.pairs[self.round * ASKED..][..ASKED]
    }

    fn point(&self, checkpoint: usize) -> Result<Point> {
        Ok(format!("checkpoint:{}", checkpoint + 1).parse()?)
    }
}

impl Contest for Diffs<'_> {
    async fn prepare(&mut self, round: usize) -> Result<()> {
        self.round = round;
        Ok(())
    }

    async fn ours(&mut self) -> Result<f64> {
        let mut files = 0;
        let start = Instant::now();
        for (from, to) in self.of_round() {
            let how = DiffQuery { from: Some(self.point(*from)?), ..DiffQuery::default() };
            let found = self.client.checkpoint_diff(self.task, &self.point(*to)?, &how).await?;
            files += found.diff.files.len();
        }
        let took = start.elapsed().as_secs_f64();
        self.files.0 = files;
        Ok(took)
    }

    async fn baseline(&mut self) -> Result<f64> {
        let mut files = 0;
        let start = Instant::now();
        for (from, to) in self.of_round() {
            let (from, to) = (&self.commits[*from], &self.commits[*to]);
            let patch = self.place.git(self.worktree, &["diff", "-U3", from, to])?;
            files += patch.lines().filter(|line| line.starts_with("diff --git ")).count();
        }
        let took = start.elapsed().as_secs_f64();
        self.files.1 = files;
        Ok(took)
    }

    async fn settle(&mut self) -> Result<()> {
        ensure!(
            self.files.0 > 0 && self.files.0 == self.files.1,
            "both tell of the same files: {:?}",
            self.files
        );
        Ok(())
    }
}
