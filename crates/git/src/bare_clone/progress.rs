//! How far a clone or fetch has come, read from what git prints for people.

/// One step of a clone or fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What git is doing, in its words: `Receiving objects`.
    pub phase: String,
    /// How much of it is done.
    pub percent: u8,
}

impl Progress {
    /// `remote: Counting objects:  12% (3/25)` → `Counting objects`, 12.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let line = line.strip_prefix("remote: ").unwrap_or(line);
        let (phase, rest) = line.split_once(": ")?;
        let (percent, _) = rest.trim_start().split_once('%')?;
        Some(Self { phase: phase.trim().into(), percent: percent.parse().ok().filter(|p| *p <= 100)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_lines_are_read_and_others_are_not() {
        let read = |line| Progress::read(line).map(|p| (p.phase, p.percent));
        assert_eq!(read("remote: Counting objects:  12% (3/25)"), Some(("Counting objects".into(), 12)));
        assert_eq!(
            read("Receiving objects: 100% (25/25), 2 KiB | 1 MiB/s, done."),
            Some(("Receiving objects".into(), 100))
        );
        for other in ["Cloning into 'x'...", "remote: 50% off: buy now", "", "fatal: no: 300% wrong"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
