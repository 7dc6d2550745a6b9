//! Git bundles for exports: made by git and sent part by part as they come, so that they take no room here.

use crate::{backoff::Backoff, error::told, runs::Outcome, workshop::Workshop, worktrees::WantedRefs};
use bytes::BytesMut;
use makima_client::ClientError;
use makima_git::BundleError;
use makima_wire::{
    Code,
    frame::{Bundled, CommandOutcome, CommandResult, WantedBundle},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, duplex},
    time::Instant,
};

/// How much is sent at once.
const PART: usize = 4 << 20;
/// How long it is tried to send a part: somebody waits for it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much git may be ahead of that.
const AHEAD: usize = 64 << 10;

/// Why a bundle did not get there.
#[derive(Debug, thiserror::Error)]
enum SendError {
    /// What git wrote could not be read.
    #[error("what git wrote could not be read")]
    Read(#[source] std::io::Error),
    /// The server doesn't take it.
    #[error(transparent)]
    Server(#[from] ClientError),
}

/// Makes and sends it.
pub(super) async fn send_bundle(workshop: Arc<Workshop>, wanted: WantedBundle) -> Outcome {
    let refused = |error: &(dyn std::error::Error + 'static)| Outcome::refused(Code::Conflict, told(error));
    let WantedRefs { clone, refs, missing } = match workshop.worktrees.refs(&wanted).await {
        Ok(found) => found,
        Err(error) => return refused(&error),
    };
    if refs.is_empty() {
        return done(Bundled { bytes: 0, missing });
    }
    let (mut to, from) = duplex(AHEAD);
    let make = async move { clone.bundle(&refs, &mut to).await };
    let (made, sent) = tokio::join!(make, send(&workshop, &wanted, from));
    match (made, sent) {
        (Ok(()), Ok(bytes)) => done(Bundled { bytes, missing }),
        // git ends when nobody takes what it writes.
        (_, Err(SendError::Server(ClientError::Refused { body, .. }))) => {
            Outcome::refused(body.code, body.message)
        }
        (_, Err(error)) => refused(&error),
        (Err(error @ BundleError::Shallow), _) => Outcome::refused(Code::Conflict, error.to_string()),
        (Err(error), _) => refused(&error),
    }
}

fn done(bundled: Bundled) -> Outcome {
    Outcome { outcome: CommandOutcome::Done(CommandResult::Bundle(bundled)), after: None }
}

/// Sends all of it. Answers how much that was.
async fn send(
    workshop: &Workshop,
    wanted: &WantedBundle,
    mut from: impl AsyncRead + Unpin,
) -> Result<u64, SendError> {
    let mut sent = 0;
    loop {
        let mut part = BytesMut::with_capacity(PART);
        while part.len() < PART && from.read_buf(&mut part).await.map_err(SendError::Read)? > 0 {}
        if part.is_empty() {
            return Ok(sent);
        }
        let part = part.freeze();
        let mut backoff = Backoff::new(workshop.config.clock.clone());
        let until = Instant::now() + PATIENCE;
        while let Err(error) =
            workshop.server.put_bundle_part((wanted.export, wanted.number), sent, part.clone()).await
        {
            if error.is_final() || Instant::now() >= until {
                return Err(error.into());
            }
            tracing::warn!(error = told(&error), "a part of a bundle is sent again");
            tokio::time::sleep(backoff.next()).await;
        }
        sent += part.len() as u64;
    }
}
