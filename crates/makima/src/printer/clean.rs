//! Text from anywhere, made harmless for a terminal.

/// Text without anything that a terminal would obey: colours are taken out, other control characters are made visible.
/// Line ends and tabs stay.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = after_colour(rest) {
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\r' if rest.starts_with('\n') => {}
            '\n' | '\t' => out.push(c),
            _ => out.push(shown(c)),
        }
    }
    out
}

/// What follows a colour (`ESC [ … m`) at the beginning of `text`. Only these are taken out: they hide nothing.
fn after_colour(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let after = parameters.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';' || c == ':');
    after.strip_prefix('m')
}

/// A character as it may be shown: controls as their pictures, what turns the order of text around as unknown.
fn shown(c: char) -> char {
    match c {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '␡',
        '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        _ => c,
    }
}

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
    fn nothing_that_a_terminal_obeys_is_left() {
        let every: String = ('\0'..='\u{2100}').collect();
        for c in clean(&every).chars() {
            assert!(!c.is_control() || c == '\n' || c == '\t', "{c:?}");
        }
        assert_eq!(clean("\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}1m"), "␛]0;title␇␛[2J\u{fffd}1m");
        assert_eq!(clean("rm x\rls  "), "rm x␍ls  ");
        assert_eq!(clean("\u{202e}evil"), "\u{fffd}evil");
    }

    #[test]
    fn colours_go_and_words_stay() {
        assert_eq!(clean("\u{1b}[1;31mred\u{1b}[0m and \u{1b}[38:5:9mmore\u{1b}[m\r\n"), "red and more\n");
        assert_eq!(clean("grüße 🎉\tü"), "grüße 🎉\tü");
        assert_eq!(clean("\u{1b}[31"), "␛[31");
    }

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
