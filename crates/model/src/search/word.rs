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
        Self { text, at: 0, word: String::new() }
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
            self.word.extend(run.chars().take(LONGEST).map(|c| c.to_ascii_lowercase()));
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
        let rest = &self.text[self.at..];
        let mut skipped = 0;
        let first = loop {
            let Some(c) = rest[skipped..].chars().next() else {
                self.at = self.text.len();
                return None;
            };
            // A mark alone has nothing to combine with, though some count as letters: composed, it might stand behind another.
            if begins(c) && !is_combining_mark(c) {
                break c;
            }
            skipped += escape(&rest[skipped..]).unwrap_or(c.len_utf8());
        };
        let behind = skipped + first.len_utf8();
        let goes_on =
            |c: char| is_combining_mark(c) || (!stands_alone(first) && begins(c) && !stands_alone(c));
        let end = rest[behind..].find(|c| !goes_on(c)).map_or(rest.len(), |end| behind + end);
        let start = self.at + skipped;
        self.at += end;
        Some(start..self.at)
    }
}

/// How long the colour, or what else a terminal would obey, at the beginning of a text is: it is none of its words.
pub(super) fn escape(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
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
