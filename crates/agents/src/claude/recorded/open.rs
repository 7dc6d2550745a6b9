//! Messages that can't be told yet: of one that has more lines, and of those behind it.

use crate::claude::draft::Draft;
use makima_model::{Message, NativeLine, Timestamp};
use std::collections::VecDeque;

/// How much waits at most, in bytes of lines: behind that, a message of the model is told as far as it has come.
const MOST: usize = 16 << 20;

/// A message, and the lines that belong to it.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) what: What,
    pub(super) lines: Vec<NativeLine>,
    pub(super) place: usize,
}

#[derive(Debug)]
pub(super) enum What {
    /// Of the model: each line has a block of it.
    Draft {
        draft: Box<Draft>,
        at: Timestamp,
        cost_usd: Option<f64>,
        stopped: bool,
        incomplete: bool,
        /// Whether no more lines of it come.
        is_over: bool,
    },
    /// A compaction, whose summary may follow.
    Boundary(Message),
    /// Any other.
    Message(Message),
}

/// What waits, in order.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    items: VecDeque<Item>,
    bytes: usize,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn push(&mut self, item: Item) {
        self.bytes += item.lines.iter().map(|line| line.line.len()).sum::<usize>();
        self.items.push_back(item);
    }

    /// Another line of the last one.
    pub(super) fn add(&mut self, line: NativeLine) -> Result<(), NativeLine> {
        match self.items.back_mut() {
            Some(last) => {
                self.bytes += line.line.len();
                last.lines.push(line);
                Ok(())
            }
            None => Err(line),
        }
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut Item> {
        self.items.back_mut()
    }

    /// The message of the model that is known by this id.
    pub(super) fn draft_mut(&mut self, native: &str) -> Option<&mut Item> {
        self.items.iter_mut().find(|item| match &item.what {
            What::Draft { draft, .. } => draft.native == native,
            What::Boundary(_) | What::Message(_) => false,
        })
    }

    /// The model was cut off: of what it had not ended no more will come.
    pub(super) fn cut_off(&mut self) {
        for item in &mut self.items {
            if let What::Draft { stopped: false, incomplete, is_over, .. } = &mut item.what {
                (*incomplete, *is_over) = (true, true);
            }
        }
    }

    /// Takes note of a line that was added to some item.
    pub(super) fn grew(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// The next one that can be told; with `all`, whatever it still waits for.
    pub(super) fn next(&mut self, all: bool) -> Option<Item> {
        let waits = match &self.items.front()?.what {
            What::Draft { is_over, .. } => !is_over && self.bytes <= MOST,
            What::Boundary(_) | What::Message(_) => false,
        };
        if waits && !all {
            return None;
        }
        let item = self.items.pop_front()?;
        self.bytes = self.bytes.saturating_sub(item.lines.iter().map(|line| line.line.len()).sum());
        Some(item)
    }
}
