//! One direction of a connection.

use std::{
    future::pending,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
    sync::watch,
};

/// How much is held back before whoever sends has to wait.
const HELD: usize = 64 << 20;

/// What becomes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// They are passed on.
    Open,
    /// They are kept, and so is the news that no more will come.
    Held,
    /// They are passed on in pieces.
    Slow {
        /// How many at once.
        piece: usize,
        /// How long to wait after each piece.
        pause: Duration,
    },
    /// They vanish, and so does the news that no more will come.
    Swallowed,
    /// They vanish, and whoever waits for them is told that no more will come.
    HungUp,
}

pub(super) struct Pump {
    pub(super) from: OwnedReadHalf,
    pub(super) to: OwnedWriteHalf,
    pub(super) flow: watch::Receiver<Flow>,
    pub(super) budget: Arc<Mutex<Option<usize>>>,
    /// Set once whoever sends has hung up.
    pub(super) hung_up: Arc<AtomicBool>,
}

impl Pump {
    /// Passes bytes on until no more come. `true`: the connection is to be cut.
    pub(super) async fn run(mut self) -> bool {
        let (mut held, mut is_open, mut is_told) = (Vec::new(), true, false);
        loop {
            let flow = *self.flow.borrow_and_update();
            let most = match flow {
                Flow::Open => usize::MAX,
                Flow::Slow { piece, .. } => piece,
                Flow::Held => 0,
                Flow::Swallowed => {
                    held.clear();
                    0
                }
                Flow::HungUp => {
                    held.clear();
                    if !is_told {
                        let _ = self.to.shutdown().await;
                        is_told = true;
                    }
                    0
                }
            };
            if most > 0 && !held.is_empty() {
                let (piece, is_cut) = self.allowed(held.len().min(most));
                let written = self.to.write_all(&held[..piece]).await;
                held.drain(..piece);
                if is_cut || written.is_err() {
                    return true;
                }
                if let Flow::Slow { pause, .. } = flow {
                    tokio::time::sleep(pause).await;
                }
                continue;
            }
            if most > 0 && !is_open {
                let _ = self.to.shutdown().await;
                return false;
            }
            let reads = is_open && held.len() < HELD;
            tokio::select! {
                read = async { if reads { self.from.read_buf(&mut held).await } else { pending().await } } => {
                    is_open = matches!(read, Ok(1..));
                    self.hung_up.fetch_or(!is_open, Ordering::Relaxed);
                }
                changed = self.flow.changed() => {
                    if changed.is_err() {
                        return true;
                    }
                }
            }
        }
    }

    /// How many of so many bytes may be passed on, and whether the connection is cut after them.
    fn allowed(&self, bytes: usize) -> (usize, bool) {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        match *budget {
            Some(left) if left <= bytes => {
                *budget = None;
                (left, true)
            }
            Some(left) => {
                *budget = Some(left - bytes);
                (bytes, false)
            }
            None => (bytes, false),
        }
    }
}
