//! Bar 13, the idle part: how soon `makima up` is ready on a database that has something in it, and what memory it
//! takes when nobody asks anything of it.

use crate::{
    arguments::Arguments,
    lab::Daemon,
    printer,
    rounds::Ratio,
    session,
    table::{Limit, Outcome, Row},
    up::{self, Memory, Up},
};
use anyhow::{Context, Result};
use makima_model::Clock;
use std::{path::Path, time::Duration};

/// What it may take.
const SECONDS: f64 = 0.5;
const BYTES: f64 = 60e6;
/// How long it has had nothing to do when its memory is looked at.
const IDLE: Duration = Duration::from_secs(2);

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let program = up::program()?;
    let folder = tempfile::Builder::new().prefix("makima-bench-").tempdir()?;
    let home = folder.path().to_owned();
    fill(&program, &home).await?;
    let (mut seconds, mut resident, mut shared) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=arguments.rounds() {
        let up = Up::start(&program, &home)?;
        tokio::time::sleep(IDLE).await;
        let Memory { rss, pss } = up.memory()?;
        if round > 0 {
            seconds.push(up.ready_after.as_secs_f64());
            resident.push(rss);
            shared.push(pss);
        }
        up.stop()?;
    }
    let row = |what: &str, against: &str, values: &mut [f64], most: f64, limit| {
        let (what, baseline) = (what.to_owned(), against.to_owned());
        values.iter_mut().for_each(|value| *value /= most);
        Row { bar: 13, what, baseline, ratio: Ratio::of(values), limit }
    };
    let rows = vec![
        row(
            "`makima up`, from its start until it is ready",
            "0.5 s",
            &mut seconds,
            SECONDS,
            Limit::AtMost(1.0),
        ),
        row("the same, idle: resident memory", "60 MB", &mut resident, BYTES, Limit::AtMost(1.0)),
        row(
            "the same, pages shared with others divided among them",
            "60 MB",
            &mut shared,
            BYTES,
            Limit::None,
        ),
    ];
    for Row { what, baseline, ratio, .. } in &rows {
        printer::progress(&format!("  {what}: {:.3} of {baseline}", ratio.median));
    }
    Ok(Outcome { rows, notes: Vec::new() })
}

/// Has it make its database, and puts a long session into that.
async fn fill(program: &Path, home: &Path) -> Result<()> {
    let up = Up::start(program, home)?;
    let clock = Clock::system();
    let ready = &up.ready;
    let mut daemon = Daemon::connect(&ready.url, &ready.api_key, ready.owner_id, &clock).await?;
    let frames = session::long().frames(daemon.run)?;
    daemon.tell(frames).await.context("the session was not taken")?;
    drop(daemon);
    up.stop()
}
