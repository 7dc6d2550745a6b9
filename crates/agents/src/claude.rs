//! Claude Code, talked with in lines of JSON over its standard input and output.
//!
//! What becomes of what it says:
//!
//! * A message of the model, all its blocks together, is one message: told when it is complete, with its final usage. One that
//!   was cut off (an interrupt, the end of the process) is told as incomplete, with what was streamed of it.
//! * A tool's result is one message, and stands after the message that called it.
//! * What the program itself says in the model's place (an error of the API, the answer to a slash command, "[Request
//!   interrupted by user]", the summary of a compaction) is a message of role system: the model never said it.
//! * What a subagent says is no message of the conversation: the model itself sees only the result of its `Agent` call, and so does
//!   the reader, with a notice when a subagent begins and ends. Its lines are kept as native lines, in files of their own.
//! * The program's own record comes as a mirror of its session files and is kept byte for byte. Each line belongs to the message that
//!   it holds, and what stands between to the message before, so that a prefix of the conversation is a prefix of the session.

mod adapter;
mod dialogue;
mod draft;
mod failure;
mod mirror;
mod money;
mod prompts;
pub mod recorded;
mod said;
mod session;

pub use adapter::{Claude, PASSED_ON};
