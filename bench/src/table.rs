//! What came of it, as a table.

use crate::rounds::Ratio;
use anyhow::{Context, Result};
use std::{fs, path::Path};

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
        let mut text = "| bar | what | against | ratio | rounds | limit | holds |\n".to_owned();
        text.push_str("|---|---|---|---|---|---|---|\n");
        text.extend(self.0.rows.iter().map(Row::markdown));
        for note in &self.0.notes {
            text.push('\n');
            text.push_str(note.trim_end());
            text.push('\n');
        }
        text
    }

    /// Puts the table in the place that the page has for it.
    pub(crate) fn write_into(&self, page: &Path) -> Result<()> {
        let text = fs::read_to_string(page).with_context(|| format!("could not read {}", page.display()))?;
        let text = with_table(&text, &self.markdown())
            .with_context(|| format!("{} has no place for the table", page.display()))?;
        fs::write(page, text).with_context(|| format!("could not write {}", page.display()))
    }
}

fn with_table(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
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
        let written = with_table(&page, "new\n").unwrap();
        assert_eq!(written, format!("# Title\n{BEGIN}\n\nnew\n\n{END}\nThe end\n"));
        assert_eq!(with_table(&written, "new\n").unwrap(), written);
        assert_eq!(with_table("# Title", "new"), None);
    }
}
