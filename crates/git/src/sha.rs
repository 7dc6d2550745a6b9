//! The name of a git object.

use std::fmt;

/// A full object name, SHA-1 or SHA-256, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha(String);

impl Sha {
    /// Reads a full object name; `None` for anything else, abbreviations included.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        (hex && matches!(text.len(), 40 | 64)).then(|| Self(text.into()))
    }

    pub(crate) fn read(command: &str, output: &[u8]) -> Result<Self, crate::GitError> {
        let text = std::str::from_utf8(output).ok().map(str::trim);
        text.and_then(Self::parse).ok_or_else(|| crate::GitError::unreadable(command, output))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<std::ffi::OsStr> for Sha {
    fn as_ref(&self) -> &std::ffi::OsStr {
        self.0.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_lower_case_names_are_read() {
        assert!(Sha::parse(&"a1".repeat(20)).is_some());
        assert!(Sha::parse(&"a1".repeat(32)).is_some());
        for wrong in ["", "a1b2c3d", &"A1".repeat(20), &"g1".repeat(20), &"a1".repeat(21)] {
            assert_eq!(Sha::parse(wrong), None, "{wrong}");
        }
    }
}
