//! The daemon's end of the talk with a run's host.

use super::{
    Order, Outcome,
    drive::{Asked, Driver},
};
use crate::{
    process::Process,
    socket::{self, Ear, FromHost, ToHost},
};
use futures::FutureExt;
use makima_wire::Code;
use std::{sync::Arc, time::Duration};
use tokio::net::{
    UnixStream,
    unix::{OwnedReadHalf, OwnedWriteHalf},
};

/// How long to wait before a host is called again that did not answer.
const NEXT_CALL: Duration = Duration::from_millis(50);

impl Driver {
    /// Talks with the host until it is gone.
    pub(super) async fn attend(&mut self, host: Process) {
        while host.is_alive() {
            match socket::connect(&self.folder).await {
                Ok(stream) => self.talk(stream).await,
                Err(error) => tracing::debug!(run = %self.run.run, %error, "the run host did not answer"),
            }
            tokio::time::sleep(NEXT_CALL).await;
        }
        if let Some(keeping) = self.keeping.take() {
            // What came of it is found again when the run is finished.
            keeping.await;
        }
    }

    async fn talk(&mut self, stream: UnixStream) {
        let (from, mut to) = stream.into_split();
        let mut ear = Ear::new(from);
        // Those that waited for an answer when the last talk broke off are not asked twice: the host remembers.
        for (order, asked) in std::mem::take(&mut self.early) {
            self.pass_on(order, asked, &mut to).await;
        }
        while self.exchange(&mut ear, &mut to).await {}
    }

    /// Does the next thing; `false` when the host is gone.
    async fn exchange(&mut self, ear: &mut Ear<OwnedReadHalf>, to: &mut OwnedWriteHalf) -> bool {
        self.keep_next();
        tokio::select! {
            heard = ear.hear::<FromHost>() => match heard {
                Some(heard) => {
                    self.take(heard);
                    true
                }
                None => false,
            },
            Some((order, asked)) = self.orders.recv() => self.pass_on(order, asked, to).await,
            records = async { match self.keeping.as_mut() {
                Some(keeping) => keeping.await,
                None => std::future::pending().await,
            }} => {
                self.keeping = None;
                match self.turns.pop_front() {
                    Some(turn) => say(to, &ToHost::TurnKept { turn, records }).await,
                    None => true,
                }
            }
        }
    }

    /// Begins the next checkpoint that is due.
    fn keep_next(&mut self) {
        if let (None, Some(turn)) = (&self.keeping, self.turns.front().copied()) {
            let (workshop, run) = (Arc::clone(&self.board.workshop), Arc::clone(&self.run));
            self.keeping = Some(async move { workshop.worktrees.keep_turn(&run, turn).await }.boxed());
        }
    }

    fn take(&mut self, heard: FromHost) {
        match heard {
            FromHost::Durable { durable } => self.board.show(durable, false),
            FromHost::TurnEnded { turn } => {
                if !self.turns.contains(&turn) {
                    self.turns.push_back(turn);
                }
            }
            FromHost::Delta { delta } => {
                let _ = self.board.workshop.deltas.try_send((self.run.run, delta));
            }
            FromHost::Input { id, is_taken } => {
                let outcome = if is_taken { Outcome::done() } else { Outcome::not_running() };
                answer_all(self.inputs.remove(&id), &outcome);
            }
            FromHost::Answer { question, refusal } => {
                let outcome = match refusal {
                    None => Outcome::done(),
                    Some(why) => Outcome::refused(Code::Conflict, why),
                };
                answer_all(self.answers.remove(&question), &outcome);
            }
        }
    }

    async fn pass_on(&mut self, order: Order, asked: Asked, to: &mut OwnedWriteHalf) -> bool {
        let what = match order {
            Order::Input(input) => {
                self.inputs.entry(input.id).or_default().push(asked);
                ToHost::Input { input }
            }
            Order::Answer(question, answer) => {
                self.answers.entry(question).or_default().push(asked);
                ToHost::Answer { question, answer }
            }
            Order::Stop(reason) => {
                self.stops.push(asked);
                ToHost::Stop { reason }
            }
        };
        say(to, &what).await
    }
}

async fn say(to: &mut OwnedWriteHalf, what: &ToHost) -> bool {
    socket::say(to, what).await.is_ok()
}

fn answer_all(asked: Option<Vec<Asked>>, outcome: &Outcome) {
    asked.into_iter().flatten().for_each(|asked| drop(asked.send(outcome.clone())));
}
