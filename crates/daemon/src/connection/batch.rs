//! Entries of a run, many to a frame, taken from its journal as they stand there.

use crate::{
    DaemonError,
    folders::Folders,
    journal::{Durable, JournalReader, Line},
};
use makima_model::{BlobRef, Entry, Record, RunId};
use std::{collections::BTreeSet, path::Path};

/// How many entries go into one frame at most.
const MOST_ENTRIES: usize = 256;
/// After how many bytes a frame takes no more entries. One entry alone may be larger.
const MOST_BYTES: usize = 1 << 20;

/// Where a run's journal has been read up to.
#[derive(Debug)]
pub(super) struct Reading {
    reader: JournalReader,
    /// An entry that was read and waits for its patch to be uploaded.
    held: Option<Line>,
}

/// Entries that are told together.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) text: String,
    /// The last of them, and where it ends in the journal.
    pub(super) last: u64,
    pub(super) end: u64,
}

/// What one look into a journal gave.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) frame: Option<Frame>,
    /// A blob that has to be uploaded before anything more is sent.
    pub(super) upload: Option<BlobRef>,
}

impl Reading {
    /// Begins after entry `n`; `None` where what follows it was let go of.
    pub(super) fn after(folder: &Path, n: u64, durable: Durable) -> Result<Option<Self>, DaemonError> {
        let reader = JournalReader::after(folder, n, durable)?;
        Ok(reader.map(|reader| Self { reader, held: None }))
    }

    /// Where the next entry begins in the journal.
    pub(super) fn end(&self) -> u64 {
        self.reader.end()
    }

    /// The next entries. `refused`: blobs that the server doesn't take, which entries go without.
    pub(super) fn next(
        &mut self,
        run: RunId,
        durable: Durable,
        folders: &Folders,
        refused: &BTreeSet<String>,
    ) -> Result<Batch, DaemonError> {
        let mut batch = Batch::default();
        let (mut text, mut last, mut end, mut count) = (String::new(), 0, 0, 0);
        while count < MOST_ENTRIES && text.len() < MOST_BYTES {
            let line = match self.held.take() {
                Some(held) => Some(held),
                None => self.reader.read(durable)?,
            };
            let Some(mut line) = line else { break };
            if let Some(patch) = line.patch.clone() {
                if refused.contains(&patch.hash) {
                    line.text = without_patch(&line.text).unwrap_or(line.text);
                } else if folders.blob(&patch.hash).exists() {
                    self.held = Some(line);
                    batch.upload = Some(patch);
                    break;
                }
            }
            text.push_str(if count == 0 { "" } else { "," });
            text.push_str(&line.text);
            (last, end, count) = (line.n, line.end, count + 1);
        }
        if count > 0 {
            let text = format!(r#"{{"frame":"entries","run":"{run}","entries":[{text}]}}"#);
            batch.frame = Some(Frame { text, last, end });
        }
        Ok(batch)
    }
}

fn without_patch(text: &str) -> Option<String> {
    let mut entry: Entry = serde_json::from_str(text).ok()?;
    if let Record::Checkpoint(made) = &mut entry.record {
        made.patch = None;
    }
    serde_json::to_string(&entry).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{disk, journal::Journal};
    use makima_model::{CheckpointKind, CheckpointMade, Clock, NoticeLevel};
    use makima_wire::frame::FromDaemon;

    fn notice(text: &str) -> Record {
        Record::Notice { level: NoticeLevel::Info, text: text.into(), failure: None }
    }

    struct Lab {
        _data: tempfile::TempDir,
        folders: Folders,
        folder: std::path::PathBuf,
        run: RunId,
        journal: Journal,
    }

    fn lab() -> Lab {
        let data = tempfile::tempdir().unwrap();
        let folders = Folders::open(data.path()).unwrap();
        let run = Clock::system().new_id();
        let folder = folders.run(run);
        disk::make_folder(&folder).unwrap();
        let (journal, _) = Journal::open(&folder, Clock::system()).unwrap();
        Lab { _data: data, folders, folder, run, journal }
    }

    fn numbers(batch: &Batch, run: RunId) -> Vec<u64> {
        let Frame { text, last, .. } = batch.frame.as_ref().unwrap();
        match serde_json::from_str(text).unwrap() {
            FromDaemon::Entries { run: of, entries } if of == run => {
                assert_eq!(entries.last().unwrap().n, *last);
                entries.iter().map(|entry| entry.n).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_frame_is_bounded_in_entries_and_bytes() {
        let mut lab = lab();
        let many: Vec<Record> = (0..300).map(|at| notice(&at.to_string())).collect();
        lab.journal.append(&many).unwrap();
        let large: Vec<Record> = (0..3).map(|_| notice(&"x".repeat(MOST_BYTES))).collect();
        let durable = lab.journal.append(&large).unwrap();
        let mut reading = Reading::after(&lab.folder, 10, durable).unwrap().unwrap();
        let mut next = || reading.next(lab.run, durable, &lab.folders, &BTreeSet::new()).unwrap();
        assert_eq!(numbers(&next(), lab.run), (11..=266).collect::<Vec<_>>());
        assert_eq!(numbers(&next(), lab.run), (267..=301).collect::<Vec<_>>());
        assert_eq!(numbers(&next(), lab.run), [302]);
        assert_eq!(numbers(&next(), lab.run), [303]);
        assert!(next().frame.is_none());
    }

    #[test]
    fn an_entry_waits_for_its_patch_and_goes_without_it_where_the_server_refuses_it() {
        let mut lab = lab();
        let patch = BlobRef { hash: "ab".repeat(32), bytes: 1 };
        let made = CheckpointMade {
            id: Clock::system().new_id(),
            number: 1,
            kind: CheckpointKind::Turn,
            turn: Some(1),
            at: Clock::system().now(),
            commit_sha: "c".repeat(40),
            branch_name: "makima/x".into(),
            message: "x".into(),
            previous: None,
            files_changed: Vec::new(),
            lines_added: 0,
            lines_removed: 0,
            not_held: Vec::new(),
            patch: Some(patch.clone()),
        };
        let records = [notice("before"), Record::Checkpoint(made), notice("after")];
        let durable = lab.journal.append(&records).unwrap();
        std::fs::write(lab.folders.blob(&patch.hash), "x").unwrap();
        let mut reading = Reading::after(&lab.folder, 0, durable).unwrap().unwrap();
        let mut next =
            |refused: &BTreeSet<String>| reading.next(lab.run, durable, &lab.folders, refused).unwrap();
        let none = BTreeSet::new();
        let first = next(&none);
        assert_eq!((numbers(&first, lab.run), first.upload), (vec![1], Some(patch.clone())));
        assert!(next(&none).frame.is_none());
        let rest = next(&BTreeSet::from([patch.hash.clone()]));
        assert_eq!(numbers(&rest, lab.run), [2, 3]);
        assert!(!rest.frame.unwrap().text.contains(&patch.hash));
    }
}
