//! The one place that writes to standard output and standard error.
//!
//! What is printed is made of [lines](Line), whose styles are ours and whose text may be anybody's: every text is
//! [cleaned](clean) on its way out, so that no escape sequence of an agent reaches the terminal.

mod ago;
mod clean;
mod line;
mod pager;
pub(crate) mod screen;
mod table;
mod width;

pub(crate) use ago::ago;
pub(crate) use clean::{fold, one_line};
pub(crate) use line::{Line, Style};
pub(crate) use makima_model::clean;
pub(crate) use table::Table;

use pager::Pager;
use screen::Screen;

use crate::failure::Failure;
use serde::Serialize;
use std::{
    io::{self, Write},
    sync::{Mutex, PoisonError},
};
use tokio::signal::unix::{SignalKind, signal};

/// Prints, each command through one of these.
#[derive(Debug)]
pub(crate) struct Printer {
    json: bool,
    out: Screen,
    err: Screen,
    /// Whether text stands on the last line of standard output.
    open: Mutex<bool>,
    /// Who shows it, where a pager does.
    pager: Mutex<Option<Pager>>,
}

impl Printer {
    /// For people, or, with `json`, for programs.
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            out: Screen::of(io::stdout()),
            err: Screen::of(io::stderr()),
            open: Mutex::new(false),
            pager: Mutex::new(None),
        }
    }

    /// Whether programs read what is printed.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a person looks at standard output.
    pub(crate) fn is_terminal(&self) -> bool {
        self.out.terminal
    }

    /// Shows what is printed from now on page by page, where a person looks at it. Ctrl-C is the pager's from then on.
    pub(crate) fn page(&self) {
        if self.json || !self.out.terminal {
            return;
        }
        let mut pager = self.pager.lock().unwrap_or_else(PoisonError::into_inner);
        if pager.is_some() {
            return;
        }
        *pager = Pager::start();
        // Without a listener, Ctrl-C would end us and leave the pager alone with the terminal.
        let listens = pager.is_some().then(|| signal(SignalKind::interrupt()).is_ok());
        tracing::trace!(listens, "paging");
    }

    /// Waits until all that was printed was looked at.
    pub(crate) fn end(&self) {
        self.close();
        if let Some(pager) = self.pager.lock().unwrap_or_else(PoisonError::into_inner).take() {
            pager.end();
        }
    }

    /// A table of what was asked for. With `--json` nothing.
    pub(crate) fn table(&self, table: &Table) {
        for line in table.lines(&self.out) {
            self.line(line);
        }
    }

    /// A line of what was asked for. With `--json` nothing.
    pub(crate) fn line(&self, line: impl Into<Line>) {
        if self.json {
            return;
        }
        let text = line.into().render(&self.out);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = if std::mem::take(&mut *open) { "\n" } else { "" };
        self.put(&format!("{begin}{text}\n"));
    }

    /// A text of our own that a program reads: as it is, with `--json` too.
    pub(crate) fn script(&self, text: &str) {
        self.put(text);
    }

    /// What was asked for, where that is no text of ours: as it is.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        io::stdout().write_all(bytes)
    }

    /// A piece of text that goes on where the last one ended. With `--json` nothing.
    pub(crate) fn stream(&self, style: Style, text: &str) {
        if self.json || text.is_empty() {
            return;
        }
        let text = clean(text);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        *open = !text.ends_with('\n');
        self.put(&self.out.styled(style, &text));
    }

    /// The one document of a command. Without `--json` nothing.
    pub(crate) fn document(&self, document: &impl Serialize) {
        if !self.json {
            return;
        }
        if let Ok(text) = serde_json::to_string(document) {
            self.put(&(clean::json(&text) + "\n"));
        }
    }

    /// The one document of a command, whose rows are too many to be held: `head` as JSON with these in its last field, an array that
    /// is empty in it. Without `--json` nothing.
    pub(crate) fn long_document(&self, head: &impl Serialize) -> LongDocument<'_> {
        if let Ok(head) = serde_json::to_string(head) {
            self.part(head.strip_suffix("]}").unwrap_or(&head));
        }
        LongDocument { printer: self, is_begun: false }
    }

    fn part(&self, text: &str) {
        if self.json {
            self.put(&clean::json(text));
        }
    }

    /// Something to know beside what was asked for: on standard error, with `--json` too.
    pub(crate) fn note(&self, line: impl Into<Line>) {
        let text = line.into().render(&self.err);
        // What is noted while a pager shows something else comes after it.
        self.end();
        write(io::stderr(), &format!("{text}\n"));
    }

    /// What goes on, on a line that the next one takes the place of; `None` takes it away. Only where a person looks.
    pub(crate) fn progress(&self, line: Option<Line>) {
        if self.err.terminal {
            let text = line.map(|line| line.cut().render(&self.err)).unwrap_or_default();
            write(io::stderr(), &format!("\r\u{1b}[K{text}"));
        }
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

    fn put(&self, text: &str) {
        match &mut *self.pager.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(pager) => pager.write(text),
            None => write(io::stdout(), text),
        }
    }

    /// Ends the line of text that is open.
    pub(crate) fn close(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *open) {
            self.put("\n");
        }
    }
}

/// A document that is printed row by row.
pub(crate) struct LongDocument<'a> {
    printer: &'a Printer,
    is_begun: bool,
}

impl LongDocument<'_> {
    /// The next row.
    pub(crate) fn row(&mut self, row: &impl Serialize) {
        if let Ok(text) = serde_json::to_string(row) {
            let comma = if std::mem::replace(&mut self.is_begun, true) { "," } else { "" };
            self.printer.part(&format!("{comma}{text}"));
        }
    }

    /// There are no more.
    pub(crate) fn end(self) {
        self.printer.part("]}\n");
    }
}

/// A reader that went away is no reason to fail: what the command does goes on.
fn write(mut stream: impl Write, text: &str) {
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}
