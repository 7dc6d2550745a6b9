//! Bar 11: a search for an identifier over HTTP against the bare full-text SQL, and what the index takes.

use crate::{
    arguments::Arguments,
    bars::engines,
    http::Http,
    lab::{Conversation, Engine, Lab},
    printer,
    rounds::{Contest, Ratio, interleaved},
    session,
    sizes::Sizes,
    sql::Sql,
    table::{Limit, Outcome, Row},
};
use anyhow::{Result, ensure};
use makima_client::Client;
use makima_model::search::of_message;
use makima_store::Db;
use makima_wire::Search;
use sqlx::{Connection, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{hint::black_box, time::Instant};

/// How many messages are looked through, and every how many of them has what is looked for.
const MESSAGES: usize = 20_000;
const EVERY: usize = 100;
const SOUGHT: &str = "resolve_the_sought_identifier";
/// How many searches a round makes.
const SEARCHES: usize = 20;
const PAGE: u32 = 100;
/// How many messages are written at once.
const WRITTEN: usize = 500;

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for engine in engines() {
        let name = engine.name();
        let mut stored = Stored::with(engine).await?;
        let what = format!("a search for an identifier in {MESSAGES} messages, {name}");
        let ratio =
            interleaved(&what, arguments.rounds(), &mut AgainstSql { stored: &mut stored, found: 0 }).await?;
        let baseline = "the bare full-text SQL that finds and reads as many".to_owned();
        outcome.rows.push(Row { bar: 11, what, baseline, ratio, limit: Limit::AtMost(3.0) });
        let share = stored.share().await?;
        outcome.rows.push(Row {
            bar: 11,
            what: format!("the index of {MESSAGES} messages, {name}"),
            baseline: "their text".to_owned(),
            ratio: Ratio { median: share, lowest: share, highest: share },
            limit: Limit::AtMost(match engine {
                Engine::Sqlite => 0.35,
                Engine::Postgres => 1.0,
            }),
        });
    }
    Ok(outcome)
}

/// Messages in a database of its own, and the same beside them as one would keep them to search them with SQL alone.
struct Stored {
    lab: Lab,
    client: Client,
    http: Http,
    sql: Sql,
    bytes: usize,
}

/// SQLite: a table that has texts and index both. PostgreSQL: a column beside the text, and an index on it.
const SQLITE_TABLE: &str =
    "CREATE VIRTUAL TABLE bare USING fts5 (content, tokenize = \"unicode61 tokenchars '_'\")";
const POSTGRES_TABLE: &str =
    "CREATE TABLE bare (id BIGINT PRIMARY KEY, content TEXT NOT NULL, words TSVECTOR NOT NULL)";
const POSTGRES_INDEX: &str = "CREATE INDEX bare_words ON bare USING gin (words) WITH (fastupdate = off)";
const SQLITE_FIND: &str = "SELECT rowid, content FROM bare WHERE bare MATCH $1 ORDER BY rowid DESC LIMIT 100";
const POSTGRES_FIND: &str =
    "SELECT id, content FROM bare WHERE words @@ plainto_tsquery('simple', $1) ORDER BY id DESC LIMIT 100";

impl Stored {
    async fn with(engine: Engine) -> Result<Self> {
        let lab = Lab::start(engine).await?;
        let sql = match engine {
            Engine::Sqlite => {
                let options =
                    SqliteConnectOptions::new().filename(lab.place.beside("bare.db")).create_if_missing(true);
                let mut connection = SqliteConnection::connect_with(&options).await?;
                sqlx::query(SQLITE_TABLE).execute(&mut connection).await?;
                Sql::Sqlite(connection)
            }
            Engine::Postgres => {
                let mut connection = PgConnection::connect(&lab.place.url()).await?;
                for text in [POSTGRES_TABLE, POSTGRES_INDEX] {
                    sqlx::query(text).execute(&mut connection).await?;
                }
                Sql::Postgres(connection)
            }
        };
        let mut stored = Self { client: lab.client()?, http: lab.http()?, lab, sql, bytes: 0 };
        stored.fill().await?;
        stored.lab.until_indexed().await?;
        if let Sql::Postgres(connection) = &mut stored.sql {
            // As the server's own housekeeping would have done by itself in a while.
            sqlx::query("ANALYZE").execute(connection).await?;
        }
        Ok(stored)
    }

    async fn fill(&mut self) -> Result<()> {
        let task = self.lab.task("Measure it").await?;
        let conversation = Conversation { owner: self.lab.owner, branch: task.conversation_state.branch_id };
        let db = Db::open(&self.lab.place.url()).await?;
        let session = session::long();
        for start in (0..MESSAGES).step_by(WRITTEN) {
            let mut messages = session.messages(start, WRITTEN, &self.lab.clock);
            for message in messages.iter_mut().step_by(EVERY) {
                message.content.push_str(&format!("\nlet found = {SOUGHT}(input)?;"));
            }
            conversation.append(&db, &messages).await?;
            let texts: Vec<String> = messages
                .iter()
                .map(|message| {
                    of_message(message).iter().map(|text| &*text.text).collect::<Vec<_>>().join("\n")
                })
                .collect();
            self.bytes += texts.iter().map(String::len).sum::<usize>();
            self.keep_bare(start, &texts).await?;
            printer::progress(&format!("  {} of {MESSAGES} messages are written", start + WRITTEN));
        }
        db.close().await;
        Ok(())
    }

    async fn keep_bare(&mut self, start: usize, texts: &[String]) -> Result<()> {
        match &mut self.sql {
            Sql::Sqlite(connection) => {
                let mut tx = connection.begin().await?;
                for text in texts {
                    sqlx::query("INSERT INTO bare (content) VALUES ($1)")
                        .bind(text)
                        .execute(&mut *tx)
                        .await?;
                }
                tx.commit().await?;
            }
            Sql::Postgres(connection) => {
                let mut tx = connection.begin().await?;
                for (id, text) in (start..).zip(texts) {
                    sqlx::query("INSERT INTO bare VALUES ($1, $2, to_tsvector('simple', $2))")
                        .bind(i64::try_from(id)?)
                        .bind(text)
                        .execute(&mut *tx)
                        .await?;
                }
                tx.commit().await?;
            }
        }
        Ok(())
    }

    /// What the index takes of what the text does.
    async fn share(self) -> Result<f64> {
        let Self { lab, sql, bytes, .. } = self;
        sql.close().await?;
        let place = lab.stop().await;
        Ok(Sizes::of(&place).await?.of_search() as f64 / bytes as f64)
    }
}

/// A page of what has the identifier: the space behind it says that it is whole.
fn wanted() -> Search {
    Search { q: format!("{SOUGHT} "), limit: Some(PAGE), ..Search::default() }
}

struct AgainstSql<'a> {
    stored: &'a mut Stored,
    found: usize,
}

impl Contest for AgainstSql<'_> {
    async fn prepare(&mut self, _: usize) -> Result<()> {
        Ok(())
    }

    async fn ours(&mut self) -> Result<f64> {
        let wanted = wanted();
        let start = Instant::now();
        for _ in 0..SEARCHES {
            self.stored.http.get("search", &wanted).await?;
        }
        Ok(start.elapsed().as_secs_f64())
    }

    async fn baseline(&mut self) -> Result<f64> {
        let start = Instant::now();
        for _ in 0..SEARCHES {
            self.found = match &mut self.stored.sql {
                Sql::Sqlite(connection) => {
                    black_box(sqlx::query(SQLITE_FIND).bind(SOUGHT).fetch_all(connection).await?).len()
                }
                Sql::Postgres(connection) => {
                    black_box(sqlx::query(POSTGRES_FIND).bind(SOUGHT).fetch_all(connection).await?).len()
                }
            };
        }
        Ok(start.elapsed().as_secs_f64())
    }

    async fn settle(&mut self) -> Result<()> {
        let (told, page) = (self.stored.client.search(&wanted()).await?.hits.len(), usize::try_from(PAGE)?);
        ensure!((told, self.found) == (page, page), "both find as many: {told} and {}", self.found);
        Ok(())
    }
}
