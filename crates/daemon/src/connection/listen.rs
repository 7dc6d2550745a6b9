//! What the server says.

use super::{Ending, Session};
use crate::{commands::Commands, runs::Runs};
use makima_client::daemon::{FrameReceiver, Heard};
use makima_wire::frame::{FromDaemon, ToDaemon};
use std::{
    sync::{Arc, PoisonError},
    time::Instant,
};
use tokio::sync::{mpsc, watch};

/// Listens until the connection ends.
pub(super) async fn listen(
    mut receiver: FrameReceiver,
    runs: &Runs,
    commands: &Arc<Commands>,
    session: &Session,
    answers: mpsc::UnboundedSender<FromDaemon>,
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
        let done = match frame {
            ToDaemon::Ack { run, n } => {
                let arrived =
                    session.window.lock().unwrap_or_else(PoisonError::into_inner).acknowledged(run, n);
                runs.acknowledged(run, n, arrived).await
            }
            // Not acknowledged: it will come again to the daemon that comes next.
            ToDaemon::Command { .. } if *is_closing.borrow() => Ok(()),
            ToDaemon::Command { id, command } => commands.take(id, command).await.map(|()| {
                let _ = answers.send(FromDaemon::Acknowledged { command: id });
            }),
            ToDaemon::Settled { command } => commands.settled(command).await,
            ToDaemon::Refused { message } => return Ending::Refused(message),
            ToDaemon::Welcome { .. } => Ok(()),
        };
        if let Err(error) = done {
            return Ending::Failed(error);
        }
    }
}
