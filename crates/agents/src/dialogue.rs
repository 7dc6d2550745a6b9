//! The talk with a running agent, as a state machine.

use crate::AgentError;
use makima_model::{Answer, MessageId, QuestionId, Record, RunEnd};
use serde::{Deserialize, Serialize};

/// What an agent's program says, and what is to be said to it: one for one process, from its start to its end.
///
/// Turns: [`say`](Self::say) begins one. Its end is a [`Record::TurnEnded`]; only then, and once [`is_idle`](Self::is_idle), may the next be begun,
/// or the program's input be closed, upon which it ends by itself. An agent may also begin a turn of its own accord.
///
/// Order: acts are to be carried out in order, records written to the journal in order. What is to be written may rest on records that
/// stand before it, so the journal comes first.
pub trait Dialogue: Send {
    /// What to do when the program has just been started.
    fn open(&mut self) -> Vec<Act>;

    /// Takes one line of the program's standard output, without its end: any bytes, any length. What isn't the protocol's
    /// becomes a notice, never a failure.
    fn read(&mut self, line: &[u8]) -> Vec<Act>;

    /// Says something, which begins a turn. Several inputs are several messages of one turn, in order. To be called only while
    /// [idle](Self::is_idle): agents merge what is said meanwhile.
    fn say(&mut self, inputs: &[Input]) -> Vec<Act>;

    /// Asks the program to end the turn. It tells when it did; nothing happens while idle.
    fn interrupt(&mut self) -> Vec<Act>;

    /// Gives the owner's answer to a question that was [asked](Record::Asked).
    ///
    /// # Errors
    ///
    /// When nobody waits for it (any more), or the question wants another kind of answer; then nothing has changed.
    fn answer(&mut self, question: QuestionId, answer: &Answer) -> Result<Vec<Act>, AgentError>;

    /// Takes note that the process is gone and all its lines are read. Nothing may be called after it.
    fn ended(&mut self, exit: &Exit) -> Ending;

    /// Whether no turn is open and nothing of the agent's own works in the background.
    fn is_idle(&self) -> bool;
}

/// Something that a user says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The id of the message.
    pub id: MessageId,
    /// What is said.
    pub content: String,
}

/// Something to do for a dialogue.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Write these bytes to the program's standard input. They end with a newline.
    Write(Vec<u8>),
    /// Write this to the run's journal.
    Record(Record),
    /// Show this to whoever looks on. It is never stored.
    Delta(Delta),
}

/// A piece of a message that the agent is about to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The message that it will be. It may never come: an attempt that failed is begun again as another message.
    pub message: MessageId,
    /// Which part of it.
    pub kind: DeltaKind,
    /// The piece.
    pub text: String,
}

/// Which part of a message a [`Delta`] is a piece of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeltaKind {
    /// What is said.
    Text,
    /// What is thought.
    Thinking,
}

/// How a process ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code, where it exited.
    pub code: Option<i32>,
    /// The signal that ended it, where one did.
    pub signal: Option<i32>,
    /// The end of what it wrote to standard error, a few kilobytes at most.
    pub stderr: String,
}

/// What is left to say when a process has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// The records that close what was open: an incomplete message, questions, the turn. None of them is
    /// [`Record::Ended`]: what the host itself has to do comes before it.
    pub records: Vec<Record>,
    /// How the run ended as far as the agent is concerned. A host that stopped the agent on purpose knows better.
    pub end: RunEnd,
}
