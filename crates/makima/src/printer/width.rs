//! How many places of a terminal a text takes.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The places that a text takes.
pub(super) fn of(text: &str) -> usize {
    text.width()
}

/// As much of the beginning of a text as fits.
pub(super) fn beginning(text: &str, places: usize) -> &str {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += c.width().unwrap_or(0);
        if taken > places {
            return &text[..at];
        }
    }
    text
}

/// The text, cut to so many places with a mark where it had to be.
pub(super) fn cut(text: &str, places: usize) -> String {
    if of(text) <= places {
        return text.to_owned();
    }
    format!("{}…", beginning(text, places.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_to_places_and_not_to_characters() {
        assert_eq!(cut("grüße", 5), "grüße");
        assert_eq!(cut("grüße!", 5), "grüß…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 6), "日本語");
        // An accent of its own takes no place.
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 3), "e\u{301}e\u{301}e\u{301}");
        assert_eq!(cut("abc", 0), "…");
    }
}
