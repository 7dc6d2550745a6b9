//! What the agent itself recorded, verbatim: lines of its session's files. A record is the lines that it wrote at once; it
//! belongs to a message by its number, so that a prefix of the conversation is a prefix of the session.

mod lines;
mod packed;
mod reader;

pub use packed::{Lines, pack};
pub use reader::{FileLines, LineReader};
pub(crate) use reader::{Stored, statements as reader_statements};

use crate::{Tx, columns::text, outbox::NewRecord};
use makima_model::{BranchId, OwnerId};

/// Appends lines that belong to message `seq` of the branch, behind those that it has. They are written when this is
/// committed, beside the message if that is there by then: what it says takes no room again. Lines that stand before a
/// branch's own first message have the number before it: −1 at the beginning of all.
pub fn append(tx: &mut Tx, owner: OwnerId, branch: BranchId, seq: i64, file: &str, lines: Lines) {
    if !lines.content().is_empty() {
        tx.outbox.record(NewRecord { owner, branch, seq, file: text(file).into_owned(), lines });
    }
}
