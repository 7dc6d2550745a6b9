//! Reads all of a journal, every entry of it as the server would, without writing: to see whether it is whole.

use super::segments::{self, Segment};
use crate::DaemonError;
use makima_model::{Entry, Record};
use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

/// What a journal is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Whole {
    /// The last entry that can be read, with all before it that are still there; 0: none.
    pub(crate) last: u64,
    /// Whether it is the end of the run.
    pub(crate) has_ended: bool,
    /// What is wrong behind it. What is not complete is on its way, or was when its writer was killed: nobody was shown it.
    pub(crate) wrong: Option<String>,
}

/// Reads the journal in a run's folder; one that isn't there is empty.
pub(crate) fn read_whole(folder: &Path, mut see: impl FnMut(&Entry)) -> Result<Whole, DaemonError> {
    loop {
        let firsts = if folder.exists() { segments::list(folder)? } else { Vec::new() };
        if let Some(whole) = read_listed(folder, &firsts, &mut see)? {
            return Ok(whole);
        }
    }
}

/// The same; `None` where a segment was let go of meanwhile.
fn read_listed(
    folder: &Path,
    firsts: &[u64],
    see: &mut impl FnMut(&Entry),
) -> Result<Option<Whole>, DaemonError> {
    let mut whole = Whole::default();
    for (at, first) in firsts.iter().enumerate() {
        let path = segments::path(folder, *first);
        let mut file = match File::open(&path) {
            Ok(file) => BufReader::with_capacity(1 << 16, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(DaemonError::read(&path, source)),
        };
        let begun = Segment::read(*first, &path, &mut file)?;
        match begun {
            Some((_, before)) if at == 0 => whole.last = before.durable.n,
            Some(_) if *first == whole.last + 1 => {}
            // Nothing was written to it yet.
            None if at > 0 && at + 1 == firsts.len() => break,
            Some(_) => whole.wrong = Some(format!("a file begins with entry {first}")),
            None => whole.wrong = Some(format!("stands {}, whose beginning can't be read", path.display())),
        }
        if whole.wrong.is_none() {
            read_segment(&path, &mut file, &mut whole, see)?;
        }
        if whole.wrong.is_some() {
            break;
        }
    }
    Ok(Some(whole))
}

fn read_segment(
    path: &Path,
    file: &mut impl BufRead,
    whole: &mut Whole,
    see: &mut impl FnMut(&Entry),
) -> Result<(), DaemonError> {
    let mut line = Vec::new();
    loop {
        line.clear();
        file.read_until(b'\n', &mut line).map_err(|source| DaemonError::read(path, source))?;
        if line.last() != Some(&b'\n') {
            return Ok(());
        }
        whole.wrong = match serde_json::from_slice::<Entry>(&line) {
            Err(error) => Some(format!("stands a line that is no entry: {error}")),
            Ok(entry) if entry.n != whole.last + 1 => Some(format!("stands entry {}", entry.n)),
            Ok(_) if whole.has_ended => Some("stands more, though it ends there".to_owned()),
            Ok(entry) => {
                see(&entry);
                whole.last = entry.n;
                whole.has_ended = matches!(entry.record, Record::Ended(_));
                continue;
            }
        };
        return Ok(());
    }
}
