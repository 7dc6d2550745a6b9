//! The connection to the server: one WebSocket, made anew whenever it breaks.
//!
//! What has to reach the server lies in journals and in the results of commands; this only carries it, from where the server
//! says that it stands. So nothing is lost or doubled however often the connection breaks, and nothing is held in memory but
//! what is on its way.

mod batch;
mod heart;
mod listen;
mod speak;
mod take;
mod uploads;
mod window;

use crate::{
    DaemonError,
    backoff::Backoff,
    commands::Commands,
    error::told,
    runs::{Order, Runs},
    socket::Piece,
    workshop::Workshop,
};
use makima_client::daemon::{FrameReceiver, FrameSender, Heard, LinkError};
use makima_model::{AgentInfo, DaemonId, RunId, StopReason};
use makima_wire::frame::{FromDaemon, Hello, KnownRun, PROTOCOL, ToDaemon};
use speak::Speaker;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, watch};
use window::Window;

/// How long the server may take to answer a hello.
const WELCOME_WITHIN: Duration = Duration::from_secs(15);

/// How the daemon stands with its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    /// It isn't connected.
    Down,
    /// It is.
    Up,
    /// The server doesn't take it; it is given up.
    Refused { message: String },
}

/// Who sees to it that there is a connection.
pub(crate) struct Connection {
    pub(crate) workshop: Arc<Workshop>,
    pub(crate) runs: Arc<Runs>,
    pub(crate) commands: Arc<Commands>,
    pub(crate) daemon: DaemonId,
    pub(crate) deltas: mpsc::Receiver<(RunId, Piece)>,
    pub(crate) link: watch::Sender<Link>,
    /// Whether the daemon is about to go: nothing new is begun.
    pub(crate) is_closing: watch::Receiver<bool>,
}

/// Why a connection ended.
enum Ending {
    NotConnected(LinkError),
    Broken(LinkError),
    Closed,
    Silent,
    Refused(String),
    Failed(DaemonError),
}

/// What both directions of one connection share.
struct Session {
    window: Mutex<Window>,
    heard: Mutex<Instant>,
}

impl Connection {
    /// Connects, again and again. Ends only when the server refuses a daemon that it never took.
    pub(crate) async fn keep(mut self) {
        let mut backoff = Backoff::new(self.workshop.config.clock.clone());
        let mut was_taken = false;
        loop {
            let ending = self.serve(&mut backoff, &mut was_taken).await;
            self.link.send_replace(Link::Down);
            match &ending {
                Ending::Refused(message) if !was_taken => {
                    tracing::error!(message, "the server does not take this daemon");
                    self.link.send_replace(Link::Refused { message: message.clone() });
                    return;
                }
                ending => ending.log(self.workshop.server.url()),
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    async fn serve(&mut self, backoff: &mut Backoff, was_taken: &mut bool) -> Ending {
        let (mut sender, mut receiver) = match self.workshop.server.connect().await {
            Ok(both) => both,
            Err(error) => return Ending::NotConnected(error),
        };
        let hello = self.hello();
        let told = hello.runs.clone();
        if let Err(error) = sender.send(&FromDaemon::Hello(hello)).await {
            return Ending::Broken(error);
        }
        let (heartbeat, known) = match welcome(&mut receiver).await {
            Ok(welcome) => welcome,
            Err(ending) => return ending,
        };
        *was_taken = true;
        backoff.reset();
        tracing::info!(server = self.workshop.server.url(), "connected");
        self.link.send_replace(Link::Up);
        self.stop_unwanted(&told, &known);
        self.exchange(sender, receiver, heartbeat, told, known).await
    }

    async fn exchange(
        &mut self,
        mut sender: FrameSender,
        receiver: FrameReceiver,
        heartbeat: Duration,
        told: Vec<RunId>,
        known: BTreeMap<RunId, KnownRun>,
    ) -> Ending {
        let session = Session { window: Mutex::default(), heard: Mutex::new(Instant::now()) };
        let (frames, to_send) = mpsc::unbounded_channel();
        let ending = {
            let mut speaker = Speaker::new(&self.workshop, &self.runs, &self.commands, &session, told, known);
            let speaking = speaker.speak(&mut sender, to_send, &mut self.deltas, heartbeat);
            let (come, taken) = mpsc::unbounded_channel();
            let taking = take::take(taken, &self.workshop, &self.commands, frames);
            let listening =
                listen::listen(receiver, &self.runs, &self.commands, &session, come, &self.is_closing);
            tokio::select! {
                ending = speaking => ending,
                ending = listening => ending,
                ending = taking => ending,
                () = silence(&session, patience(heartbeat)) => Ending::Silent,
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), sender.close()).await;
        ending
    }

    fn hello(&self) -> Hello {
        let config = &self.workshop.config;
        let agents: &[AgentInfo] = self.workshop.agents.offered();
        Hello {
            protocol: PROTOCOL,
            daemon: self.daemon,
            name: config.name.clone(),
            hostname: config.hostname.clone(),
            version: config.version.clone(),
            agents: agents.to_vec(),
            max_concurrent_tasks: i64::from(config.max_concurrent_tasks),
            runs: self.runs.all().iter().map(|run| run.spec.run).collect(),
        }
    }

    /// Stops the agents of runs that were replaced, or that the server doesn't know.
    fn stop_unwanted(&self, told: &[RunId], known: &BTreeMap<RunId, KnownRun>) {
        for run in told.iter().filter(|run| known.get(run).is_none_or(|known| known.replaced)) {
            if let Some(run) = self.runs.get(*run).filter(|run| !run.progress().has_ended) {
                tracing::warn!(run = %run.spec.run, "stopped: the server has no more use for it");
                drop(run.order(Order::Stop(StopReason::Replaced)));
            }
        }
    }
}

async fn welcome(receiver: &mut FrameReceiver) -> Result<(Duration, BTreeMap<RunId, KnownRun>), Ending> {
    let answer = async {
        loop {
            match receiver.next().await {
                None => return Err(Ending::Closed),
                Some(Err(error)) => return Err(Ending::Broken(error)),
                Some(Ok(Heard::Life)) => {}
                Some(Ok(Heard::Frame(frame))) => match *frame {
                    ToDaemon::Welcome { heartbeat_seconds, runs } => {
                        let known = runs.into_iter().map(|run| (run.run, run)).collect();
                        return Ok((Duration::from_secs(heartbeat_seconds.max(1)), known));
                    }
                    ToDaemon::Refused { message } => return Err(Ending::Refused(message)),
                    ToDaemon::Ack { .. } | ToDaemon::Command { .. } | ToDaemon::Settled { .. } => {}
                },
            }
        }
    };
    tokio::time::timeout(WELCOME_WITHIN, answer).await.unwrap_or(Err(Ending::Silent))
}

/// How long the server may be silent that gives a sign of life at each of these heartbeats, and is asked for one.
fn patience(heartbeat: Duration) -> Duration {
    heartbeat * 5 / 2
}

/// Ends when nothing was heard for too long.
async fn silence(session: &Session, patience: Duration) {
    loop {
        let heard = *session.heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if heard.elapsed() >= patience {
            return;
        }
        tokio::time::sleep_until((heard + patience).into()).await;
    }
}

impl Ending {
    fn log(&self, server: &str) {
        match self {
            Self::NotConnected(error) => {
                tracing::warn!(server, error = told(error), "not connected; trying again");
            }
            Self::Broken(error) => tracing::warn!(server, error = told(error), "connection lost"),
            Self::Closed => tracing::info!(server, "the connection was closed"),
            Self::Silent => tracing::warn!(server, "the server is silent; connecting anew"),
            Self::Refused(message) => {
                tracing::error!(server, message, "the server does not take this daemon; trying again");
            }
            Self::Failed(error) => tracing::error!(server, error = told(error), "connecting anew"),
        }
    }
}
