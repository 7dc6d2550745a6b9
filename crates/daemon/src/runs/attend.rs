//! The daemon's end of the talk with a run's host.

use super::{Order, Outcome, drive::Driver};
use crate::{
    process::Process,
    socket::{self, Ear, FromHost, ToHost},
};
use futures::FutureExt;
use makima_wire::Code;
use rustix::process::Signal;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// How long to wait before a host is called again that did not answer.
const NEXT_CALL: Duration = Duration::from_millis(10);

impl Driver {
    /// Talks with the host until it is gone.
    pub(super) async fn attend(&mut self, host: Process) {
        while host.is_alive() {
            match socket::connect(&self.folder).await {
                Ok(stream) => self.talk(stream).await,
                Err(error) => tracing::debug!(run = %self.run.run, %error, "the run host did not answer"),
            }
            if self.killed_at().is_some_and(|late| Instant::now() >= late) {
                tracing::error!(run = %self.run.run, "the run host does not stop its agent; it is killed");
                host.signal(Signal::KILL);
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
        let until = *self.room.borrow_and_update();
        if !say(&mut to, &ToHost::Room { until }).await {
            return;
        }
        // What an earlier talk left without an answer is said again: a host does nothing twice.
        let said: Vec<ToHost> = self.pending.iter().map(|(order, _)| words(order)).collect();
        for what in said {
            if !say(&mut to, &what).await {
                return;
            }
        }
        while self.exchange(&mut ear, &mut to).await {}
    }

    /// Does the next thing; `false` when the host is gone, or late.
    async fn exchange(&mut self, ear: &mut Ear<OwnedReadHalf>, to: &mut OwnedWriteHalf) -> bool {
        self.keep_next();
        let late_at = self.killed_at();
        tokio::select! {
            heard = ear.hear::<FromHost>() => match heard {
                Some(heard) => {
                    self.take(heard);
                    true
                }
                None => false,
            },
            until = next_room(&mut self.room) => say(to, &ToHost::Room { until }).await,
            Some((order, asked)) = self.orders.recv() => {
                let what = words(&order);
                self.accept(order, asked);
                say(to, &what).await
            }
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
            () = async { match late_at {
                Some(late) => tokio::time::sleep_until(late.into()).await,
                None => std::future::pending().await,
            }} => false,
        }
    }

    /// Begins the next checkpoint that is due.
    fn keep_next(&mut self) {
        if let (None, Some(turn)) = (&self.keeping, self.turns.front().copied()) {
            let (workshop, run) = (Arc::clone(&self.board.workshop), Arc::clone(&self.run));
            let keeping = async move {
                let records = workshop.worktrees.keep_turn(&run, turn).await;
                workshop.config.failpoints.at("turn.kept").await;
                records
            };
            self.keeping = Some(keeping.boxed());
        }
    }

    fn take(&mut self, heard: FromHost) {
        match heard {
            FromHost::Durable { durable } => self.board.show(durable, false),
            FromHost::HeldUp { why } => self.hold_up(why),
            FromHost::Waits { waits } => self.board.workshop.troubles.pause(self.run.run, waits),
            FromHost::TurnEnded { turn } => {
                if !self.turns.contains(&turn) {
                    self.turns.push_back(turn);
                }
            }
            FromHost::Delta { piece } => {
                let _ = self.board.workshop.deltas.try_send((self.run.run, piece));
            }
            FromHost::Input { id, is_taken } => {
                let outcome = if is_taken { Outcome::done() } else { Outcome::not_running() };
                self.settle(|order| matches!(order, Order::Input(input) if input.id == id), &outcome);
            }
            FromHost::Answer { question, answer, refusal } => {
                let outcome = match refusal {
                    None => Outcome::done(),
                    Some(why) => Outcome::refused(Code::Conflict, why),
                };
                let is_it = |order: &Order| matches!(order, Order::Answer(of, given) if *of == question && *given == answer);
                self.settle(is_it, &outcome);
            }
        }
    }
}

/// Waits until a run may be written up to somewhere else.
async fn next_room(room: &mut watch::Receiver<u64>) -> u64 {
    match room.changed().await {
        Ok(()) => *room.borrow_and_update(),
        // Nobody shares it out any more: what was told last stands.
        Err(_) => std::future::pending().await,
    }
}

fn words(order: &Order) -> ToHost {
    match order {
        Order::Input(input) => ToHost::Input { input: input.clone() },
        Order::Answer(question, answer) => ToHost::Answer { question: *question, answer: answer.clone() },
        Order::Stop(reason) => ToHost::Stop { reason: *reason },
    }
}

async fn say(to: &mut OwnedWriteHalf, what: &ToHost) -> bool {
    socket::say(to, what).await.is_ok()
}
