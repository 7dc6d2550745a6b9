//! Records, packed before they are appended.

use super::lines::joined;
use crate::{
    StoreError,
    codec::{Packed, pack_records},
    conversations::{Body, PackedMessage},
    error::Act,
};
use makima_model::NativeLine;
use std::sync::Arc;

/// Lines that the agent wrote at once. Clones share them.
#[derive(Debug, Clone)]
pub struct Lines {
    content: Arc<Vec<u8>>,
    beside: Option<Arc<Body>>,
    packed: Option<Arc<Packed>>,
}

impl Lines {
    /// The lines of a message, which is named if it is at hand.
    pub fn of(lines: &[NativeLine], message: Option<&PackedMessage>) -> Result<Self, StoreError> {
        let content = joined(lines).act("join lines of an agent's record")?;
        let beside = message.map(|message| message.body.clone());
        Ok(Self { content: Arc::new(content), beside, packed: None })
    }

    /// What the lines say, as one content.
    pub(crate) fn content(&self) -> &[u8] {
        &self.content
    }

    /// How it is packed beside this very body, if it is.
    pub(crate) fn packed_beside(&self, body: &Arc<Body>) -> Option<&Packed> {
        self.packed
            .as_deref()
            .filter(|_| self.beside.as_ref().is_some_and(|beside| Arc::ptr_eq(beside, body)))
    }
}

/// Packs those whose message is at hand. The others are packed when they are written; so are those in whose place another
/// message turns out to stand.
pub fn pack<'a>(records: impl IntoIterator<Item = &'a mut Lines>) {
    let records: Vec<&mut Lines> = records.into_iter().filter(|lines| lines.beside.is_some()).collect();
    let texts = records.iter().map(|lines| {
        let message = lines.beside.as_ref().map(|body| body.content.as_slice());
        (lines.content(), message)
    });
    let packed = pack_records(&texts.collect::<Vec<_>>());
    for (lines, packed) in records.into_iter().zip(packed) {
        lines.packed = Some(Arc::new(packed));
    }
}
