//! The piece of a text that shows why it was found.

use super::{Query, Term, Text, Words, word::escape};
use memchr::memmem;
use std::ops::Range;

/// What stands before and behind each match in a snippet: control characters, which no snippet has of its own, so that no text
/// can pretend to be a match.
pub const MARKS: [char; 2] = ['\u{2}', '\u{3}'];

/// How many characters are shown before the first match, and how many in all.
const BEFORE: usize = 40;
const SHOWN: usize = 240;
/// How many matches are weighed against each other.
const WEIGHED: usize = 500;
/// How much more text is looked through once something was found: where one thing is looked for, as much as is shown at most.
const FURTHER: usize = 1 << 16;
const FURTHER_OF_ONE: usize = 2 * SHOWN * char::MAX.len_utf8();

/// What is shown of what was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snippet {
    /// One line of its text, cut, with [`MARKS`] around each match.
    pub text: String,
    /// Where that is what a tool was called with: the tool.
    pub tool: Option<String>,
}

/// Where a term is found.
struct Match {
    text: usize,
    range: Range<usize>,
    term: usize,
}

/// The first piece of `texts` that has the most of what is looked for. The beginning, where it has none.
pub fn snippet(texts: &[Text<'_>], query: &Query) -> Snippet {
    let matches = matches(texts, query.terms());
    let best = best(&matches).map(|at| &matches[at..]);
    let (at, from) = match best.and_then(<[Match]>::first) {
        Some(first) => (first.text, first.range.start),
        None => (0, 0),
    };
    let Some(text) = texts.get(at) else { return Snippet::default() };
    let marked: Vec<Range<usize>> =
        matches.iter().filter(|found| found.text == at).map(|found| found.range.clone()).collect();
    Snippet { text: shown(&text.text, from, marked), tool: text.tool.map(str::to_owned) }
}

/// Where the terms are found, in the order in which the matches end.
fn matches(texts: &[Text<'_>], terms: &[Term]) -> Vec<Match> {
    let starts: Vec<Option<usize>> = texts.iter().map(|text| first_possible(&text.text, terms)).collect();
    // What stands there in another form than it is looked for (a sign that is a letter in lower case) is nowhere by that.
    let starts = if starts.iter().all(Option::is_none) { vec![Some(0); texts.len()] } else { starts };
    matches_from(texts, &starts, terms)
}

/// Where in a text the first of the terms may begin: reading it word by word takes far longer than looking for a few letters.
fn first_possible(text: &str, terms: &[Term]) -> Option<usize> {
    let first_words = || terms.iter().filter_map(|term| term.words().first());
    if !first_words().all(|word| word.is_ascii()) {
        return Some(0);
    }
    let lower = text.to_ascii_lowercase();
    let first = first_words().filter_map(|word| memmem::find(lower.as_bytes(), word.as_bytes())).min()?;
    // No word goes on across a space.
    Some(text[..first].rfind(|c: char| c.is_ascii_whitespace()).unwrap_or(0))
}

/// The same, in each text from its start on; nothing in those without one.
fn matches_from(texts: &[Text<'_>], starts: &[Option<usize>], terms: &[Term]) -> Vec<Match> {
    let (mut found, mut further) = (Vec::new(), 0);
    let furthest = if terms.len() == 1 { FURTHER_OF_ONE } else { FURTHER };
    for (text, (Text { text: content, .. }, start)) in texts.iter().zip(starts).enumerate() {
        let Some(start) = *start else { continue };
        // Of each term: how many of its words were met, and where the first of them stands.
        let mut begun: Vec<Vec<(usize, usize)>> = vec![Vec::new(); terms.len()];
        let mut words = Words::from(content, start);
        while let Some((range, word)) = words.next_word() {
            for (number, term) in terms.iter().enumerate() {
                let open = &mut begun[number];
                open.retain_mut(|(met, _)| {
                    let fits = term.fits(*met, word);
                    *met += 1;
                    fits
                });
                if term.fits(0, word) {
                    open.push((1, range.start));
                }
                if let Some(at) = open.iter().position(|(met, _)| *met == term.words().len()) {
                    let (_, start) = open.swap_remove(at);
                    found.push(Match { text, range: start..range.end, term: number });
                }
            }
            if !found.is_empty() {
                further += range.len() + 1;
            }
            if found.len() >= WEIGHED || further >= furthest {
                return found;
            }
        }
    }
    found
}

/// The first of those from which on the most different terms are shown.
fn best(matches: &[Match]) -> Option<usize> {
    let different = |at: usize| {
        let first = &matches[at];
        let mut terms: Vec<usize> = matches[at..]
            .iter()
            .take_while(|found| {
                found.text == first.text && found.range.end <= first.range.start + SHOWN - BEFORE
            })
            .map(|found| found.term)
            .collect();
        terms.sort_unstable();
        terms.dedup();
        terms.len()
    };
    (0..matches.len()).rev().max_by_key(|at| different(*at))
}

/// One line of `text` from a little before `from` on, with marks around what lies in `marked`.
fn shown(text: &str, from: usize, mut marked: Vec<Range<usize>>) -> String {
    marked.sort_by_key(|range| (range.start, range.end));
    let start = text[..from].char_indices().rev().take(BEFORE).last().map_or(from, |(at, _)| at);
    // Not in the middle of a word, unless it is a long one.
    let start = match text[start..from].find(char::is_whitespace) {
        Some(space) if start > 0 => start + space,
        _ => start,
    };
    let mut out = String::new();
    let (mut shown, mut open_until) = (0, None::<usize>);
    let mut marked = marked.into_iter().filter(|range| range.start >= start).peekable();
    let mut pieces = text[start..].char_indices().map(|(at, c)| (start + at, c)).peekable();
    if start > 0 {
        out.push('…');
    }
    let mut is_spaced = true;
    while let Some((at, c)) = pieces.next() {
        if open_until.is_some_and(|end| at >= end) {
            out.push(MARKS[1]);
            open_until = None;
        }
        while let Some(next) = marked.next_if(|range| range.start <= at) {
            if open_until.is_none() {
                out.push(MARKS[0]);
            }
            open_until = Some(open_until.map_or(next.end, |end| end.max(next.end)));
        }
        // A match is shown to its end, unless it has no end.
        if shown >= SHOWN && (open_until.is_none() || shown >= 2 * SHOWN) {
            if open_until.take().is_some() {
                out.push(MARKS[1]);
            }
            out.push('…');
            return out;
        }
        if let Some(length) = escape(&text[at..]) {
            while pieces.next_if(|(next, _)| *next < at + length).is_some() {}
            continue;
        }
        let c = if c.is_whitespace() || c.is_control() { ' ' } else { c };
        if c != ' ' || !is_spaced {
            out.push(c);
            shown += 1;
        }
        is_spaced = c == ' ';
    }
    if open_until.is_some() {
        out.push(MARKS[1]);
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_skipped_has_no_match(first in "[ abA_.;0m\\x1b\\[\u{301}]{0,40}", second in "[ abAé\n]{0,40}", query in "[abAé_. ]{1,8}") {
            let texts = [first, second].map(|text| Text { text: text.into(), tool: None });
            let query = Query::parse(&query);
            let where_found = |found: Vec<Match>| -> Vec<(usize, Range<usize>, usize)> {
                found.into_iter().map(|found| (found.text, found.range, found.term)).collect()
            };
            let found = where_found(matches(&texts, query.terms()));
            prop_assert_eq!(found, where_found(matches_from(&texts, &[Some(0), Some(0)], query.terms())));
        }
    }

    #[test]
    fn a_letter_that_is_looked_for_in_another_form_is_found() {
        // The sign of the kelvin: a `k` in lower case.
        let texts = [Text { text: "so many \u{212a}".into(), tool: None }];
        assert_eq!(snippet(&texts, &Query::parse("k ")).text, "so many \u{2}\u{212a}\u{3}");
    }
}
