//! A run's journal: everything that happened in it, one JSON line an entry, numbered from 1 without holes.
//!
//! An entry is shown to nobody before it is durable: [`Journal::append`] writes and syncs, and what it answers says how far
//! others may read. One process writes at a time, which a lock file sees to: the daemon before the run's host starts, the
//! host while it lives, and the daemon again afterwards. Whoever opens it cuts off what a crash left half written.

mod reader;
mod whole;

pub(crate) use reader::{JournalReader, Line};
pub(crate) use whole::{Found, read_whole};

use crate::{DaemonError, disk};
use makima_model::{BlobRef, Clock, Record, Timestamp};
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    fs::{File, OpenOptions},
    io::{BufRead, BufReader},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

pub(crate) const FILE: &str = "journal.jsonl";
const LOCK: &str = "journal.lock";

/// How far a journal is durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Durable {
    /// The newest entry; 0: none.
    pub(crate) n: u64,
    /// Where it ends in the file.
    pub(crate) end: u64,
}

/// What a journal says about its run, gathered while it is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    fn note(&mut self, head: &Head<'_>, end: u64) {
        self.durable = Durable { n: head.n, end };
        match (&*head.record.kind, head.record.turn) {
            ("prepared", _) => self.is_prepared = true,
            ("turn_ended", Some(turn)) => self.last_turn = turn,
            ("checkpoint" | "unchanged" | "checkpoint_failed", Some(turn)) => self.last_kept = turn,
            ("ended", _) => self.has_ended = true,
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
    path: PathBuf,
    file: File,
    clock: Clock,
    durable: Durable,
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
        let path = folder.join(FILE);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|source| DaemonError::write(&path, source))?;
        let standing = scan(&path)?;
        let durable = standing.durable;
        let mut journal = Self { path, file, clock, durable, is_torn: true, _lock: lock };
        journal.cut()?;
        disk::sync_folder(folder)?;
        Ok((journal, standing))
    }

    /// Where the run in this folder stands, asked without writing. What is not complete yet doesn't count.
    pub(crate) fn standing(folder: &Path) -> Result<Standing, DaemonError> {
        let path = folder.join(FILE);
        if path.exists() { scan(&path) } else { Ok(Standing::default()) }
    }

    /// How far it is durable.
    pub(crate) fn durable(&self) -> Durable {
        self.durable
    }

    /// Writes records, and syncs them together. If it fails, none was written.
    pub(crate) fn append(&mut self, records: &[Record]) -> Result<Durable, DaemonError> {
        if records.is_empty() {
            return Ok(self.durable);
        }
        if self.is_torn {
            self.cut()?;
        }
        let at = self.clock.now();
        let (mut bytes, mut n) = (Vec::new(), self.durable.n);
        for record in records {
            n += 1;
            serde_json::to_writer(&mut bytes, &Written { n, at, record })
                .map_err(|source| DaemonError::Form { path: self.path.clone(), source })?;
            bytes.push(b'\n');
        }
        let written = self.file.write_all_at(&bytes, self.durable.end).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            self.is_torn = true;
            return Err(DaemonError::write(&self.path, source));
        }
        self.durable = Durable { n, end: self.durable.end + bytes.len() as u64 };
        Ok(self.durable)
    }

    fn cut(&mut self) -> Result<(), DaemonError> {
        let cut = self.file.set_len(self.durable.end).and_then(|()| self.file.sync_all());
        cut.map_err(|source| DaemonError::write(&self.path, source))?;
        self.is_torn = false;
        Ok(())
    }
}

/// Reads on while each line is the entry that must come next.
fn scan(path: &Path) -> Result<Standing, DaemonError> {
    let failed = |source| DaemonError::read(path, source);
    let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(failed)?);
    let (mut standing, mut line) = (Standing::default(), Vec::new());
    loop {
        line.clear();
        let read = file.read_until(b'\n', &mut line).map_err(failed)?;
        if line.last() != Some(&b'\n') {
            return Ok(standing);
        }
        let end = standing.durable.end + read as u64;
        match serde_json::from_slice::<Head<'_>>(&line) {
            Ok(head) if head.n == standing.durable.n + 1 => standing.note(&head, end),
            _ => return Ok(standing),
        }
    }
}

#[cfg(test)]
mod tests;
