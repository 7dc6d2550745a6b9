//! An agent that says nothing: it may think, wait for something that never comes, or have hung. Nobody can tell which, so it
//! is told and left alone.

use makima_model::{NoticeLevel, QuestionId, Record};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// Since when an agent has said nothing.
pub(super) struct Quiet {
    since: Instant,
    patience: Duration,
    /// How long it may still say nothing until that is told: twice as long each time.
    next: Duration,
    /// What waits for its owner: then it is not the agent that is waited for.
    open: BTreeSet<QuestionId>,
}

impl Quiet {
    pub(super) fn new(patience: Duration) -> Self {
        Self { since: Instant::now(), patience, next: patience, open: BTreeSet::new() }
    }

    /// The agent has said something, or was spoken to.
    pub(super) fn heard(&mut self) {
        self.since = Instant::now();
        self.next = self.patience;
    }

    /// Notes which questions wait.
    pub(super) fn note(&mut self, record: &Record) {
        match record {
            Record::Asked { question } => {
                self.open.insert(question.id);
            }
            Record::Answered { question, .. } => {
                self.open.remove(question);
                self.heard();
            }
            _ => {}
        }
    }

    /// When it has to be told; `None` while a question waits.
    pub(super) fn at(&self) -> Option<Instant> {
        self.open.is_empty().then(|| self.since + self.next)
    }

    /// What there is to tell.
    pub(super) fn tell(&mut self) -> Record {
        let seconds = self.next.as_secs();
        self.next *= 2;
        let long = match seconds {
            0..120 => format!("{seconds} s"),
            120..7200 => format!("{} min", seconds / 60),
            _ => format!("{} h", seconds / 3600),
        };
        let text = format!(
            "the agent has said nothing for {long}: it may be at work, or wait for something that doesn't come; stopping \
             the task ends it in good order"
        );
        Record::Notice { level: NoticeLevel::Warning, text, failure: None }
    }
}
