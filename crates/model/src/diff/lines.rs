//! The lines of a patch, and the names in it.

/// The lines of a text, one at a time, each without its line feed.
pub(super) struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    /// The next line, which stays the next.
    pub(super) fn peek(&self) -> Option<&'a [u8]> {
        (!self.rest.is_empty()).then(|| self.cut().0)
    }

    fn cut(&self) -> (&'a [u8], &'a [u8]) {
        match self.rest.iter().position(|byte| *byte == b'\n') {
            Some(at) => (&self.rest[..at], &self.rest[at + 1..]),
            None => (self.rest, &[]),
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let (line, rest) = self.cut();
        self.rest = rest;
        Some(line)
    }
}

/// A name as git writes it, alone on the rest of a line: in quotes where it has bytes that need them.
pub(super) fn name(written: &[u8]) -> Vec<u8> {
    match unquoted(written) {
        Some((name, _)) => name,
        // After a name with a space there is a tab.
        None => written.strip_suffix(b"\t").unwrap_or(written).to_vec(),
    }
}

/// The name that both sides of `diff --git a/name b/name` have. Where they differ, other lines tell the names.
pub(super) fn both(written: &[u8]) -> Vec<u8> {
    let side = match unquoted(written) {
        Some((name, _)) => name,
        None => written[..written.len() / 2].to_vec(),
    };
    side.strip_prefix(b"a/").map(<[u8]>::to_vec).unwrap_or(side)
}

/// What stands in quotes at the beginning, and what comes after them.
fn unquoted(written: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = written.strip_prefix(b"\"")?;
    let mut name = Vec::new();
    loop {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'"' => return Some((name, rest)),
            b'\\' => {
                let (&escaped, after) = rest.split_first()?;
                rest = after;
                name.push(match escaped {
                    b'a' => 7,
                    b'b' => 8,
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'v' => 11,
                    b'f' => 12,
                    b'r' => b'\r',
                    b'0'..=b'3' => {
                        let (octal, after) = rest.split_at_checked(2)?;
                        rest = after;
                        octal.iter().try_fold(escaped - b'0', |value, digit| {
                            matches!(digit, b'0'..=b'7').then(|| (value << 3) | (digit - b'0'))
                        })?
                    }
                    other => other,
                });
            }
            other => name.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_git_writes_them() {
        for (written, expected) in [
            (&b"src/lib.rs"[..], &b"src/lib.rs"[..]),
            (b"with space\t", b"with space"),
            (br#""a\tb\n\"\\\303\244""#, "a\tb\n\"\\ä".as_bytes()),
            (br#""\377""#, b"\xff"),
            // Quotes that don't end, and escapes that are none, are a name as it stands.
            (br#""open"#, br#""open"#),
            (br#""\9"#, br#""\9"#),
        ] {
            assert_eq!(name(written), expected, "{}", String::from_utf8_lossy(written));
        }
        assert_eq!(both(b"a/x y b/x y"), b"x y");
        assert_eq!(both(br#""a/\n" "b/\n""#), b"\n");
        assert_eq!(both(b""), b"");
    }

    #[test]
    fn a_last_line_needs_no_end() {
        let lines: Vec<_> = Lines::of(b"a\n\nb").collect();
        assert_eq!(lines, [&b"a"[..], b"", b"b"]);
        assert_eq!(Lines::of(b"").next(), None);
    }
}
