//! Full text: the words that a text has, what is looked for, what of a message or an event is looked through, and the piece of
//! it that is shown.
//!
//! Words are told apart here and nowhere else. Databases are given words, not texts, so that each finds the same.

mod query;
mod snippet;
mod texts;
mod word;

pub use query::{Query, Term};
pub use snippet::{MARKS, Snippet, snippet};
pub use texts::{Text, of_checkpoint, of_history_event, of_message, of_task_event};
pub use word::Words;

use crate::text::words;

words! {
    /// What was found.
    HitKind, "kind of what is found" {
        /// A message of a task's conversation.
        Message = "message",
        /// A checkpoint.
        Checkpoint = "checkpoint",
        /// Anything else that happened or was said: in a chat, to a contract, to a task.
        Event = "event",
    }
}

#[cfg(test)]
mod tests;
