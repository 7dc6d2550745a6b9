//! Entries whose content is packed: that takes as long as writing them does, and needs no transaction.

use makima_model::{Entry, MessageId, Record, Timestamp};
use makima_store::{
    StoreError,
    conversations::PackedMessage,
    native::{self, Lines},
};
use std::collections::HashMap;

/// An entry of a run, ready to be written.
#[derive(Debug)]
pub(super) struct PackedEntry {
    /// Its number in the run.
    pub(super) n: u64,
    /// When the daemon wrote it.
    pub(super) at: Timestamp,
    /// What it says.
    pub(super) said: Said,
}

/// What an entry says.
#[derive(Debug)]
pub(super) enum Said {
    /// A message.
    Message(PackedMessage),
    /// Lines of the agent's own record.
    Native {
        /// The message that they belong to; `None`: they stand before the first.
        message: Option<MessageId>,
        /// Which of the session's files.
        file: String,
        /// The lines.
        lines: Lines,
    },
    /// Anything else, as it came.
    Other(Record),
}

/// Packs a report's entries. Lines are packed beside their message if the report has it before them, as nearly all do.
pub(super) fn pack(entries: Vec<Entry>) -> Result<Vec<PackedEntry>, StoreError> {
    let mut messages = HashMap::new();
    let mut packed = Vec::with_capacity(entries.len());
    for Entry { n, at, record } in entries {
        let said = match record {
            Record::Message { message } => {
                let message = PackedMessage::of(&message)?;
                messages.insert(message.id, message.clone());
                Said::Message(message)
            }
            Record::Native { message, file, lines } => {
                let lines = Lines::of(&lines, message.and_then(|id| messages.get(&id)))?;
                Said::Native { message, file, lines }
            }
            record => Said::Other(record),
        };
        packed.push(PackedEntry { n, at, said });
    }
    native::pack(packed.iter_mut().filter_map(|entry| match &mut entry.said {
        Said::Native { lines, .. } => Some(lines),
        _ => None,
    }));
    Ok(packed)
}
