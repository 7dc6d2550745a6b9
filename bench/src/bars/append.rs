//! Bar 8: appending to a long conversation against appending to a short one, and what it takes to store a conversation.

mod storage;

use crate::{
    arguments::Arguments,
    bars::engines,
    lab::{Conversation, Engine, Lab, Place},
    rounds::{Contest, interleaved},
    session,
    table::{Limit, Outcome, Row},
};
use anyhow::{Context, Result};
use makima_model::{Clock, Message, Record};
use makima_store::{
    Db,
    conversations::{self, PackedMessage},
};
use std::time::Instant;

const SHORT: usize = 500;
const LONG: usize = 50_000;
const LIMIT: f64 = 1.3;

/// How many messages a transaction appends, and how many transactions a round has.
const SHAPES: [(usize, usize); 2] = [(1, 40), (100, 2)];

pub(crate) async fn run(arguments: &Arguments) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let session = session::long();
    let messages: Vec<Message> = session
        .records
        .iter()
        .filter_map(|record| match record {
            Record::Message { message } => Some(message.clone()),
            _ => None,
        })
        .collect();
    for engine in engines() {
        let clock = Clock::system();
        let mut contest = Lengths {
            long: Branch::with(engine, LONG, &messages, &clock).await?,
            short: Branch::with(engine, SHORT, &messages, &clock).await?,
            messages: messages.clone(),
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
    async fn with(engine: Engine, length: usize, messages: &[Message], clock: &Clock) -> Result<Self> {
        let lab = Lab::start(engine).await?;
        let conversation = lab.daemon().await?.conversation;
        let place = lab.stop().await;
        let branch = Self { db: Db::open(&place.url()).await?, conversation, _place: place };
        for start in (0..length).step_by(500) {
            branch.append(&taken(messages, start, 500.min(length - start), clock)).await?;
        }
        Ok(branch)
    }

    async fn append(&self, messages: &[Message]) -> Result<()> {
        let Conversation { owner, branch } = self.conversation;
        let packed = messages.iter().map(PackedMessage::of).collect::<Result<_, _>>()?;
        let mut tx = self.db.begin().await?;
        conversations::append(&mut tx, owner, branch, 1, packed).await?.context("the branch is there")?;
        Ok(tx.commit().await.map(drop)?)
    }

    async fn close(&self) {
        self.db.close().await;
    }
}

/// Messages from `start` on, round and round, each with an id of its own.
fn taken(messages: &[Message], start: usize, count: usize, clock: &Clock) -> Vec<Message> {
    let all = messages.iter().cycle().skip(start % messages.len()).take(count);
    all.map(|message| Message { id: clock.new_id(), ..message.clone() }).collect()
}

struct Lengths {
    long: Branch,
    short: Branch,
    messages: Vec<Message>,
    clock: Clock,
    shape: (usize, usize),
    round: usize,
}

impl Lengths {
    async fn append_to(&self, branch: &Branch) -> Result<f64> {
        let (size, transactions) = self.shape;
        let all = taken(&self.messages, self.round * size * transactions, size * transactions, &self.clock);
        let start = Instant::now();
        for messages in all.chunks(size) {
            branch.append(messages).await?;
        }
        Ok(start.elapsed().as_secs_f64())
    }
}

impl Contest for Lengths {
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
