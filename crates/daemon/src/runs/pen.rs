//! The daemon's own hand at a journal: before a run's host starts, and after it is gone.

use crate::{
    DaemonError, disk,
    journal::{Durable, Journal, Standing},
};
use makima_model::{Clock, Record};
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

/// Writes where it holds up nobody.
pub(super) struct Pen(Arc<Mutex<Journal>>);

impl Pen {
    /// Takes the journal in a run's folder, and tells where the run stands.
    pub(super) async fn take(folder: &Path, clock: &Clock) -> Result<(Self, Standing), DaemonError> {
        let (folder, clock) = (folder.to_owned(), clock.clone());
        let (journal, standing) = disk::off_thread(move || Journal::open(&folder, clock)).await?;
        Ok((Self(Arc::new(Mutex::new(journal))), standing))
    }

    /// Makes records durable.
    pub(super) async fn write(&self, records: Vec<Record>) -> Result<Durable, DaemonError> {
        let journal = Arc::clone(&self.0);
        disk::off_thread(move || journal.lock().unwrap_or_else(PoisonError::into_inner).append(&records))
            .await
    }
}
