//! The daemon's heart: it beats on time whatever the disk does, and at once when what keeps the daemon from working changes.

use super::Ending;
use crate::workshop::Workshop;
use makima_client::daemon::FrameSender;
use makima_wire::frame::FromDaemon;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub(super) struct Heart {
    pub(super) workshop: Arc<Workshop>,
    pub(super) every: Duration,
    pub(super) last: Instant,
    /// What the server was told last that keeps the daemon from working.
    pub(super) told: Option<String>,
}

impl Heart {
    /// Waits until there is a reason to beat. May be dropped while it waits.
    pub(super) async fn due(&self) {
        tokio::select! {
            () = tokio::time::sleep_until((self.last + self.every).into()) => {}
            () = self.workshop.troubles.changed() => {}
        }
    }

    /// Beats, if it is time.
    pub(super) async fn beat(&mut self, sender: &mut FrameSender) -> Result<(), Ending> {
        let trouble = self.workshop.troubles.words();
        if self.last.elapsed() < self.every && trouble == self.told {
            return Ok(());
        }
        self.last = Instant::now();
        self.told.clone_from(&trouble);
        sender.send(&FromDaemon::Heartbeat { trouble }).await.map_err(Ending::Broken)?;
        // The server says nothing of its own accord: so it is asked whether it is there.
        sender.ping().await.map_err(Ending::Broken)
    }

    /// Beats while `work` is done, which may wait for a disk.
    pub(super) async fn beating<T>(
        &mut self,
        sender: &mut FrameSender,
        work: impl Future<Output = T>,
    ) -> Result<T, Ending> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                () = self.due() => self.beat(sender).await?,
            }
        }
    }
}
