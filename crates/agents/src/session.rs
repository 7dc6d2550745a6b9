//! Giving a conversation back to an agent.

use makima_model::{Message, NativeLine};

/// Writes an agent's session file, piece by piece, so that a conversation of any size is never held in memory.
///
/// The conversation is handed over in order, message by message: by its [native lines](Self::native) (those of the main
/// file) where it has any, since only they are lossless, else by the [message itself](Self::message): so a conversation
/// that was begun by another agent, or whose lines were lost, goes on all the same.
pub trait SessionFile: Send {
    /// Takes a line of the agent's own record; appends what is to be written to `out`.
    fn native(&mut self, line: &NativeLine, out: &mut Vec<u8>);

    /// Takes a message of which no line of the agent's own record is held; appends what is to be written to `out`.
    fn message(&mut self, message: &Message, out: &mut Vec<u8>);

    /// Ends the file; appends what is left to be written to `out`. Nothing may be called after it.
    fn finish(&mut self, out: &mut Vec<u8>);
}
