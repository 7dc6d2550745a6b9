//! The host's end of the talk with its daemon: whoever came last is the daemon.

use crate::{
    journal::Durable,
    socket::{self, Ear, FromHost, Piece, ToHost},
};
use std::time::{Duration, Instant};
use tokio::{
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
};

/// How many live pieces may wait for a daemon before they are dropped.
const DELTAS: usize = 256;

/// What happens on the socket.
pub(super) enum Event {
    /// A daemon came.
    Came,
    /// It said something.
    Said(ToHost),
}

enum Raw {
    Came(Mouth),
    Said(ToHost),
    Left,
}

/// What a daemon is told through.
struct Mouth {
    says: mpsc::UnboundedSender<FromHost>,
    deltas: mpsc::Sender<Piece>,
}

/// The daemon, or the place where it will be.
pub(super) struct DaemonSide {
    events: mpsc::Receiver<(u64, Raw)>,
    present: Option<(u64, Mouth)>,
    gone_since: Instant,
    durable: watch::Sender<Durable>,
    held_up: watch::Sender<Option<String>>,
}

impl DaemonSide {
    /// Waits for daemons.
    pub(super) fn open(listener: UnixListener, durable: Durable) -> Self {
        let (durable, seen) = watch::channel(durable);
        let (held_up, why) = watch::channel(None);
        let (told, events) = mpsc::channel(16);
        tokio::spawn(accept(listener, told, (seen, why)));
        Self { events, present: None, gone_since: Instant::now(), durable, held_up }
    }

    /// What happens next. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Event {
        loop {
            let Some((from, event)) = self.events.recv().await else {
                // The listener lives as long as this does.
                return std::future::pending().await;
            };
            let is_present = self.present.as_ref().is_some_and(|(id, _)| *id == from);
            match event {
                Raw::Came(mouth) => {
                    self.present = Some((from, mouth));
                    return Event::Came;
                }
                Raw::Said(said) if is_present => return Event::Said(said),
                Raw::Left if is_present => {
                    self.present = None;
                    self.gone_since = Instant::now();
                }
                Raw::Said(_) | Raw::Left => {}
            }
        }
    }

    /// When the daemon will have been gone for so long; `None` while it is here.
    pub(super) fn gone_at(&self, patience: Duration) -> Option<Instant> {
        self.present.is_none().then(|| self.gone_since + patience)
    }

    /// Lets the journal be read up to here.
    pub(super) fn show(&self, durable: Durable) {
        self.durable.send_replace(durable);
    }

    /// Tells why the disk takes nothing, or that it does again.
    pub(super) fn show_held_up(&self, why: Option<String>) {
        self.held_up.send_replace(why);
    }

    /// Tells the daemon, if it is here.
    pub(super) fn tell(&self, what: FromHost) {
        if let Some((_, mouth)) = &self.present {
            let _ = mouth.says.send(what);
        }
    }

    /// Shows it a live piece, if it is here and fast enough.
    pub(super) fn show_delta(&self, piece: Piece) {
        if let Some((_, mouth)) = &self.present {
            let _ = mouth.deltas.try_send(piece);
        }
    }
}

/// What every daemon is shown, the one that comes anew too.
type Shown = (watch::Receiver<Durable>, watch::Receiver<Option<String>>);

async fn accept(listener: UnixListener, told: mpsc::Sender<(u64, Raw)>, shown: Shown) {
    let mut id = 0;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                id += 1;
                tokio::spawn(talk(id, stream, told.clone(), shown.clone()));
            }
            // Out of file handles, most likely: others will be freed.
            Err(error) => {
                tracing::warn!(%error, "a daemon could not be let in");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn talk(id: u64, stream: UnixStream, told: mpsc::Sender<(u64, Raw)>, shown: Shown) {
    let (from, to) = stream.into_split();
    let (says, to_say) = mpsc::unbounded_channel();
    let (deltas, to_show) = mpsc::channel(DELTAS);
    if told.send((id, Raw::Came(Mouth { says, deltas }))).await.is_err() {
        return;
    }
    tokio::select! {
        () = hear(id, from, &told) => {}
        () = speak(to, to_say, to_show, shown) => {}
    }
    let _ = told.send((id, Raw::Left)).await;
}

async fn hear(id: u64, from: OwnedReadHalf, told: &mpsc::Sender<(u64, Raw)>) {
    let mut ear = Ear::new(from);
    while let Some(said) = ear.hear().await {
        if told.send((id, Raw::Said(said))).await.is_err() {
            return;
        }
    }
}

/// Ends when the daemon is gone, or another one came.
async fn speak(
    mut to: OwnedWriteHalf,
    mut to_say: mpsc::UnboundedReceiver<FromHost>,
    mut to_show: mpsc::Receiver<Piece>,
    (mut durable, mut held_up): Shown,
) {
    durable.mark_changed();
    held_up.mark_changed();
    loop {
        let what = tokio::select! {
            biased;
            // A message's pieces go before the message itself.
            Some(piece) = to_show.recv() => FromHost::Delta { piece },
            changed = durable.changed() => match changed {
                Ok(()) => FromHost::Durable { durable: *durable.borrow_and_update() },
                Err(_) => return,
            },
            changed = held_up.changed() => match changed {
                Ok(()) => FromHost::HeldUp { why: held_up.borrow_and_update().clone() },
                Err(_) => return,
            },
            said = to_say.recv() => match said {
                Some(said) => said,
                None => return,
            },
        };
        if socket::say(&mut to, &what).await.is_err() {
            return;
        }
    }
}
