//! Bar 8: appending to a long conversation against appending to a short one, and what it takes to store a conversation.

mod storage;

use crate::{
    arguments::Arguments,
    bars::engines,
    lab::{Conversation, Engine, Lab, Place},
    rounds::{Contest, interleaved},
    session::{self, Session},
    table::{Limit, Outcome, Row},
};
use anyhow::Result;
use makima_model::{Clock, Message};
use makima_store::Db;
use std::time::Instant;

const SHORT: usize = 500;
const LONG: usize = 50_000;
const LIMIT: f64 = 1.3;

/// How many messages a transaction appends, and how many transactions a round has.
const SHAPES: [(usize, usize); 2] = [(1, 40), (100, 2)];

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let session = session::long();
    for engine in engines() {
        let clock = Clock::system();
        let mut contest = Lengths {
            long: Branch::with(engine, LONG, &session, &clock).await?,
            short: Branch::with(engine, SHORT, &session, &clock).await?,
            session: &session,
            clock,
            shape: SHAPES[0],
            round: 0,
        };
        for shape in SHAPES {
            contest.shape = shape;
            let what = format!("append at message {LONG}, {} a transaction, {}", shape.0, engine.name());
            let ratio = interleaved(&what, arguments.rounds(), &mut contest).await?;
            let baseline = format!("the same at message {SHORT}, in a database of its own");
            outcome.rows.push(Row { bar: 8, what, baseline, ratio, limit: Limit::AtMost(LIMIT) });
        }
        contest.long.close().await;
        contest.short.close().await;
        storage::run(engine, &session, &mut outcome).await?;
    }
    Ok(outcome)
}

/// A conversation in a database of its own.
struct Branch {
    db: Db,
    conversation: Conversation,
    _place: Place,
}

impl Branch {
    async fn with(engine: Engine, length: usize, session: &Session, clock: &Clock) -> Result<Self> {
        let lab = Lab::start(engine).await?;
        let conversation = lab.daemon().await?.conversation;
        let place = lab.stop().await;
        let branch = Self { db: Db::open(&place.url()).await?, conversation, _place: place };
        for start in (0..length).step_by(500) {
            branch.append(&session.messages(start, 500.min(length - start), clock)).await?;
        }
        Ok(branch)
    }

    async fn append(&self, messages: &[Message]) -> Result<()> {
        self.conversation.append(&self.db, messages).await
    }

    async fn close(&self) {
        self.db.close().await;
    }
}

struct Lengths<'a> {
    long: Branch,
    short: Branch,
    session: &'a Session,
    clock: Clock,
    shape: (usize, usize),
    round: usize,
}

impl Lengths<'_> {
    async fn append_to(&self, branch: &Branch) -> Result<f64> {
        let (size, transactions) = self.shape;
        let all = self.session.messages(self.round * size * transactions, size * transactions, &self.clock);
        let start = Instant::now();
        for messages in all.chunks(size) {
            branch.append(messages).await?;
        }
        Ok(start.elapsed().as_secs_f64())
    }
}

impl Contest for Lengths<'_> {
    async fn prepare(&mut self, round: usize) -> Result<()> {
        self.round = round;
        Ok(())
    }

    async fn ours(&mut self) -> Result<f64> {
        self.append_to(&self.long).await
    }

    async fn baseline(&mut self) -> Result<f64> {
        self.append_to(&self.short).await
    }

    async fn settle(&mut self) -> Result<()> {
        Ok(())
    }
}
