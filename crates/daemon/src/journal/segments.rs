//! The files that a journal is made of: one after the other, so that what the server has can be let go of.
//!
//! The first begins with entry 1. Each later one is named by the entry that it begins with, and its first line says where the
//! run stood before it: whoever reads a journal needs nothing of what was let go of.

use super::Standing;
use crate::{DaemonError, disk};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// After how many bytes a segment takes no more entries. One entry alone may be larger.
pub(crate) const SEGMENT: u64 = 1 << 20;

/// One of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// The entry that it begins with.
    pub(super) first: u64,
    /// Where that entry begins in the whole journal.
    pub(super) start: u64,
    /// Where it begins in the file.
    pub(super) header: u64,
}

/// The first line of a segment that isn't the first.
#[derive(Serialize, Deserialize)]
struct Header {
    before: Standing,
}

impl Segment {
    /// The one that every journal begins with.
    pub(super) const FIRST: Self = Self { first: 1, start: 0, header: 0 };

    /// Where a place of the whole journal is in this file.
    pub(super) fn offset(&self, end: u64) -> u64 {
        end - self.start + self.header
    }

    /// Makes a new one durable, which goes on from where a run stands.
    pub(super) fn begin(folder: &Path, before: Standing) -> Result<(Self, File), DaemonError> {
        let first = before.durable.n + 1;
        let path = path(folder, first);
        let mut line = serde_json::to_vec(&Header { before })
            .map_err(|source| DaemonError::Form { path: path.clone(), source })?;
        line.push(b'\n');
        let written = || -> io::Result<File> {
            let mut file = open_for_writing(&path, true)?;
            file.write_all(&line)?;
            file.sync_all()?;
            Ok(file)
        };
        let file = written().map_err(|source| DaemonError::write(&path, source))?;
        disk::sync_folder(folder)?;
        Ok((Self { first, start: before.durable.end, header: line.len() as u64 }, file))
    }

    /// Reads the beginning of the one that begins with entry `first`, and where the run stood before it; `None` where a crash
    /// left it half made.
    pub(super) fn read(
        first: u64,
        path: &Path,
        file: &mut impl BufRead,
    ) -> Result<Option<(Self, Standing)>, DaemonError> {
        if first == Self::FIRST.first {
            return Ok(Some((Self::FIRST, Standing::default())));
        }
        let mut line = Vec::new();
        file.read_until(b'\n', &mut line).map_err(|source| DaemonError::read(path, source))?;
        let header = serde_json::from_slice::<Header>(&line).ok();
        let header =
            header.filter(|Header { before }| line.ends_with(b"\n") && before.durable.n + 1 == first);
        Ok(header.map(|Header { before }| {
            (Self { first, start: before.durable.end, header: line.len() as u64 }, before)
        }))
    }
}

/// Opens a segment's file, making it where it isn't there.
pub(super) fn open_for_writing(path: &Path, anew: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(anew).mode(0o600).open(path)
}

/// The file of the segment that begins with this entry.
pub(super) fn path(folder: &Path, first: u64) -> PathBuf {
    match first {
        1 => folder.join("journal.jsonl"),
        _ => folder.join(format!("journal-{first}.jsonl")),
    }
}

/// The entries that the segments in a run's folder begin with, ascending.
pub(super) fn list(folder: &Path) -> Result<Vec<u64>, DaemonError> {
    let failed = |source| DaemonError::read(folder, source);
    let mut firsts = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        if name == "journal.jsonl" {
            firsts.push(1);
        }
        let number = name.strip_prefix("journal-").and_then(|rest| rest.strip_suffix(".jsonl"));
        firsts.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// Removes the segments of which the server has all, those before entry `n`. The one that `n` is in stays.
pub(crate) fn release(folder: &Path, n: u64) -> Result<(), DaemonError> {
    let firsts = list(folder)?;
    for (first, _) in firsts.iter().zip(firsts.iter().skip(1)).filter(|(_, next)| **next <= n) {
        disk::remove(&path(folder, *first))?;
    }
    Ok(())
}
