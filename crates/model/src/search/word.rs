//! The words of a text.
//!
//! A word is a run of letters, digits and `_` with the marks that combine with them, in lower case, letters composed. So an
//! identifier is one word and a path is several. Scripts that put no spaces between words have no runs to go by: of those each
//! sign is a word, and several are found as they follow each other.

use std::ops::Range;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// How long a word may be, in bytes. What is longer (it is no word, but data) is found by its beginning.
pub(super) const LONGEST: usize = 128;

/// Reads a text word by word.
#[derive(Debug)]
pub struct Words<'a> {
    text: &'a str,
    at: usize,
    word: String,
}

impl<'a> Words<'a> {
    /// The words of `text`, from its beginning.
    pub fn of(text: &'a str) -> Self {
        Self::from(text, 0)
    }

    /// Those from `start` on, which is the text's beginning or a space in it.
    pub(super) fn from(text: &'a str, start: usize) -> Self {
        Self { text, at: start, word: String::new() }
    }

    /// The next word: where it stands, and in the form in which words are compared.
    pub fn next_word(&mut self) -> Option<(Range<usize>, &str)> {
        let range = loop {
            let range = self.next_run()?;
            if self.text[range.clone()].contains(char::is_alphanumeric) {
                break range;
            }
        };
        let run = &self.text[range.clone()];
        self.word.clear();
        if run.is_ascii() {
            self.word.push_str(&run[..run.len().min(LONGEST)]);
            self.word.make_ascii_lowercase();
        } else {
            for c in run.chars().flat_map(char::to_lowercase).nfc() {
                if self.word.len() + c.len_utf8() > LONGEST {
                    break;
                }
                self.word.push(c);
            }
        }
        Some((range, &self.word))
    }

    fn next_run(&mut self) -> Option<Range<usize>> {
        let mut start = self.at;
        let first = loop {
            let Some(c) = char_at(self.text, start) else {
                self.at = self.text.len();
                return None;
            };
            // A mark alone has nothing to combine with, though some count as letters: composed, it might stand behind another.
            if begins(c) && !is_mark(c) {
                break c;
            }
            let escape = if c == ESCAPE { escape(&self.text[start..]) } else { None };
            start += escape.unwrap_or(c.len_utf8());
        };
        let is_alone = stands_alone(first);
        self.at = start + first.len_utf8();
        let goes_on = |c: char| is_mark(c) || (!is_alone && begins(c) && !stands_alone(c));
        while let Some(c) = char_at(self.text, self.at).filter(|c| goes_on(*c)) {
            self.at += c.len_utf8();
        }
        Some(start..self.at)
    }
}

/// The character that begins at `at`. Nearly all are ASCII, and that costs least.
fn char_at(text: &str, at: usize) -> Option<char> {
    match text.as_bytes().get(at) {
        Some(byte) if byte.is_ascii() => Some(char::from(*byte)),
        _ => text[at..].chars().next(),
    }
}

fn is_mark(c: char) -> bool {
    !c.is_ascii() && is_combining_mark(c)
}

const ESCAPE: char = '\u{1b}';

/// How long the colour, or what else a terminal would obey, at the beginning of a text is: it is none of its words.
pub(super) fn escape(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix(ESCAPE)?.strip_prefix('[')?;
    let end = parameters.find(|c: char| !(c.is_ascii_digit() || matches!(c, ';' | ':' | '?')))?;
    parameters.as_bytes()[end].is_ascii_alphabetic().then_some(2 + end + 1)
}

fn begins(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A sign of a script that puts no spaces between words: Han, kana.
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}
