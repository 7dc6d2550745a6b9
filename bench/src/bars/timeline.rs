//! Bar 10: a page of the timeline over HTTP against the bare SQL, deep pages against the first, and many entries against few.

use crate::{
    arguments::Arguments,
    bars::engines,
    http::Http,
    lab::{Engine, Lab},
    printer,
    rounds::{Contest, interleaved},
    sql::Sql,
    table::{Limit, Outcome, Row},
};
use anyhow::{Context, Result, ensure};
use makima_client::Client;
use makima_model::{EventKind, Timestamp};
use makima_store::{Db, events, events::NewHistory};
use makima_wire::{ListTimeline, Timeline};
use serde_json::json;
use sqlx::types::Uuid;
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

const MILLION: usize = 1_000_000;
const PAGE: u32 = 100;
/// How many pages a round reads, and how many before the deep one.
const PAGES: usize = 20;
const DEEP: usize = 1000;
/// How many entries are written at once.
const WRITTEN: usize = 5000;

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for engine in engines() {
        let name = engine.name();
        let mut small = Stored::with(engine, MILLION).await?;
        let deep = small.cursor_of(DEEP).await?;
        let first = ListTimeline { limit: Some(PAGE), ..ListTimeline::default() };
        let deep = ListTimeline { cursor: Some(deep), ..first.clone() };
        for (which, wanted) in [("the first page", &first), ("page 1,000", &deep)] {
            let what = format!("{which} of a timeline of 1,000,000, {name}");
            let mut contest = AgainstSql::of(&mut small, wanted).await?;
            let ratio = interleaved(&what, arguments.rounds(), &mut contest).await?;
            let baseline = "the bare keyset SQL and 3 empty authenticated GETs".to_owned();
            outcome.rows.push(Row { bar: 10, what, baseline, ratio, limit: Limit::AtMost(1.0) });
        }
        let what = format!("page 1,000 of a timeline of 1,000,000, {name}");
        let mut contest = Two { ours: (&small.client, &deep), baseline: (&small.client, &first) };
        let ratio = interleaved(&what, arguments.rounds(), &mut contest).await?;
        outcome.rows.push(Row {
            bar: 10,
            what,
            baseline: "its first page".into(),
            ratio,
            limit: Limit::AtMost(1.3),
        });
        if arguments.ten_million {
            let large = Stored::with(engine, 10 * MILLION).await?;
            let what = format!("the first page of a timeline of 10,000,000, {name}");
            let mut contest = Two { ours: (&large.client, &first), baseline: (&small.client, &first) };
            let ratio = interleaved(&what, arguments.rounds(), &mut contest).await?;
            let baseline = "of one of 1,000,000".to_owned();
            outcome.rows.push(Row { bar: 10, what, baseline, ratio, limit: Limit::AtMost(2.0) });
            large.stop().await?;
        }
        small.stop().await?;
    }
    Ok(outcome)
}

/// A timeline in a database of its own, and a connection that speaks SQL to it.
struct Stored {
    lab: Lab,
    client: Client,
    http: Http,
    sql: Sql,
}

impl Stored {
    async fn with(engine: Engine, length: usize) -> Result<Self> {
        let lab = Lab::start(engine).await?;
        let db = Db::open(&lab.place.url()).await?;
        fill(&lab, &db, length).await?;
        db.close().await;
        lab.until_indexed().await?;
        let sql = Sql::to(&lab.place, engine).await?;
        Ok(Self { client: lab.client()?, http: lab.http()?, lab, sql })
    }

    /// The cursor at which page `n` begins.
    async fn cursor_of(&self, n: usize) -> Result<String> {
        let mut wanted = ListTimeline { limit: Some(PAGE), ..ListTimeline::default() };
        for _ in 1..n {
            wanted.cursor = self.client.timeline(&wanted).await?.cursor;
        }
        wanted.cursor.context("there are that many pages")
    }

    async fn stop(self) -> Result<()> {
        self.sql.close().await?;
        drop(self.lab.stop().await);
        Ok(())
    }
}

/// Writes entries as a task's turns leave them, a second apart.
async fn fill(lab: &Lab, db: &Db, length: usize) -> Result<()> {
    let task = lab.task("Measure it").await?;
    let begun = lab.clock.now().minus(Duration::from_secs(length as u64));
    for start in (0..length).step_by(WRITTEN) {
        let mut tx = db.begin().await?;
        for n in start..length.min(start + WRITTEN) {
            events::append_history(
                &mut tx,
                NewHistory {
                    id: lab.clock.new_id(),
                    owner: lab.owner,
                    contract: None,
                    task: Some(task.id),
                    kind: EventKind::Task,
                    subtype: "task_turn".to_owned(),
                    phase: None,
                    data: json!({
                        "runNumber": 1, "turn": n, "outcome": "completed", "costUsd": 0.0184, "durationMs": 42_000,
                        "usage": { "inputTokens": 12, "outputTokens": 840, "cacheReadTokens": 48_000, "cacheCreationTokens": 900 },
                        "tools": { "Bash": 3, "Edit": 2, "Read": 5 },
                    }),
                    created_at: begun.plus(Duration::from_secs(n as u64)),
                },
            );
        }
        tx.commit().await?;
        printer::progress(&format!("  {} of {length} entries are written", length.min(start + WRITTEN)));
    }
    Ok(())
}

/// The same rows by the bare statement, and three GETs that answer next to nothing.
struct AgainstSql<'a> {
    stored: &'a mut Stored,
    wanted: &'a ListTimeline,
    before: (Timestamp, Uuid),
    rows: usize,
}

const NEWEST: &str = "SELECT * FROM history_events WHERE owner_id = $1 AND (created_at, id) < ($2, $3) \
    ORDER BY created_at DESC, id DESC LIMIT 100";

impl<'a> AgainstSql<'a> {
    async fn of(stored: &'a mut Stored, wanted: &'a ListTimeline) -> Result<Self> {
        // The key right before the page: of its first row, and one more microsecond.
        let page = stored.client.timeline(wanted).await?;
        let first = page.entries.first().context("the page has entries")?;
        let before = (first.timestamp.plus(Duration::from_micros(1)), Uuid::nil());
        Ok(Self { stored, wanted, before, rows: 0 })
    }
}

impl Contest for AgainstSql<'_> {
    async fn prepare(&mut self, _: usize) -> Result<()> {
        Ok(())
    }

    async fn ours(&mut self) -> Result<f64> {
        let start = Instant::now();
        for _ in 0..PAGES {
            self.stored.http.get("timeline", self.wanted).await?;
        }
        Ok(start.elapsed().as_secs_f64())
    }

    async fn baseline(&mut self) -> Result<f64> {
        let owner = self.stored.lab.owner.uuid();
        let (at, id) = self.before;
        let start = Instant::now();
        for _ in 0..PAGES {
            self.rows = match &mut self.stored.sql {
                Sql::Sqlite(connection) => {
                    let query = sqlx::query(NEWEST).bind(owner).bind(at.to_string()).bind(id);
                    black_box(query.fetch_all(connection).await?).len()
                }
                Sql::Postgres(connection) => {
                    let query = sqlx::query(NEWEST).bind(owner).bind(at.utc()).bind(id);
                    black_box(query.fetch_all(connection).await?).len()
                }
            };
            self.stored.http.three_empty().await?;
        }
        Ok(start.elapsed().as_secs_f64())
    }

    async fn settle(&mut self) -> Result<()> {
        let told = self.stored.client.timeline(self.wanted).await?.entries.len();
        let page = PAGE as usize;
        ensure!((told, self.rows) == (page, page), "both read a page: {told} and {}", self.rows);
        Ok(())
    }
}

/// Two pages over HTTP.
struct Two<'a> {
    ours: (&'a Client, &'a ListTimeline),
    baseline: (&'a Client, &'a ListTimeline),
}

async fn read((client, wanted): (&Client, &ListTimeline)) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..PAGES {
        let page: Timeline = black_box(client.timeline(wanted).await?);
        ensure!(page.entries.len() == PAGE as usize, "the page is full");
    }
    Ok(start.elapsed().as_secs_f64())
}

impl Contest for Two<'_> {
    async fn prepare(&mut self, _: usize) -> Result<()> {
        Ok(())
    }

    async fn ours(&mut self) -> Result<f64> {
        read(self.ours).await
    }

    async fn baseline(&mut self) -> Result<f64> {
        read(self.baseline).await
    }

    async fn settle(&mut self) -> Result<()> {
        Ok(())
    }
}
