//! What came of it, as a table.

use crate::rounds::Ratio;
use anyhow::{Context, Result};
use std::{collections::BTreeSet, fs, path::Path};

/// What a ratio must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
    /// It is only told.
    None,
}

/// One figure.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) bar: u32,
    pub(crate) what: String,
    pub(crate) baseline: String,
    pub(crate) ratio: Ratio,
    pub(crate) limit: Limit,
}

/// What came of one bar.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) rows: Vec<Row>,
    /// What explains the figures, in Markdown.
    pub(crate) notes: Vec<String>,
}

/// What came of all of them.
#[derive(Debug, Default)]
pub(crate) struct Table(Outcome);

const BEGIN: &str = "<!-- the table: written by `--write` -->";
const END: &str = "<!-- the end of the table -->";

impl Row {
    fn holds(&self) -> Option<bool> {
        match self.limit {
            Limit::AtMost(most) => Some(self.ratio.median <= most),
            Limit::AtLeast(least) => Some(self.ratio.median >= least),
            Limit::None => None,
        }
    }

    fn markdown(&self) -> String {
        let Self { bar, what, baseline, ratio, .. } = self;
        let limit = match self.limit {
            Limit::AtMost(most) => format!("≤ {most:.2}"),
            Limit::AtLeast(least) => format!("≥ {least:.2}"),
            Limit::None => String::new(),
        };
        let holds = match self.holds() {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
        };
        let Ratio { median, lowest, highest } = ratio;
        let spread = if lowest < highest { format!("{lowest:.2}–{highest:.2}") } else { String::new() };
        format!("| {bar} | {what} | {baseline} | {median:.3} | {spread} | {limit} | {holds} |\n")
    }
}

impl Table {
    pub(crate) fn add(&mut self, outcome: Outcome) {
        self.0.rows.extend(outcome.rows);
        self.0.notes.extend(outcome.notes);
    }

    pub(crate) fn misses_any(&self) -> bool {
        self.0.rows.iter().any(|row| row.holds() == Some(false))
    }

    pub(crate) fn markdown(&self) -> String {
        written(self.0.rows.iter().map(Row::markdown), &notes(&self.0.notes))
    }

    /// Puts the table in the place that the page has for it. What the page tells of bars that were not measured stays.
    pub(crate) fn write_into(&self, page: &Path) -> Result<()> {
        let text = fs::read_to_string(page).with_context(|| format!("could not read {}", page.display()))?;
        let text = with_table(&text, |old| self.beside(old))
            .with_context(|| format!("{} has no place for the table", page.display()))?;
        fs::write(page, text).with_context(|| format!("could not write {}", page.display()))
    }

    /// The table with what `old` has of other bars.
    fn beside(&self, old: &str) -> String {
        let measured: BTreeSet<u32> = self.0.rows.iter().map(|row| row.bar).collect();
        let kept = old.lines().filter_map(|line| Some((bar_of(line)?, format!("{line}\n"))));
        let mut rows: Vec<(u32, String)> = kept.filter(|(bar, _)| !measured.contains(bar)).collect();
        rows.extend(self.0.rows.iter().map(|row| (row.bar, row.markdown())));
        rows.sort_by_key(|(bar, _)| *bar);
        let below = if self.0.notes.is_empty() { notes_of(old) } else { notes(&self.0.notes) };
        written(rows.into_iter().map(|(_, row)| row), &below)
    }
}

fn written(rows: impl Iterator<Item = String>, notes: &str) -> String {
    let head = "| bar | what | against | ratio | rounds | limit | holds |\n|---|---|---|---|---|---|---|\n";
    let mut text = head.to_owned();
    text.extend(rows);
    if !notes.trim().is_empty() {
        text.push('\n');
        text.push_str(notes.trim());
        text.push('\n');
    }
    text
}

fn notes(notes: &[String]) -> String {
    notes.iter().map(|note| note.trim()).collect::<Vec<_>>().join("\n\n")
}

/// The bar that a line of the table is of.
fn bar_of(line: &str) -> Option<u32> {
    line.strip_prefix("| ")?.split_once(" |")?.0.parse().ok()
}

/// What stands below the table.
fn notes_of(old: &str) -> String {
    let below = old.lines().skip_while(|line| line.is_empty()).skip_while(|line| line.starts_with('|'));
    below.collect::<Vec<_>>().join("\n")
}

fn with_table(page: &str, table: impl FnOnce(&str) -> String) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (old, after) = rest.split_once(END)?;
    let table = table(old);
    Some(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(median: f64, limit: Limit) -> Row {
        let ratio = Ratio { median, lowest: median, highest: median };
        Row { bar: 1, what: "a".into(), baseline: "b".into(), ratio, limit }
    }

    #[test]
    fn a_limit_that_is_met_exactly_holds() {
        assert_eq!(row(1.0, Limit::AtMost(1.0)).holds(), Some(true));
        assert_eq!(row(1.01, Limit::AtMost(1.0)).holds(), Some(false));
        assert_eq!(row(0.3, Limit::AtLeast(0.3)).holds(), Some(true));
        assert_eq!(row(f64::NAN, Limit::AtLeast(0.3)).holds(), Some(false));
        assert_eq!(row(9.0, Limit::None).holds(), None);
    }

    #[test]
    fn only_what_is_between_the_marks_is_written_anew() {
        let page = format!("# Title\n{BEGIN}\nold\n{END}\nThe end\n");
        let written = with_table(&page, |_| "new\n".to_owned()).unwrap();
        assert_eq!(written, format!("# Title\n{BEGIN}\n\nnew\n\n{END}\nThe end\n"));
        assert_eq!(with_table(&written, |_| "new\n".to_owned()).unwrap(), written);
        assert_eq!(with_table("# Title", |_| String::new()), None);
    }

    #[test]
    fn what_is_told_of_other_bars_stays() {
        let table = |bar, notes: &[&str]| {
            let notes = notes.iter().map(|note| (*note).to_owned()).collect();
            Table(Outcome { rows: vec![Row { bar, ..row(0.5, Limit::None) }], notes })
        };
        let line = |bar| format!("| {bar} | a | b | 0.500 |  |  |  |");
        let first = table(8, &["what explains it\n", "| table | share |"]).beside("\n");
        assert!(first.contains(&line(8)) && first.ends_with("it\n\n| table | share |\n"), "{first}");
        let second = table(6, &[]).beside(&first);
        assert!(second.contains(&format!("{}\n{}\n\nwhat explains it\n", line(6), line(8))), "{second}");
        assert_eq!(table(6, &[]).beside(&second), second);
        let third = table(8, &["something else"]).beside(&second);
        assert!(third.contains(&line(6)) && third.ends_with("\n\nsomething else\n"), "{third}");
        assert_eq!(third.matches(&line(8)).count(), 1);
    }
}
