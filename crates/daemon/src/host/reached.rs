//! How far a run has come, in words for people: what is told of a run whose agent died.

use makima_model::{MessageRole, Record};
use std::fmt;

/// How many characters of what was said are told.
const WORDS: usize = 60;

/// The point that a run's records have come to.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    /// The turn that is open, or the last one that ended; 0: none.
    turn: u32,
    is_open: bool,
    last: Last,
    /// What the agent waits for an answer to.
    asked: Option<String>,
}

/// What came last in a turn.
#[derive(Debug, Default)]
enum Last {
    #[default]
    Nothing,
    Told(String),
    Said(String),
    Called(String),
    Had(String),
}

impl Reached {
    /// Where a run stood whose journal was let go of up to here.
    pub(crate) fn after_turn(turn: u32) -> Self {
        Self { turn, ..Self::default() }
    }

    /// Takes the next record.
    pub(crate) fn note(&mut self, record: &Record) {
        match record {
            Record::Message { message } => {
                if !self.is_open {
                    self.turn += 1;
                    self.is_open = true;
                }
                self.asked = None;
                self.last = match (message.role, message.tool_calls.last(), &message.tool_name) {
                    (MessageRole::User, ..) => Last::Told(words(&message.content)),
                    (MessageRole::Tool, _, Some(tool)) => Last::Had(tool.clone()),
                    (_, Some(call), _) => Last::Called(call.name.clone()),
                    (_, None, _) => Last::Said(words(&message.content)),
                };
            }
            Record::Asked { question } => self.asked = Some(words(&question.text)),
            // Without an answer it is the agent that went.
            Record::Answered { answer: Some(_), .. } => self.asked = None,
            Record::TurnEnded(end) => {
                *self = Self::after_turn(end.turn);
            }
            _ => {}
        }
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.turn, self.is_open) {
            (0, _) => return f.write_str("before its first turn"),
            (turn, false) => return write!(f, "after turn {turn}"),
            (turn, true) => write!(f, "turn {turn}, ")?,
        }
        match (&self.asked, &self.last) {
            (Some(question), _) => write!(f, "while it waited for an answer to “{question}”"),
            (None, Last::Told(words)) => write!(f, "after it was told “{words}”"),
            (None, Last::Said(words)) => write!(f, "after it said “{words}”"),
            (None, Last::Called(tool)) => write!(f, "while it used {tool}"),
            (None, Last::Had(tool)) => write!(f, "after it had used {tool}"),
            (None, Last::Nothing) => f.write_str("at its beginning"),
        }
    }
}

/// The beginning of what somebody said, in one line.
fn words(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut beginning: String =
        line.chars().filter(|character| !character.is_control()).take(WORDS).collect();
    if line.chars().nth(WORDS).is_some() {
        beginning.push('…');
    }
    beginning
}

#[cfg(test)]
mod tests {
    use super::*;
    use makima_model::{Clock, Message, Question, QuestionKind, ToolCall, TurnEnd, TurnOutcome, Usage};
    use serde_json::Value;

    fn message(role: MessageRole, content: &str) -> Message {
        Message::said(Clock::system().new_id(), role, content, Clock::system().now())
    }

    #[test]
    fn the_point_is_the_turn_and_the_last_that_happened_in_it() {
        let mut reached = Reached::default();
        let mut after = |record: Record| {
            reached.note(&record);
            reached.to_string()
        };
        let said = |role, content: &str| Record::Message { message: message(role, content) };
        assert_eq!(after(said(MessageRole::User, "do\nit")), "turn 1, after it was told “do it”");
        let long = "x".repeat(WORDS + 1);
        let cut = format!("turn 1, after it said “{}…”", "x".repeat(WORDS));
        assert_eq!(after(said(MessageRole::Assistant, &long)), cut);
        let call = ToolCall { id: "c".into(), name: "Bash".into(), input: Value::Null };
        let calls = Message { tool_calls: vec![call], ..message(MessageRole::Assistant, "I run.") };
        assert_eq!(after(Record::Message { message: calls }), "turn 1, while it used Bash");
        let question = Question {
            id: Clock::system().new_id(),
            kind: QuestionKind::Permission,
            text: "May it?".into(),
            choices: None,
            tool_name: None,
            tool_input: None,
        };
        let id = question.id;
        let waits = "turn 1, while it waited for an answer to “May it?”";
        assert_eq!(after(Record::Asked { question }), waits);
        assert_eq!(after(Record::Answered { question: id, answer: None }), waits);
        let result = Message { tool_name: Some("Bash".into()), ..message(MessageRole::Tool, "") };
        assert_eq!(after(Record::Message { message: result }), "turn 1, after it had used Bash");
        let end = TurnEnd {
            turn: 1,
            outcome: TurnOutcome::Completed,
            usage: Usage::default(),
            cost_usd: None,
            duration_ms: 0,
            tools: std::collections::BTreeMap::new(),
            failure: None,
        };
        assert_eq!(after(Record::TurnEnded(end)), "after turn 1");
        assert_eq!(after(said(MessageRole::User, "more")), "turn 2, after it was told “more”");
    }

    #[test]
    fn a_run_of_which_nothing_is_known_had_not_begun() {
        assert_eq!(Reached::default().to_string(), "before its first turn");
    }
}
