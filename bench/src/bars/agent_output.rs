//! Bar 12: what an agent says, from the WebSocket to the disk, against the bare inserts of the same rows.

mod rows;

use crate::{
    arguments::Arguments,
    lab::{Daemon, Engine, Lab, Place},
    rounds::{Contest, interleaved},
    session::{self, Frame, Session},
    table::{Limit, Outcome, Row},
};
use anyhow::Result;
use rows::Rows;
use std::{fs, path::PathBuf, time::Instant};
use tempfile::TempDir;

const LIMIT: f64 = 0.3;

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let session = session::long();
    let mut contest = Rates::new(session).await?;
    let what = format!("agent output, {} rows of a long session", contest.rows.count());
    let ratio = interleaved(&what, arguments.rounds(), &mut contest).await?;
    let baseline = "rows a second of bare inserts of the same rows: many a statement, 100 a transaction";
    let row = Row { bar: 12, what, baseline: baseline.into(), ratio, limit: Limit::AtLeast(LIMIT) };
    Ok(Outcome { rows: vec![row], notes: Vec::new() })
}

struct Rates {
    session: Session,
    rows: Rows,
    /// The database as it is before the first entry.
    template: PathBuf,
    folder: TempDir,
    next: Option<(Lab, Daemon, Vec<Frame>)>,
    finished: Option<Place>,
}

impl Rates {
    async fn new(session: Session) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("makima-bench-").tempdir()?;
        let template = folder.path().join("template.db");
        let lab = Lab::start(Engine::Sqlite).await?;
        let mut daemon = lab.daemon().await?;
        rows::copy(&lab.place.file(), &template).await?;
        let before = Rows::marks(&lab.place.file()).await?;
        daemon.tell(session.frames(daemon.run)?).await?;
        drop(daemon);
        let place = lab.stop().await;
        let rows = Rows::read(&place.file(), &before).await?;
        Ok(Self { session, rows, template, folder, next: None, finished: None })
    }
}

impl Contest for Rates {
    async fn prepare(&mut self, _round: usize) -> Result<()> {
        let lab = Lab::start(Engine::Sqlite).await?;
        let daemon = lab.daemon().await?;
        let frames = self.session.frames(daemon.run)?;
        self.next = Some((lab, daemon, frames));
        Ok(())
    }

    async fn ours(&mut self) -> Result<f64> {
        let Some((lab, mut daemon, frames)) = self.next.take() else { return Ok(f64::NAN) };
        let start = Instant::now();
        daemon.tell(frames).await?;
        let seconds = start.elapsed().as_secs_f64();
        drop(daemon);
        self.finished = Some(lab.stop().await);
        Ok(self.rows.count() as f64 / seconds)
    }

    async fn baseline(&mut self) -> Result<f64> {
        let file = self.folder.path().join("bare.db");
        fs::copy(&self.template, &file)?;
        let seconds = self.rows.insert(&file).await?;
        Ok(self.rows.count() as f64 / seconds)
    }

    async fn settle(&mut self) -> Result<()> {
        let bare = self.folder.path().join("bare.db");
        if let Some(place) = self.finished.take() {
            rows::ensure_alike(&place.file(), &bare).await?;
        }
        for name in ["bare.db", "bare.db-wal", "bare.db-shm"] {
            let _ = fs::remove_file(self.folder.path().join(name));
        }
        Ok(())
    }
}
