//! Blobs on their way to the server. A blob's file is there until the server has it, so one that is not there is there.

use crate::{backoff::Backoff, disk, error::told, workshop::Workshop};
use makima_client::daemon::PutError;
use makima_model::BlobRef;
use std::{collections::BTreeSet, sync::Arc};
use tokio::task::JoinSet;

pub(super) struct Uploads {
    workshop: Arc<Workshop>,
    under_way: BTreeSet<String>,
    /// Those that the server doesn't take: what names them is told without them.
    refused: BTreeSet<String>,
    tasks: JoinSet<(String, bool)>,
}

impl Uploads {
    pub(super) fn new(workshop: &Arc<Workshop>) -> Self {
        Self {
            workshop: Arc::clone(workshop),
            under_way: BTreeSet::new(),
            refused: BTreeSet::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Sees to it that a blob gets there.
    pub(super) fn begin(&mut self, blob: BlobRef) {
        if self.under_way.insert(blob.hash.clone()) {
            self.tasks.spawn(upload(Arc::clone(&self.workshop), blob));
        }
    }

    /// Waits until one of them is done. May be dropped while it waits.
    pub(super) async fn next(&mut self) {
        match self.tasks.join_next().await {
            Some(Ok((hash, is_there))) => {
                self.under_way.remove(&hash);
                if !is_there {
                    self.refused.insert(hash);
                }
            }
            Some(Err(_)) => {}
            None => std::future::pending().await,
        }
    }

    pub(super) fn refused(&self) -> &BTreeSet<String> {
        &self.refused
    }

    /// Whether a blob has yet to get there.
    pub(super) async fn is_missing(&self, blob: &BlobRef) -> bool {
        let file = self.workshop.folders.blob(&blob.hash);
        !self.refused.contains(&blob.hash) && tokio::fs::try_exists(file).await.unwrap_or_default()
    }
}

async fn upload(workshop: Arc<Workshop>, blob: BlobRef) -> (String, bool) {
    let file = workshop.folders.blob(&blob.hash);
    let mut backoff = Backoff::new(workshop.config.clock.clone());
    loop {
        let error = match workshop.server.put_blob(&blob, &file).await {
            Ok(()) => {
                if let Err(error) = disk::off_thread(move || disk::remove(&file)).await {
                    tracing::warn!(error = told(&error), "an uploaded blob stays here");
                }
                return (blob.hash, true);
            }
            Err(error) => error,
        };
        let is_final = match &error {
            PutError::Read { .. } => true,
            PutError::Server(error) => error.is_final(),
        };
        tracing::warn!(blob = blob.hash, error = told(&error), is_final, "a blob was not uploaded");
        if is_final {
            return (blob.hash, false);
        }
        tokio::time::sleep(backoff.next()).await;
    }
}
