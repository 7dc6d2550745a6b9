//! The piece of a text that shows why it was found.

use super::{Query, Term, Text, Words, word::escape};
use std::ops::Range;

/// What stands before and behind each match in a snippet: control characters, which no snippet has of its own, so that no text
/// can pretend to be a match.
pub const MARKS: [char; 2] = ['\u{2}', '\u{3}'];

/// How many characters are shown before the first match, and how many in all.
const BEFORE: usize = 40;
const SHOWN: usize = 240;
/// How many matches are weighed against each other.
const WEIGHED: usize = 500;
/// How much more text is looked through once something was found.
const FURTHER: usize = 1 << 16;

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
    let (mut found, mut further) = (Vec::new(), 0);
    for (text, Text { text: content, .. }) in texts.iter().enumerate() {
        // Of each term: how many of its words were met, and where the first of them stands.
        let mut begun: Vec<Vec<(usize, usize)>> = vec![Vec::new(); terms.len()];
        let mut words = Words::of(content);
        while let Some((range, word)) = words.next_word() {
            for (number, term) in terms.iter().enumerate() {
                let open = &mut begun[number];
                open.push((0, range.start));
                open.retain_mut(|(met, _)| {
                    let fits = term.fits(*met, word);
                    *met += 1;
                    fits
                });
                if let Some(at) = open.iter().position(|(met, _)| *met == term.words().len()) {
                    let (_, start) = open.swap_remove(at);
                    found.push(Match { text, range: start..range.end, term: number });
                }
            }
            if !found.is_empty() {
                further += range.len() + 1;
            }
            if found.len() >= WEIGHED || further >= FURTHER {
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
