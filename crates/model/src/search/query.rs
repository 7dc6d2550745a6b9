//! What is looked for, as people write it.
//!
//! Words: all of them must be there, in any order. `"Words in quotes"` must follow each other, as must those that are written
//! without a space between them: `src/main.rs`, `std::fs`. `word*` finds what begins so, and so does the last word of all where it
//! may be half typed. Anything else is text: there are no operators, and nothing that can be written is wrong.

use super::word::Words;

/// The most words that a term has. Of a longer one each stretch of so many must be there.
pub(super) const LONGEST: usize = 64;
/// How many characters the last word must have to be taken for half typed: shorter ones are the beginning of nearly everything.
const HALF_TYPED: usize = 3;

/// One of the things that must be there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Term {
    words: Vec<String>,
    is_prefix: bool,
}

impl Term {
    /// The words, which follow each other.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Whether the last of them is but a beginning.
    pub fn is_prefix(&self) -> bool {
        self.is_prefix
    }

    /// Whether `word` is the one at `at`.
    pub(super) fn fits(&self, at: usize, word: &str) -> bool {
        let is_last = at + 1 == self.words.len();
        self.words
            .get(at)
            .is_some_and(|own| own == word || (is_last && self.is_prefix && word.starts_with(own.as_str())))
    }
}

/// Everything that must be there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    terms: Vec<Term>,
}

impl Query {
    /// What `text` asks for. A text without a word asks for nothing, and nothing is found.
    pub fn parse(text: &str) -> Self {
        let mut query = Self::default();
        let mut rest = text;
        loop {
            rest = rest.trim_start();
            if let Some(quoted) = rest.strip_prefix('"') {
                let (inside, behind) = quoted.split_once('"').unwrap_or((quoted, ""));
                let (has_star, behind) = without_stars(behind);
                query.add(inside, has_star && ends_in_word(inside));
                rest = behind;
            } else {
                let end = rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len());
                let (chunk, behind) = rest.split_at(end);
                let bare = chunk.trim_end_matches('*');
                let has_star = bare.len() < chunk.len();
                let may_be_half = behind.is_empty() && last_word_length(bare) >= HALF_TYPED;
                query.add(bare, (has_star || may_be_half) && ends_in_word(bare));
                rest = behind;
            }
            if rest.is_empty() {
                return query;
            }
        }
    }

    fn add(&mut self, text: &str, is_prefix: bool) {
        let mut words = Vec::new();
        let mut reader = Words::of(text);
        while let Some((_, word)) = reader.next_word() {
            words.push(word.to_owned());
        }
        let last = words.len().saturating_sub(LONGEST);
        let starts = (0..last).step_by(LONGEST / 2).chain((!words.is_empty()).then_some(last));
        for start in starts {
            let stretch = &words[start..words.len().min(start + LONGEST)];
            let term = Term { words: stretch.to_vec(), is_prefix: is_prefix && start == last };
            if !self.terms.contains(&term) {
                self.terms.push(term);
            }
        }
    }

    /// What must be there, each once.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

fn without_stars(text: &str) -> (bool, &str) {
    let behind = text.trim_start_matches('*');
    (behind.len() < text.len(), behind)
}

/// Whether the text ends in the middle of a word, or at its end.
fn ends_in_word(text: &str) -> bool {
    last_range(text).is_some_and(|(_, end)| end == text.len())
}

fn last_word_length(text: &str) -> usize {
    last_range(text).map_or(0, |(start, end)| text[start..end].chars().count())
}

fn last_range(text: &str) -> Option<(usize, usize)> {
    let (mut words, mut last) = (Words::of(text), None);
    while let Some((range, _)) = words.next_word() {
        last = Some((range.start, range.end));
    }
    last
}
