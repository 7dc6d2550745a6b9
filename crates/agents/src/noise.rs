//! Output that is not the protocol's.

use makima_model::{NoticeLevel, Record};

/// How many such lines of a process are told: a program that goes wild must not fill the journal.
const TOLD: u32 = 20;

/// How much of a line is told.
const SHOWN: usize = 200;

/// Counts the lines of a process that are not its protocol's.
#[derive(Debug, Default)]
pub(crate) struct Noise {
    lines: u32,
}

impl Noise {
    /// What to record of such a line; `None` for blank ones and when enough has been told.
    pub(crate) fn notice(&mut self, line: &[u8]) -> Option<Record> {
        if line.trim_ascii().is_empty() {
            return None;
        }
        self.lines = self.lines.saturating_add(1);
        let text = match self.lines.cmp(&TOLD) {
            std::cmp::Ordering::Less => format!("Output that is not understood: {}", shown(line)),
            std::cmp::Ordering::Equal => "More output is not understood, and no longer told".to_owned(),
            std::cmp::Ordering::Greater => return None,
        };
        Some(Record::Notice { level: NoticeLevel::Warning, text, failure: None })
    }
}

fn shown(line: &[u8]) -> String {
    // Cut before it is decoded: the line may be of any length.
    let beginning = String::from_utf8_lossy(line.get(..SHOWN * 4).unwrap_or(line));
    let readable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut text: String = beginning.trim().chars().take(SHOWN).map(readable).collect();
    if text.len() < line.len() && beginning.chars().count() > SHOWN {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wild_program_is_told_about_and_does_not_fill_the_journal() {
        let mut noise = Noise::default();
        let told: Vec<Record> = (0..1000).filter_map(|_| noise.notice(&[b'x'; 10_000])).collect();
        assert_eq!(told.len(), 20);
        let Record::Notice { text, .. } = &told[0] else { panic!("{told:?}") };
        assert!(text.len() < 300 && text.ends_with("xxx…"), "{text}");
    }

    #[test]
    fn blank_lines_are_no_matter() {
        assert_eq!(Noise::default().notice(b" \r"), None);
    }
}
