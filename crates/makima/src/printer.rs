//! The one place that writes to standard output and standard error.
//!
//! What is printed is made of [lines](Line), whose styles are ours and whose text may be anybody's: every text is
//! [cleaned](clean) on its way out, so that no escape sequence of an agent reaches the terminal.

mod clean;
mod line;
pub(crate) mod screen;

pub(crate) use clean::{clean, fold, one_line};
pub(crate) use line::{Line, Style};
use screen::Screen;

use crate::failure::Failure;
use serde::Serialize;
use std::{
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

/// Prints, each command through one of these.
#[derive(Debug)]
pub(crate) struct Printer {
    json: bool,
    out: Screen,
    err: Screen,
    /// Whether text stands on the last line of standard output.
    open: Mutex<bool>,
}

impl Printer {
    /// For people, or, with `json`, for programs.
    pub(crate) fn new(json: bool) -> Self {
        Self { json, out: Screen::of(io::stdout()), err: Screen::of(io::stderr()), open: Mutex::new(false) }
    }

    /// Whether programs read what is printed.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a person looks at standard output.
    pub(crate) fn is_terminal(&self) -> bool {
        self.out.terminal
    }

    /// A line of what was asked for. With `--json` nothing.
    pub(crate) fn line(&self, line: impl Into<Line>) {
        if self.json {
            return;
        }
        let text = line.into().render(&self.out);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = if std::mem::take(&mut *open) { "\n" } else { "" };
        write(io::stdout(), &format!("{begin}{text}\n"));
    }

    /// A piece of text that goes on where the last one ended. With `--json` nothing.
    pub(crate) fn stream(&self, style: Style, text: &str) {
        if self.json || text.is_empty() {
            return;
        }
        let text = clean(text);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        *open = !text.ends_with('\n');
        write(io::stdout(), &self.out.styled(style, &text));
    }

    /// The one document of a command. Without `--json` nothing.
    pub(crate) fn document(&self, document: &impl Serialize) {
        if !self.json {
            return;
        }
        if let Ok(text) = serde_json::to_string(document) {
            write(io::stdout(), &(clean::json(&text) + "\n"));
        }
    }

    /// Something to know beside what was asked for: on standard error, with `--json` too.
    pub(crate) fn note(&self, line: impl Into<Line>) {
        let text = line.into().render(&self.err);
        self.close();
        write(io::stderr(), &format!("{text}\n"));
    }

    /// What went wrong, and what to do.
    pub(crate) fn failure(&self, failure: &Failure) {
        self.note(Line::styled(Style::Bad, "error: ").plain(one_line(&failure.message)));
        if let Some(hint) = &failure.hint {
            self.note(Line::styled(Style::Accent, "hint: ").plain(one_line(hint)));
        }
    }

    /// A person has ended the line, by typing.
    pub(crate) fn was_entered(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }

    /// Ends the line of text that is open.
    pub(crate) fn close(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *open) {
            write(io::stdout(), "\n");
        }
    }
}

/// A reader that went away is no reason to fail: what the command does goes on.
fn write(mut stream: impl Write, text: &str) {
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}
