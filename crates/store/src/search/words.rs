//! Words, as each engine takes them to keep and to look for.

use makima_model::search::{Query, Term, Text, Words};
use std::collections::{BTreeMap, VecDeque};

/// SQLite: what stands between two texts, so that no word of one follows a word of the other. No word is ever this.
const GAP: &str = "¶";

/// PostgreSQL keeps 255 places of a word in a vector, of which the last is 16,383, and a megabyte of all.
const MOST_OF_ONE: usize = 250;
const MOST_PLACES: usize = 16_000;
const MOST_BYTES: usize = 1 << 19;
/// How many places a piece has in common with the one before it, so that what follows each other is found across its end: the most
/// words of a term, but for one.
const COMMON: usize = 63;

/// PostgreSQL: a word of every piece of what has several.
const OF_SEVERAL: &str = "+";

/// SQLite: all words with spaces between them.
pub(super) fn line(texts: &[Text<'_>]) -> String {
    let mut line = String::new();
    for Text { text, .. } in texts {
        let mut words = Words::of(text);
        let mut is_first = true;
        while let Some((_, word)) = words.next_word() {
            if std::mem::take(&mut is_first) && !line.is_empty() {
                line.push_str(GAP);
                line.push(' ');
            }
            line.push_str(word);
            line.push(' ');
        }
    }
    line
}

/// PostgreSQL: the pieces, each as a `tsvector` is written.
pub(super) fn pieces(texts: &[Text<'_>], owner: i64) -> Vec<String> {
    let (mut pieces, mut piece) = (Vec::new(), Piece::default());
    let mut recent: VecDeque<Option<String>> = VecDeque::with_capacity(COMMON + 1);
    for Text { text, .. } in texts {
        let mut words = Words::of(text);
        while let Some((_, word)) = words.next_word() {
            if !piece.has_room(word) {
                pieces.push(piece.written(owner, true));
                piece = Piece::default();
                recent.iter().for_each(|word| piece.add(word.as_deref()));
            }
            piece.add(Some(word));
            remember(&mut recent, Some(word.to_owned()));
        }
        piece.add(None);
        remember(&mut recent, None);
    }
    let is_of_several = !pieces.is_empty();
    pieces.push(piece.written(owner, is_of_several));
    pieces
}

fn remember(recent: &mut VecDeque<Option<String>>, word: Option<String>) {
    recent.push_back(word);
    if recent.len() > COMMON {
        recent.pop_front();
    }
}

#[derive(Debug, Default)]
struct Piece {
    places: BTreeMap<String, Vec<usize>>,
    /// How many places it has, with those where no word stands.
    length: usize,
    bytes: usize,
}

impl Piece {
    fn has_room(&self, word: &str) -> bool {
        self.length < MOST_PLACES
            && self.bytes < MOST_BYTES
            && self.places.get(word).is_none_or(|places| places.len() < MOST_OF_ONE)
    }

    fn add(&mut self, word: Option<&str>) {
        self.length += 1;
        let Some(word) = word else { return };
        self.bytes += 2;
        match self.places.get_mut(word) {
            Some(places) => places.push(self.length),
            None => {
                self.bytes += word.len() + 8;
                self.places.insert(word.to_owned(), vec![self.length]);
            }
        }
    }

    fn written(&self, owner: i64, is_of_several: bool) -> String {
        let mut written = owner_word(owner);
        if is_of_several {
            written.push_str(&format!(" '{OF_SEVERAL}'"));
        }
        for (word, places) in &self.places {
            written.push_str(" '");
            written.push_str(word);
            let mut before = "':";
            for place in places {
                written.push_str(before);
                written.push_str(&place.to_string());
                before = ",";
            }
        }
        written
    }
}

/// No word has a colon.
fn owner_word(number: i64) -> String {
    format!("'o:{number}'")
}

/// SQLite: what `MATCH` takes.
pub(super) fn matching(query: &Query) -> String {
    let terms = query.terms().iter().map(|term| {
        let star = if term.is_prefix() { " *" } else { "" };
        format!("\"{}\"{star}", term.words().join(" "))
    });
    terms.collect::<Vec<_>>().join(" AND ")
}

/// PostgreSQL: a `tsquery` for all in one piece; and of what has several pieces one for each of the terms, in lines, where there are
/// several terms.
pub(super) fn tsqueries(query: &Query, owner: i64) -> (String, String) {
    let owner = owner_word(owner);
    let terms: Vec<String> = query.terms().iter().map(tsquery).collect();
    let whole = std::iter::once(&owner).chain(&terms).map(String::as_str).collect::<Vec<_>>().join(" & ");
    if terms.len() < 2 {
        return (whole, String::new());
    }
    let each: Vec<String> = terms.iter().map(|term| format!("{owner} & '{OF_SEVERAL}' & {term}")).collect();
    (whole, each.join("\n"))
}

fn tsquery(term: &Term) -> String {
    let last = term.words().len() - 1;
    let words = term.words().iter().enumerate().map(|(at, word)| {
        let star = if at == last && term.is_prefix() { ":*" } else { "" };
        format!("'{word}'{star}")
    });
    format!("({})", words.collect::<Vec<_>>().join(" <-> "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<'a>(texts: &[&'a str]) -> Vec<Text<'a>> {
        texts.iter().map(|text| Text { text: (*text).into(), tool: None }).collect()
    }

    #[test]
    fn texts_are_kept_apart() {
        assert_eq!(line(&texts(&["", "a b", "...", "c"])), "a b ¶ c ");
        assert_eq!(pieces(&texts(&["", "a b", "c a"]), 1), ["'o:1' 'a':2,6 'b':3 'c':5"]);
    }

    #[test]
    fn a_piece_ends_before_what_the_database_would_not_keep() {
        let many = "the word ".repeat(1000);
        let pieces = pieces(&texts(&[&many]), 7);
        assert!(pieces.len() > 4);
        for piece in &pieces {
            assert!(piece.starts_with("'o:7' '+' "));
            assert!(piece.split(' ').all(|word| word.matches(',').count() < MOST_OF_ONE), "{piece}");
        }
    }

    #[test]
    fn queries_are_written_as_each_engine_takes_them() {
        let query = Query::parse("src/main.rs \"the\" pars*");
        assert_eq!(matching(&query), r#""src main rs" AND "the" AND "pars" *"#);
        let (whole, each) = tsqueries(&query, 3);
        assert_eq!(whole, "'o:3' & ('src' <-> 'main' <-> 'rs') & ('the') & ('pars':*)");
        assert_eq!(each.lines().count(), 3);
        assert_eq!(each.lines().nth(1), Some("'o:3' & '+' & ('the')"));
    }
}
