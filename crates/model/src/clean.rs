//! Text from anywhere, made harmless for whoever shows it.

/// Text without anything that a terminal would obey, and that turns around what is read: colours are taken out, other control characters
/// are made visible. Line ends and tabs stay.
pub fn clean(text: &str) -> String {
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
}
