//! Text from anywhere, in the forms that a terminal has room for.

use makima_model::clean;

/// All of a text in one line: what separates its words is one space.
pub(crate) fn one_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first lines of a text, and how many more there are. Blank lines at its ends don't count.
pub(crate) fn fold(text: &str, most: usize) -> (Vec<String>, usize) {
    let text = clean(text);
    let lines: Vec<&str> = text.trim_end().lines().skip_while(|line| line.trim().is_empty()).collect();
    // A fold that hides a single line hides more than it saves.
    let shown = if lines.len() == most.saturating_add(1) { lines.len() } else { lines.len().min(most) };
    (lines[..shown].iter().map(|line| (*line).to_owned()).collect(), lines.len() - shown)
}

/// A JSON document in which those control characters are escaped too that JSON leaves alone and terminals don't.
pub(crate) fn json(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    for c in document.chars() {
        match c {
            '\u{7f}'..='\u{9f}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fold_says_how_much_it_hides() {
        let text: String = (1..=9).map(|n| format!("{n}\n")).collect();
        assert_eq!(fold(&text, 3), (vec!["1".to_owned(), "2".to_owned(), "3".to_owned()], 6));
        assert_eq!(fold(&text, 8).1, 0);
        assert_eq!(fold("\n\n  a\nb\n\n", 5), (vec!["  a".to_owned(), "b".to_owned()], 0));
        assert_eq!(fold("", 5), (vec![], 0));
    }

    #[test]
    fn a_document_stays_the_same_value_without_controls() {
        let value = serde_json::json!({"a": "\u{1b}[31m\u{7f}\u{9b}ü"});
        let text = json(&value.to_string());
        assert!(!text.chars().any(char::is_control), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
