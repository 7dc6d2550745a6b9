//! Sessions that Claude Code recorded by itself: its own files, read line by line.
//!
//! A file is read twice, and never held: a [`Survey`] tells what the session is and where each message of the model ends; a
//! [`SessionReader`] then tells the conversation, in the same form as the dialogue makes of what the program says live. Both
//! are handed whole lines with the offset at which each ends. What they tell depends on the lines before and on nothing else, so a file
//! that grew is read again from its beginning, and what was told before is told again in the same way.
//!
//! * A line hangs on another (`parentUuid`), so a file is a tree. It is told as it grew: where something is said after an
//!   earlier message than the last ([`Told::Back`]), the conversation goes on from there, and what stood after it is a branch that
//!   was left. What was written last is where the conversation stands.
//! * A message of the model is one message, however many lines it has and whatever stands between them; its tokens count once.
//! * Side chains are what subagents said: kept as lines, and no part of the conversation.
//! * A line that can't be read is counted and passed over.

mod line;
mod open;
mod reader;
mod survey;
mod tree;
mod turns;

pub use reader::{SessionReader, Told};
pub use survey::Survey;
