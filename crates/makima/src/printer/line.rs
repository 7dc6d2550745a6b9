//! A line, in pieces that each have a style.

use super::{Screen, clean, width};

/// What a piece of text is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// To be read.
    Plain,
    /// To be seen first.
    Strong,
    /// To be passed over.
    Faint,
    /// Something went well.
    Good,
    /// Something went wrong.
    Bad,
    /// Something wants attention.
    Warn,
    /// What acts.
    Accent,
}

/// A line to print.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Line {
    pieces: Vec<(Style, String)>,
    cut: bool,
}

impl Line {
    /// A line that begins with a styled text.
    pub(crate) fn styled(style: Style, text: impl Into<String>) -> Self {
        Self::default().then(style, text)
    }

    /// The same, and more.
    pub(crate) fn then(mut self, style: Style, text: impl Into<String>) -> Self {
        self.pieces.push((style, text.into()));
        self
    }

    /// The same, and more of no style.
    pub(crate) fn plain(self, text: impl Into<String>) -> Self {
        self.then(Style::Plain, text)
    }

    /// The same, cut to the width of the screen.
    pub(crate) fn cut(mut self) -> Self {
        self.cut = true;
        self
    }

    /// What is written to a screen, without an end of line.
    pub(crate) fn render(&self, screen: &Screen) -> String {
        let mut left = if self.cut { screen.width } else { usize::MAX };
        let mut out = String::new();
        let cleaned: Vec<(Style, String)> =
            self.pieces.iter().map(|(style, text)| (*style, clean(text))).collect();
        let length: usize = cleaned.iter().map(|(_, text)| width::of(text)).sum();
        let cut = length > left;
        for (style, text) in cleaned {
            if !cut {
                out.push_str(&screen.styled(style, &text));
                continue;
            }
            // One place is for the mark.
            let kept = width::beginning(&text, left.saturating_sub(1));
            let gone = kept.len() < text.len();
            left -= width::of(kept);
            out.push_str(&screen.styled(style, kept));
            if gone {
                out.push('…');
                break;
            }
        }
        out
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::default().plain(text)
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::default().plain(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_to_the_width_and_says_so() {
        let screen = Screen { terminal: true, colour: false, width: 10 };
        let line = Line::styled(Style::Strong, "Bash").plain(" cargo test").cut();
        assert_eq!(line.render(&screen), "Bash carg…");
        assert_eq!(Line::from("0123456789").cut().render(&screen), "0123456789");
        assert_eq!(Line::from("0123456789ab").render(&screen), "0123456789ab");
    }

    #[test]
    fn a_wide_character_takes_two_places() {
        let screen = Screen { terminal: true, colour: false, width: 6 };
        assert_eq!(Line::from("日本語").cut().render(&screen), "日本語");
        assert_eq!(Line::from("日本語!").cut().render(&screen), "日本…");
    }

    #[test]
    fn only_our_own_escapes_are_written() {
        let screen = Screen { terminal: true, colour: true, width: 80 };
        let line = Line::styled(Style::Bad, "a\u{1b}[2Jb").plain("\u{1b}[31mc");
        let text = line.render(&screen);
        assert_eq!(text, "\u{1b}[31ma␛[2Jb\u{1b}[0mc");
    }
}
