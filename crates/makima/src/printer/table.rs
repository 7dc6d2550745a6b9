//! Rows under each other.

use super::{Line, Screen, Style, one_line, width};

/// Places between two columns.
const GAP: usize = 2;
/// What the column that gives way keeps.
const LEAST: usize = 12;

/// A table. The texts in it may be anybody's: each becomes one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    heads: Vec<&'static str>,
    /// The column that is cut where the terminal is too narrow.
    gives_way: usize,
    rows: Vec<Vec<(Style, String)>>,
}

impl Table {
    /// A table with these columns, of which one gives way where the terminal is too narrow for all.
    pub(crate) fn new(heads: impl IntoIterator<Item = &'static str>, gives_way: &'static str) -> Self {
        let heads: Vec<&str> = heads.into_iter().collect();
        let gives_way = heads.iter().position(|head| *head == gives_way).unwrap_or_default();
        Self { heads, gives_way, rows: Vec::new() }
    }

    /// Adds a row: a cell for each column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = (Style, String)>) {
        self.rows.push(cells.into_iter().map(|(style, text)| (style, one_line(&text))).collect());
    }

    /// What is printed: the heads, and a line for each row.
    pub(super) fn lines(&self, screen: &Screen) -> Vec<Line> {
        let heads: Vec<(Style, String)> =
            self.heads.iter().map(|head| (Style::Faint, head.to_uppercase())).collect();
        let widths = self.widths(&heads, screen);
        let lines = std::iter::once(&heads).chain(&self.rows).map(|row| line(row, &widths));
        // One column may not be enough to give way.
        if screen.terminal { lines.map(Line::cut).collect() } else { lines.collect() }
    }

    fn widths(&self, heads: &[(Style, String)], screen: &Screen) -> Vec<usize> {
        let mut widths = vec![0; self.heads.len()];
        for row in std::iter::once(heads).chain(self.rows.iter().map(Vec::as_slice)) {
            for (widest, (_, text)) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width::of(text));
            }
        }
        let all = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        // What nobody looks at may be as wide as it is: it is searched and cut by other programs.
        if let Some(flexible) = widths.get_mut(self.gives_way).filter(|_| screen.terminal) {
            let too_much = all.saturating_sub(screen.width);
            *flexible = flexible.saturating_sub(too_much).max(LEAST.min(*flexible));
        }
        widths
    }
}

fn line(row: &[(Style, String)], widths: &[usize]) -> Line {
    let last = row.len().saturating_sub(1);
    row.iter().zip(widths).enumerate().fold(Line::default(), |line, (n, ((style, text), places))| {
        let text = width::cut(text, *places);
        let gap = if n == last { 0 } else { places - width::of(&text) + GAP };
        line.then(*style, text).plain(" ".repeat(gap))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(width: usize) -> String {
        let mut table = Table::new(["id", "name", "status"], "name");
        table.row([
            (Style::Strong, "1".to_owned()),
            (Style::Plain, "日本語 and more words\nthan fit".to_owned()),
            (Style::Good, "completed".to_owned()),
        ]);
        table.row([
            (Style::Strong, "22".to_owned()),
            (Style::Plain, "short".to_owned()),
            (Style::Good, "ok".to_owned()),
        ]);
        let lines = table.lines(&Screen::plain(width));
        lines.iter().map(|line| line.render(&Screen::plain(width)) + "\n").collect()
    }

    #[test]
    fn columns_stand_under_each_other() {
        let expected = "\
ID  NAME                            STATUS
1   日本語 and more words than fit  completed
22  short                           ok
";
        assert_eq!(shown(80), expected);
    }

    #[test]
    fn one_column_gives_way_where_the_terminal_is_narrow() {
        let expected = "\
ID  NAME               STATUS
1   日本語 and more …  completed
22  short              ok
";
        assert_eq!(shown(32), expected);
        for narrow in [20, 25, 32] {
            assert!(shown(narrow).lines().all(|line| width::of(line) <= narrow), "{}", shown(narrow));
        }
    }
}
