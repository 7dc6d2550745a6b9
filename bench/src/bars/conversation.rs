//! Bar 9: the end of a long conversation, and the whole of it, over HTTP against the bare SQL.

use crate::{
    arguments::Arguments,
    bars::engines,
    http::Http,
    lab::{Conversation, Lab},
    rounds::{Contest, interleaved},
    session,
    sql::Sql,
    table::{Limit, Outcome, Row},
};
use anyhow::{Result, ensure};
use futures::TryStreamExt;
use makima_client::Client;
use makima_model::TaskId;
use makima_store::Db;
use makima_wire::ReadConversation;
use std::time::Instant;

/// How many messages the conversation has, and how many are its end.
const LENGTH: usize = 5_000;
const END: u32 = 100;
/// How many are appended at once.
const AT_ONCE: usize = 500;
/// How often a round reads the end.
const TIMES: usize = 20;

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let session = session::long();
    for engine in engines() {
        let lab = Lab::start(engine).await?;
        let task = lab.task("Read it").await?;
        let conversation = Conversation { owner: lab.owner, branch: task.conversation_state.branch_id };
        let db = Db::open(&lab.place.url()).await?;
        for start in (0..LENGTH).step_by(AT_ONCE) {
            conversation.append(&db, &session.messages(start, AT_ONCE, &lab.clock)).await?;
        }
        db.close().await;
        lab.until_indexed().await?;
        let sql = Sql::to(&lab.place, engine).await?;
        let mut contest = Reading {
            client: lab.client()?,
            http: lab.http()?,
            task: task.id,
            conversation,
            sql,
            whole: false,
            rows: 0,
        };
        let name = engine.name();
        let what = format!("the last {END} of {LENGTH} messages, {name}");
        let ratio = interleaved(&what, arguments.rounds(), &mut contest).await?;
        let baseline = "the bare SQL and 3 empty authenticated GETs".to_owned();
        outcome.rows.push(Row { bar: 9, what, baseline, ratio, limit: Limit::AtMost(1.0) });
        contest.whole = true;
        let what = format!("all of {LENGTH} messages, {name}");
        let ratio = interleaved(&what, arguments.rounds(), &mut contest).await?;
        let baseline = "the bare SQL".to_owned();
        outcome.rows.push(Row { bar: 9, what, baseline, ratio, limit: Limit::AtMost(4.0) });
        contest.sql.close().await?;
        drop(lab.stop().await);
    }
    Ok(outcome)
}

struct Reading {
    client: Client,
    http: Http,
    task: TaskId,
    conversation: Conversation,
    sql: Sql,
    whole: bool,
    rows: usize,
}

impl Reading {
    fn wanted(&self) -> ReadConversation {
        ReadConversation { limit: (!self.whole).then_some(END), ..ReadConversation::default() }
    }

    fn times(&self) -> usize {
        if self.whole { 1 } else { TIMES }
    }
}

const LAST: &str =
    "SELECT * FROM conversation_messages WHERE branch_id = $1 AND owner_id = $2 ORDER BY seq DESC LIMIT 100";
const ALL: &str = "SELECT * FROM conversation_messages WHERE branch_id = $1 AND owner_id = $2 ORDER BY seq";

impl Contest for Reading {
    async fn prepare(&mut self, _: usize) -> Result<()> {
        Ok(())
    }

    async fn ours(&mut self) -> Result<f64> {
        let (path, wanted) = (format!("mesh/tasks/{}/conversation", self.task), self.wanted());
        let start = Instant::now();
        for _ in 0..self.times() {
            self.http.get(&path, &wanted).await?;
        }
        Ok(start.elapsed().as_secs_f64())
    }

    async fn baseline(&mut self) -> Result<f64> {
        let ids = [self.conversation.branch.uuid(), self.conversation.owner.uuid()];
        let start = Instant::now();
        for _ in 0..self.times() {
            self.rows = self.sql.read(if self.whole { ALL } else { LAST }, ids).await?;
            if !self.whole {
                self.http.three_empty().await?;
            }
        }
        Ok(start.elapsed().as_secs_f64())
    }

    async fn settle(&mut self) -> Result<()> {
        let (_, rest) = self.client.stream_conversation(self.task, &self.wanted()).await?;
        let told = rest.try_fold(0, async |count, _| Ok(count + 1)).await?;
        let expected = if self.whole { LENGTH } else { END as usize };
        ensure!((told, self.rows) == (expected, expected), "both read the same: {told} and {}", self.rows);
        Ok(())
    }
}
