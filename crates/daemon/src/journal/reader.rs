//! Reads a journal from any entry on, never past what is durable, and never all of it at once.

use super::{Durable, FILE, Head};
use crate::DaemonError;
use makima_model::BlobRef;
use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

/// One entry as it stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its number.
    pub(crate) n: u64,
    /// The entry's JSON.
    pub(crate) text: String,
    /// Of a checkpoint: its patch, which has to be in the server's store before the entry is told.
    pub(crate) patch: Option<BlobRef>,
    /// Whether nothing follows it.
    pub(crate) is_last: bool,
}

/// A place in a journal.
#[derive(Debug)]
pub(crate) struct JournalReader {
    path: PathBuf,
    file: BufReader<File>,
    offset: u64,
    next: u64,
}

impl JournalReader {
    /// Begins after entry `n`.
    pub(crate) fn after(folder: &Path, n: u64, durable: Durable) -> Result<Self, DaemonError> {
        let path = folder.join(FILE);
        let file = File::open(&path).map_err(|source| DaemonError::read(&path, source))?;
        let file = BufReader::with_capacity(1 << 16, file);
        let mut reader = Self { path, file, offset: 0, next: 1 };
        reader.skip(n.min(durable.n), durable.end)?;
        Ok(reader)
    }

    /// The next entry, if it is durable.
    pub(crate) fn read(&mut self, durable: Durable) -> Result<Option<Line>, DaemonError> {
        if self.next > durable.n || self.offset >= durable.end {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let read = self.file.read_until(b'\n', &mut bytes).map_err(|source| self.failed(source))?;
        if bytes.pop() != Some(b'\n') {
            // Shorter than its writer said: only a damaged disk does that.
            let source = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
            return Err(self.failed(source));
        }
        let head: Head<'_> = serde_json::from_slice(&bytes)
            .map_err(|source| DaemonError::Form { path: self.path.clone(), source })?;
        let (n, patch, is_last) = (head.n, head.record.patch, head.record.kind == "ended");
        let text = String::from_utf8(bytes).map_err(|_| {
            DaemonError::read(&self.path, std::io::Error::from(std::io::ErrorKind::InvalidData))
        })?;
        self.offset += read as u64;
        self.next = n + 1;
        Ok(Some(Line { n, text, patch, is_last }))
    }

    /// Passes over `count` entries, by their newlines alone.
    fn skip(&mut self, count: u64, end: u64) -> Result<(), DaemonError> {
        let mut left = count;
        while left > 0 && self.offset < end {
            let buffer = self.file.fill_buf().map_err(|source| DaemonError::read(&self.path, source))?;
            if buffer.is_empty() {
                break;
            }
            let mut used = buffer.len();
            for at in memchr::memchr_iter(b'\n', buffer) {
                left -= 1;
                if left == 0 {
                    used = at + 1;
                    break;
                }
            }
            self.file.consume(used);
            self.offset += used as u64;
        }
        self.next += count - left;
        Ok(())
    }

    fn failed(&self, source: std::io::Error) -> DaemonError {
        DaemonError::read(&self.path, source)
    }
}
