//! Whether the last write of this process found room and rights, for whoever asks whether the database can be worked with.

use crate::error::Hindrance;
use std::sync::{Mutex, PoisonError};

/// What was in the way of a write, if nothing could be written since.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<Option<Hindrance>>);

impl Health {
    /// A write failed. That the database is away or busy is not noted: asking it tells that.
    pub(super) fn failed(&self, error: &sqlx::Error) {
        if let Some(hindrance) = Hindrance::of(error).filter(|hindrance| *hindrance != Hindrance::Away) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(hindrance);
        }
    }

    /// Something was written that needs room and rights. Not every transaction that is committed does: many find nothing to do.
    pub(super) fn written(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn is_hindered(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}
