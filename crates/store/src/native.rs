//! What the agent itself recorded, verbatim: lines of its session's files. A record is the lines that it wrote at once; it
//! belongs to a message by its number, so that a prefix of the conversation is a prefix of the session.

mod lines;
mod reader;

pub use reader::LineReader;
pub(crate) use reader::statements as reader_statements;

use crate::{StoreError, Tx, columns::text, error::Act, outbox::NewRecord};
use makima_model::{BranchId, NativeLine, OwnerId};

/// Appends lines that belong to message `seq` of the branch, behind those that it has. They are packed and written when this
/// is committed, beside the message if that is there by then: what it says takes no room again. Lines that stand before a
/// branch's own first message have the number before it: −1 at the beginning of all.
pub async fn append(
    tx: &mut Tx,
    owner: OwnerId,
    branch: BranchId,
    seq: i64,
    file: &str,
    lines: &[NativeLine],
) -> Result<(), StoreError> {
    if !lines.is_empty() {
        let content = lines::joined(lines).act("append an agent's record")?;
        tx.outbox.record(NewRecord { owner, branch, seq, file: text(file).into_owned(), content });
    }
    Ok(())
}
