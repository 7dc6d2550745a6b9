//! Reads a journal from any entry on, never past what is durable, and never all of it at once.

use super::{
    Durable, Head, Standing,
    segments::{self, Segment},
};
use crate::DaemonError;
use makima_model::BlobRef;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take},
    path::{Path, PathBuf},
};

/// One entry as it stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its number.
    pub(crate) n: u64,
    /// Where it ends in the whole journal.
    pub(crate) end: u64,
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
    folder: PathBuf,
    path: PathBuf,
    /// What lies behind the durable end may be written anew: it is never taken into the buffer.
    file: BufReader<Take<File>>,
    /// Where the next entry begins in the whole journal.
    end: u64,
    next: u64,
}

impl JournalReader {
    /// Begins after entry `n`; `None` where what follows it was let go of.
    pub(crate) fn after(folder: &Path, n: u64, durable: Durable) -> Result<Option<Self>, DaemonError> {
        let n = n.min(durable.n);
        let firsts = segments::list(folder)?;
        let Some(first) = firsts.into_iter().rfind(|first| *first <= n + 1 && *first <= durable.n.max(1))
        else {
            return Ok(None);
        };
        let (mut reader, _) = Self::open(folder, first)?;
        reader.skip(n + 1 - first, durable)?;
        Ok(Some(reader))
    }

    /// Begins with the first entry that is still there, and tells where the run stood before it; `None` where there is none.
    pub(crate) fn oldest(folder: &Path, durable: Durable) -> Result<Option<(Self, Standing)>, DaemonError> {
        match segments::list(folder)?.first() {
            Some(first) if *first <= durable.n => Self::open(folder, *first).map(Some),
            _ => Ok(None),
        }
    }

    fn open(folder: &Path, first: u64) -> Result<(Self, Standing), DaemonError> {
        let path = segments::path(folder, first);
        let failed = |source| DaemonError::read(&path, source);
        let mut file = File::open(&path).map_err(failed)?;
        // One that entries are read of is whole: its beginning was durable before them.
        let begun = Segment::read(first, &path, &mut BufReader::new(&file))?;
        let (segment, before) = begun.ok_or_else(|| failed(torn()))?;
        file.seek(SeekFrom::Start(segment.header)).map_err(failed)?;
        let file = BufReader::with_capacity(1 << 16, file.take(0));
        Ok((Self { folder: folder.into(), path, file, end: segment.start, next: first }, before))
    }

    /// Where the next entry begins in the whole journal.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The next entry, if it is durable.
    pub(crate) fn read(&mut self, durable: Durable) -> Result<Option<Line>, DaemonError> {
        if self.next > durable.n || self.end >= durable.end {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        self.bound(durable);
        let mut read = self.file.read_until(b'\n', &mut bytes).map_err(|source| self.failed(source))?;
        if read == 0 {
            (*self, _) = Self::open(&self.folder, self.next)?;
            self.bound(durable);
            read = self.file.read_until(b'\n', &mut bytes).map_err(|source| self.failed(source))?;
        }
        if bytes.pop() != Some(b'\n') {
            // Shorter than its writer said: only a damaged disk does that.
            return Err(self.failed(torn()));
        }
        let head: Head<'_> = serde_json::from_slice(&bytes)
            .map_err(|source| DaemonError::Form { path: self.path.clone(), source })?;
        let (n, patch, is_last) = (head.n, head.record.patch, head.record.kind == "ended");
        let text = String::from_utf8(bytes)
            .map_err(|_| DaemonError::read(&self.path, io::Error::from(io::ErrorKind::InvalidData)))?;
        self.end += read as u64;
        self.next = n + 1;
        Ok(Some(Line { n, end: self.end, text, patch, is_last }))
    }

    /// Passes over `count` entries of this segment, by their newlines alone.
    fn skip(&mut self, count: u64, durable: Durable) -> Result<(), DaemonError> {
        let mut left = count;
        self.bound(durable);
        while left > 0 {
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
            self.end += used as u64;
        }
        self.next += count - left;
        Ok(())
    }

    /// Lets no more be read than is durable.
    fn bound(&mut self, durable: Durable) {
        let read = self.end + self.file.buffer().len() as u64;
        self.file.get_mut().set_limit(durable.end.saturating_sub(read));
    }

    fn failed(&self, source: io::Error) -> DaemonError {
        DaemonError::read(&self.path, source)
    }
}

fn torn() -> io::Error {
    io::Error::from(io::ErrorKind::UnexpectedEof)
}
