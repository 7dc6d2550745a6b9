//! What the server says.

use super::{Ending, Session, take::Taken};
use crate::{commands::Commands, runs::Runs};
use makima_client::daemon::{FrameReceiver, Heard};
use makima_wire::frame::ToDaemon;
use std::{sync::PoisonError, time::Instant};
use tokio::sync::{mpsc, watch};

/// Listens until the connection ends.
pub(super) async fn listen(
    mut receiver: FrameReceiver,
    runs: &Runs,
    commands: &Commands,
    session: &Session,
    taken: mpsc::UnboundedSender<Taken>,
    is_closing: &watch::Receiver<bool>,
) -> Ending {
    loop {
        let frame = match receiver.next().await {
            None => return Ending::Closed,
            Some(Err(error)) => return Ending::Broken(error),
            Some(Ok(heard)) => {
                *session.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                match heard {
                    Heard::Frame(frame) => *frame,
                    Heard::Life => continue,
                }
            }
        };
        match frame {
            ToDaemon::Ack { run, n } => {
                let arrived =
                    session.window.lock().unwrap_or_else(PoisonError::into_inner).acknowledged(run, n);
                runs.acknowledged(run, n, arrived).await;
            }
            // Not acknowledged: it will come again to the daemon that comes next.
            ToDaemon::Command { .. } if *is_closing.borrow() => {}
            ToDaemon::Command { id, command } => {
                // Taken beside: who waits for the disk must go on listening.
                let _ = taken.send((id, command));
            }
            ToDaemon::Settled { command } => commands.settled(command).await,
            ToDaemon::Refused { message } => return Ending::Refused(message),
            ToDaemon::Welcome { .. } => {}
        }
    }
}
