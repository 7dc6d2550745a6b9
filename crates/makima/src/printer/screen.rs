//! What a stream can show.

use super::Style;
use crate::environment;
use anstyle::AnsiColor;
use std::{io::IsTerminal, os::fd::AsFd};

/// The width of what nobody looks at.
const WIDTH: usize = 100;

/// A stream's abilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Whether it is a terminal.
    pub(super) terminal: bool,
    /// Whether it shows colours, and they are wanted.
    pub(super) colour: bool,
    /// How many characters fit on a line.
    pub(super) width: usize,
}

impl Screen {
    /// Those of a stream of this process.
    pub(super) fn of(stream: impl AsFd + IsTerminal) -> Self {
        let terminal = stream.is_terminal();
        let dumb = environment::text("TERM").is_some_and(|term| term == "dumb");
        let colour = terminal && !dumb && environment::variable("NO_COLOR").is_none();
        let columns = || environment::text("COLUMNS")?.parse().ok();
        let size = || rustix::termios::tcgetwinsize(&stream).ok().map(|size| usize::from(size.ws_col));
        let width = if terminal { size().filter(|width| *width > 0) } else { None };
        Self { terminal, colour, width: width.or_else(columns).unwrap_or(WIDTH).max(20) }
    }

    /// One without colours, for tests.
    #[cfg(test)]
    pub(crate) fn plain(width: usize) -> Self {
        Self { terminal: true, colour: false, width }
    }

    /// A text in a style, as far as this screen has styles.
    pub(super) fn styled(&self, style: Style, text: &str) -> String {
        let style = match style {
            _ if !self.colour || text.is_empty() => return text.to_owned(),
            Style::Plain => return text.to_owned(),
            Style::Strong => anstyle::Style::new().bold(),
            Style::Faint => anstyle::Style::new().dimmed(),
            Style::Good => AnsiColor::Green.on_default(),
            Style::Bad => AnsiColor::Red.on_default(),
            Style::Warn => AnsiColor::Yellow.on_default(),
            Style::Accent => AnsiColor::Cyan.on_default(),
        };
        format!("{style}{text}{style:#}")
    }
}
