//! A run's journal: everything that happened in it, one JSON line an entry, numbered from 1 without holes.
//!
//! An entry is shown to nobody before it is durable: [`Journal::append`] writes and syncs, and what it answers says how far
//! others may read. One process writes at a time, which a lock file sees to: the daemon before the run's host starts, the
//! host while it lives, and the daemon again afterwards. Whoever opens it cuts off what a crash left half written.
//!
//! It lies in [segments], and only what the server does not have yet has to stay: the daemon [lets go](release) of the
//! segments before that, whoever writes meanwhile.

mod reader;
mod segments;
mod whole;

pub(crate) use reader::{JournalReader, Line};
pub(crate) use segments::{SEGMENT, release};
pub(crate) use whole::{Whole, read_whole};

use crate::{DaemonError, disk};
use makima_model::{BlobRef, Clock, Record, Timestamp};
use segments::Segment;
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufRead, BufReader},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

const LOCK: &str = "journal.lock";

/// How far a journal is durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Durable {
    /// The newest entry; 0: none.
    pub(crate) n: u64,
    /// Where it ends, all entries of the journal counted.
    pub(crate) end: u64,
}

/// What a journal says about its run, gathered while it is opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) durable: Durable,
    /// Whether the worktree was made.
    pub(crate) is_prepared: bool,
    /// The last turn that ended; 0: none.
    pub(crate) last_turn: u32,
    /// The last turn that has its checkpoint, or was found to need none; 0: none.
    pub(crate) last_kept: u32,
    /// Whether the run ended.
    pub(crate) has_ended: bool,
}

impl Standing {
    fn note(&mut self, kind: &str, turn: Option<u32>) {
        match (kind, turn) {
            ("prepared", _) => self.is_prepared = true,
            ("turn_ended", Some(turn)) => self.last_turn = turn,
            ("checkpoint" | "unchanged" | "checkpoint_failed", Some(turn)) => self.last_kept = turn,
            ("ended", _) => self.has_ended = true,
            _ => {}
        }
    }

    /// The same, of a record that is being written.
    fn note_record(&mut self, record: &Record) {
        match record {
            Record::Prepared { .. } => self.is_prepared = true,
            Record::TurnEnded(end) => self.last_turn = end.turn,
            Record::Checkpoint(made) => self.last_kept = made.turn.unwrap_or(self.last_kept),
            Record::Unchanged { turn } | Record::CheckpointFailed { turn, .. } => self.last_kept = *turn,
            Record::Ended(_) => self.has_ended = true,
            _ => {}
        }
    }
}

/// As much of an entry as is needed to know where a run stands.
#[derive(Deserialize)]
pub(crate) struct Head<'a> {
    pub(crate) n: u64,
    #[serde(borrow)]
    pub(crate) record: RecordHead<'a>,
}

#[derive(Deserialize)]
pub(crate) struct RecordHead<'a> {
    #[serde(rename = "type", borrow)]
    pub(crate) kind: Cow<'a, str>,
    #[serde(default)]
    turn: Option<u32>,
    #[serde(default)]
    pub(crate) patch: Option<BlobRef>,
}

/// A [`makima_model::Entry`] that is being written.
#[derive(Serialize)]
struct Written<'a> {
    n: u64,
    at: Timestamp,
    record: &'a Record,
}

/// The one writer of a run's journal.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    path: PathBuf,
    file: File,
    segment: Segment,
    clock: Clock,
    standing: Standing,
    /// Whether bytes that nobody may see lie behind the end.
    is_torn: bool,
    _lock: disk::Lock,
}

impl Journal {
    /// Opens the journal in a run's folder for writing, and tells where the run stands. What a crash left of an entry is
    /// cut off.
    pub(crate) fn open(folder: &Path, clock: Clock) -> Result<(Self, Standing), DaemonError> {
        let lock = disk::lock(&folder.join(LOCK))?
            .ok_or_else(|| DaemonError::JournalHeld { path: folder.into() })?;
        let Found { standing, segment, .. } = scan(folder)?;
        // What a crash left of a segment that was about to begin.
        for behind in segments::list(folder)?.into_iter().filter(|first| *first > segment.first) {
            disk::remove(&segments::path(folder, behind))?;
        }
        let path = segments::path(folder, segment.first);
        let file =
            segments::open_for_writing(&path, false).map_err(|source| DaemonError::write(&path, source))?;
        let mut journal =
            Self { folder: folder.into(), path, file, segment, clock, standing, is_torn: true, _lock: lock };
        journal.cut()?;
        disk::sync_folder(folder)?;
        Ok((journal, standing))
    }

    /// Where the run in this folder stands, and where the first entry begins that is still there, asked without writing.
    /// What is not complete yet doesn't count.
    pub(crate) fn standing(folder: &Path) -> Result<(Standing, u64), DaemonError> {
        let Found { standing, begins, .. } = scan(folder)?;
        Ok((standing, begins))
    }

    /// How far it is durable.
    pub(crate) fn durable(&self) -> Durable {
        self.standing.durable
    }

    /// Writes records, and syncs them together. If it fails, none was written.
    pub(crate) fn append(&mut self, records: &[Record]) -> Result<Durable, DaemonError> {
        if records.is_empty() {
            return Ok(self.durable());
        }
        if self.is_torn {
            self.cut()?;
        }
        if self.durable().end - self.segment.start >= SEGMENT {
            self.begin_segment()?;
        }
        let at = self.clock.now();
        let (mut bytes, mut standing) = (Vec::new(), self.standing);
        for record in records {
            standing.durable.n += 1;
            let n = standing.durable.n;
            serde_json::to_writer(&mut bytes, &Written { n, at, record })
                .map_err(|source| DaemonError::Form { path: self.path.clone(), source })?;
            standing.note_record(record);
            bytes.push(b'\n');
        }
        let from = self.segment.offset(self.durable().end);
        let written = self.file.write_all_at(&bytes, from).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            self.is_torn = true;
            return Err(DaemonError::write(&self.path, source));
        }
        standing.durable.end += bytes.len() as u64;
        self.standing = standing;
        Ok(self.durable())
    }

    fn begin_segment(&mut self) -> Result<(), DaemonError> {
        let (segment, file) = Segment::begin(&self.folder, self.standing)?;
        self.path = segments::path(&self.folder, segment.first);
        (self.segment, self.file) = (segment, file);
        Ok(())
    }

    fn cut(&mut self) -> Result<(), DaemonError> {
        let end = self.segment.offset(self.durable().end);
        let cut = self.file.set_len(end).and_then(|()| self.file.sync_all());
        cut.map_err(|source| DaemonError::write(&self.path, source))?;
        self.is_torn = false;
        Ok(())
    }
}

/// What is found when a journal is read through.
struct Found {
    standing: Standing,
    /// The segment that the standing was read to in.
    segment: Segment,
    /// Where the first entry begins that is still there.
    begins: u64,
}

/// Reads on while each line is the entry that must come next.
fn scan(folder: &Path) -> Result<Found, DaemonError> {
    loop {
        if let Some(found) = scan_listed(folder, &segments::list(folder)?)? {
            return Ok(found);
        }
    }
}

/// The same; `None` where a segment was let go of meanwhile.
fn scan_listed(folder: &Path, firsts: &[u64]) -> Result<Option<Found>, DaemonError> {
    let mut found: Option<Found> = None;
    for first in firsts {
        if found.as_ref().is_some_and(|found| found.standing.durable.n + 1 != *first) {
            break;
        }
        let path = segments::path(folder, *first);
        let mut file = match File::open(&path) {
            Ok(file) => BufReader::with_capacity(1 << 16, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(DaemonError::read(&path, source)),
        };
        let Some((segment, before)) = Segment::read(*first, &path, &mut file)? else { break };
        let begins = found.map_or(segment.start, |found| found.begins);
        found = Some(Found { standing: scan_segment(&path, &mut file, before)?, segment, begins });
    }
    let none = Found { standing: Standing::default(), segment: Segment::FIRST, begins: 0 };
    match (found, firsts.first()) {
        (Some(found), _) => Ok(Some(found)),
        (None, None) => Ok(Some(none)),
        // What came before it can't be known: only a damaged disk does that.
        (None, Some(first)) => {
            let source = io::Error::from(io::ErrorKind::InvalidData);
            Err(DaemonError::read(segments::path(folder, *first), source))
        }
    }
}

fn scan_segment(path: &Path, file: &mut impl BufRead, before: Standing) -> Result<Standing, DaemonError> {
    let (mut standing, mut line) = (before, Vec::new());
    loop {
        line.clear();
        let read = file.read_until(b'\n', &mut line).map_err(|source| DaemonError::read(path, source))?;
        if line.last() != Some(&b'\n') {
            return Ok(standing);
        }
        match serde_json::from_slice::<Head<'_>>(&line) {
            Ok(head) if head.n == standing.durable.n + 1 => {
                standing.durable = Durable { n: head.n, end: standing.durable.end + read as u64 };
                standing.note(&head.record.kind, head.record.turn);
            }
            _ => return Ok(standing),
        }
    }
}

#[cfg(test)]
mod tests;
