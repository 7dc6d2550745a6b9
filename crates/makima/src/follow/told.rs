//! What is told of a record: its times where they change, and the runs.

use super::{Heard, Piece, Story};
use crate::printer::{Line, Printer, Style, ago};
use makima_model::Timestamp;

/// Tells a record to a person.
pub(crate) struct Told<'a> {
    printer: &'a Printer,
    now: Timestamp,
    /// The last time that was told, and of which run.
    marked: Option<(String, i64)>,
    anything: bool,
}

impl<'a> Told<'a> {
    /// Tells to this printer; times are told by their distance from `now`.
    pub(crate) fn new(printer: &'a Printer, now: Timestamp) -> Self {
        Self { printer, now, marked: None, anything: false }
    }

    /// Whether anything was told.
    pub(crate) fn anything(&self) -> bool {
        self.anything
    }

    /// Tells what the story makes of it.
    pub(crate) fn tell(&mut self, story: &mut Story, heard: &Heard) {
        let pieces = story.hear(heard);
        if pieces.iter().all(|piece| matches!(piece, Piece::Close)) {
            return;
        }
        if let Some(at) = heard.at() {
            let before = self.marked.as_ref().map_or(0, |(_, run)| *run);
            let mark = (ago(at, self.now), heard.run().unwrap_or(before));
            if self.marked.as_ref() != Some(&mark) {
                let run = if mark.1 > 0 { format!("run {}, ", mark.1) } else { String::new() };
                self.printer.line(Line::styled(Style::Faint, format!("── {run}{}", mark.0)));
                self.marked = Some(mark);
            }
        }
        self.print(pieces);
    }

    /// Tells what is left.
    pub(crate) fn end(&mut self, story: &mut Story) {
        let left = story.end();
        self.print(left);
    }

    /// Says how much was folded away.
    pub(crate) fn hidden(&self, story: &Story) {
        if story.hidden() > 0 {
            let (hidden, lines) = (story.hidden(), if story.hidden() == 1 { "line is" } else { "lines are" });
            self.printer
                .line(Line::styled(Style::Faint, format!("({hidden} {lines} hidden: --full shows all)")));
        }
    }

    fn print(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            self.anything |= !matches!(piece, Piece::Close);
            piece.print(self.printer);
        }
    }
}
