//! What a conversation takes in the database, against what the agent wrote.

use crate::{
    lab::{Engine, Lab},
    printer,
    rounds::Ratio,
    session::{self, Session, median_size},
    sizes::Sizes,
    table::{Limit, Outcome, Row},
};
use anyhow::Result;
use std::fmt::Write;

const LIMIT: f64 = 0.45;

/// Measures the long session, and the recorded ones together.
pub(super) async fn run(engine: Engine, long: &Session, outcome: &mut Outcome) -> Result<()> {
    let name = engine.name();
    let taken = stored(engine, &[long]).await?;
    let ratio = taken.total() as f64 / long.stdout.counted as f64;
    outcome.rows.push(row(format!("stored, a long session, {name}"), ratio, Limit::AtMost(LIMIT)));
    outcome.notes.push(note(engine, long, &taken)?);

    let recorded = session::recorded()?;
    let sessions: Vec<&Session> = recorded.iter().map(|(_, session)| session).collect();
    let counted: u64 = sessions.iter().map(|session| session.stdout.counted).sum();
    let ratio = stored(engine, &sessions).await?.total() as f64 / counted as f64;
    let what = format!("stored, the {} short recorded sessions, {name}", sessions.len());
    outcome.rows.push(row(what, ratio, Limit::None));
    Ok(())
}

fn row(what: String, ratio: f64, limit: Limit) -> Row {
    printer::progress(&format!("  {what}: {ratio:.3}"));
    let baseline = "what the agent wrote to its standard output, without deltas and mirror frames".to_owned();
    let ratio = Ratio { median: ratio, lowest: ratio, highest: ratio };
    Row { bar: 8, what, baseline, ratio, limit }
}

/// The bytes by which the tables grow while the sessions come in over the WebSocket, each as the run of a task of its own.
async fn stored(engine: Engine, sessions: &[&Session]) -> Result<Sizes> {
    let lab = Lab::start(engine).await?;
    let mut daemons = Vec::new();
    for session in sessions {
        let daemon = lab.daemon().await?;
        daemons.push((daemon, *session));
    }
    // PostgreSQL's tables can be measured at any time; of SQLite's file, what the log holds is of the tables too.
    let before = Sizes::of(&lab.place).await?;
    for (daemon, session) in &mut daemons {
        daemon.tell(session.frames(daemon.run)?).await?;
    }
    drop(daemons);
    let place = lab.stop().await;
    Ok(Sizes::of(&place).await?.since(&before))
}

fn note(engine: Engine, session: &Session, taken: &Sizes) -> Result<String> {
    let stdout = &session.stdout;
    let sizes = session.message_sizes()?;
    let mut text = format!(
        "Where the bytes of the long session go on {} (shares of its {:.1} MB of standard output; it has {} messages of {:.1} MB, \
         median {:.1} kB, largest {:.0} kB, and {} lines of its own record, mirrored in {:.1} MB):\n\n\
         | table | table or index | share |\n|---|---|---|\n",
        engine.name(),
        stdout.counted as f64 / 1e6,
        sizes.len(),
        sizes.iter().sum::<usize>() as f64 / 1e6,
        median_size(&sizes) as f64 / 1e3,
        sizes.last().copied().unwrap_or(0) as f64 / 1e3,
        session.native_lines(),
        stdout.mirror as f64 / 1e6,
    );
    for (table, object, share) in taken.shares(stdout.counted) {
        writeln!(text, "| {table} | {object} | {share:.3} |")?;
    }
    Ok(text)
}
