//! Reading JSON that isn't quite.
//!
//! Programs write halves of surrogate pairs (`\ud800`, a cut emoji) and, now and then, bytes that are no UTF-8. Both make a line no JSON to
//! a strict reader; losing the line would lose what the agent said.

use serde::Deserialize;
use std::borrow::Cow;

/// A line as JSON of the wanted shape: as it stands where that can be read, else with what can't be a character replaced.
pub(crate) fn parsed<T: for<'de> Deserialize<'de>>(line: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(line).or_else(|error| {
        // Most lines that can't be read are no JSON at all, or of another shape.
        match mended(line) {
            Cow::Borrowed(_) => Err(error),
            Cow::Owned(line) => serde_json::from_slice(&line),
        }
    })
}

/// A line with U+FFFD for each lone surrogate escape and for bytes that are no UTF-8; borrowed if there are none.
pub(crate) fn mended(line: &[u8]) -> Cow<'_, [u8]> {
    let text = match std::str::from_utf8(line) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(line),
    };
    match (without_lone_surrogates(&text), text) {
        (Some(mended), _) => Cow::Owned(mended.into_bytes()),
        (None, Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
        (None, Cow::Borrowed(_)) => Cow::Borrowed(line),
    }
}

fn without_lone_surrogates(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out: Option<String> = None;
    let (mut at, mut copied) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        if byte != b'\\' {
            at += 1;
            continue;
        }
        let Some(unit) = escaped_unit(bytes, at) else {
            // `\\` and `\"` are two bytes; a `\u` without its digits is no matter of ours.
            at += 2;
            continue;
        };
        let paired = (0xd800..0xdc00).contains(&unit)
            && escaped_unit(bytes, at + 6).is_some_and(|low| (0xdc00..0xe000).contains(&low));
        if (0xd800..0xe000).contains(&unit) && !paired {
            let out = out.get_or_insert_default();
            out.push_str(text.get(copied..at).unwrap_or_default());
            out.push_str("\\ufffd");
            copied = at + 6;
        }
        at += if paired { 12 } else { 6 };
    }
    out.map(|mut out| {
        out.push_str(text.get(copied..).unwrap_or_default());
        out
    })
}

/// The UTF-16 unit of the escape `\uXXXX` that begins at `at`.
fn escaped_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let all_hex = digits.iter().all(u8::is_ascii_hexdigit);
    all_hex
        .then(|| std::str::from_utf8(digits).ok().and_then(|hex| u16::from_str_radix(hex, 16).ok()))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(line: &[u8]) -> String {
        parsed(line).unwrap()
    }

    #[test]
    fn a_lone_surrogate_becomes_a_replacement_character() {
        assert_eq!(text(br#""a\ud800b""#), "a\u{fffd}b");
        assert_eq!(text(br#""\udc00\ud83d\ude00\ud83d""#), "\u{fffd}\u{1f600}\u{fffd}");
        assert_eq!(text(br#""\ud83d\ud83d\ude00""#), "\u{fffd}\u{1f600}");
    }

    #[test]
    fn an_escaped_backslash_before_a_u_is_no_escape() {
        assert_eq!(text(br#""\\ud800""#), r"\ud800");
        assert!(matches!(mended(br#""\\ud800""#), Cow::Borrowed(_)));
    }

    #[test]
    fn bytes_that_are_no_utf8_become_replacement_characters() {
        assert_eq!(text(b"\"a\xffb\\ud800\""), "a\u{fffd}b\u{fffd}");
    }

    proptest! {
        #[test]
        fn mending_never_panics_and_once_is_enough(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let once = mended(&line).into_owned();
            prop_assert!(matches!(mended(&once), Cow::Borrowed(_)));
        }

        #[test]
        fn any_units_written_as_escapes_can_be_read(units in proptest::collection::vec(any::<u16>(), 0..50)) {
            let line: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            prop_assert_eq!(text(format!("\"{line}\"").as_bytes()), String::from_utf16_lossy(&units));
        }
    }
}
