//! What gits leave of objects and packs that they could not write to their end: git itself removes it after weeks, and where
//! there was no room for it, it is what takes the room.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use super::BareClone;

/// A file that is being written has changed since, or is open; between its last byte and its name it is neither, for a moment.
const QUIET: Duration = Duration::from_secs(10);

impl BareClone {
    /// Removes what is left of objects that nobody writes any more. Others may work here meanwhile.
    pub fn clear_leftovers(&self) -> io::Result<()> {
        let before = SystemTime::now() - QUIET;
        let left: Vec<PathBuf> =
            self.half_written()?.into_iter().filter(|file| is_older(file, before)).collect();
        if left.is_empty() {
            return Ok(());
        }
        let open = open_files();
        left.iter().filter(|file| !open.contains(*file)).try_for_each(fs::remove_file)
    }

    fn half_written(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for folder in entries(&self.dir().join("objects"))? {
            for file in entries(&folder)? {
                let name = file.file_name().unwrap_or_default().as_encoded_bytes();
                if name.starts_with(b"tmp_") || name.starts_with(b".tmp-") {
                    found.push(file);
                }
            }
        }
        Ok(found)
    }
}

/// What is in a folder; nothing where it is none.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        entries => entries?.map(|entry| Ok(entry?.path())).collect(),
    }
}

fn is_older(file: &Path, before: SystemTime) -> bool {
    file.symlink_metadata().is_ok_and(|found| found.is_file() && found.modified().is_ok_and(|at| at < before))
}

/// The files that processes have open, as far as they can be looked at: of other users they write no clone of ours.
fn open_files() -> BTreeSet<PathBuf> {
    let processes = entries(Path::new("/proc")).unwrap_or_default();
    let handles = processes.iter().flat_map(|process| entries(&process.join("fd")).unwrap_or_default());
    handles.filter_map(|handle| fs::read_link(handle).ok()).collect()
}
