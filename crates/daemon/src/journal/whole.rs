//! Reads all of a journal, every entry of it as the server would, without writing: to see whether it is whole.

use crate::DaemonError;
use makima_model::{Entry, Record};
use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

/// What a journal is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The last entry that can be read, with all before it; 0: none.
    pub(crate) last: u64,
    /// Whether it is the end of the run.
    pub(crate) has_ended: bool,
    /// What is wrong behind it. What is not complete is on its way, or was when its writer was killed: nobody was shown it.
    pub(crate) wrong: Option<String>,
}

/// Reads the journal; one that isn't there is empty.
pub(crate) fn read_whole(path: &Path, mut see: impl FnMut(&Entry)) -> Result<Found, DaemonError> {
    let failed = |source| DaemonError::read(path, source);
    let mut found = Found::default();
    let mut file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        file => BufReader::with_capacity(1 << 16, file.map_err(failed)?),
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        file.read_until(b'\n', &mut line).map_err(failed)?;
        if line.last() != Some(&b'\n') {
            return Ok(found);
        }
        found.wrong = match serde_json::from_slice::<Entry>(&line) {
            Err(error) => Some(format!("stands a line that is no entry: {error}")),
            Ok(entry) if entry.n != found.last + 1 => Some(format!("stands entry {}", entry.n)),
            Ok(_) if found.has_ended => Some("stands more, though it ends there".to_owned()),
            Ok(entry) => {
                see(&entry);
                found.last = entry.n;
                found.has_ended = matches!(entry.record, Record::Ended(_));
                continue;
            }
        };
        return Ok(found);
    }
}
