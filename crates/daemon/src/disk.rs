//! Files of ours that outlive a loss of power: written beside their place, synced, renamed into it.

use crate::DaemonError;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Makes a folder, and those above it, for this user alone.
pub(crate) fn make_folder(path: &Path) -> Result<(), DaemonError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| DaemonError::write(path, source))
}

/// Makes what was created, renamed or removed in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> Result<(), DaemonError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|source| DaemonError::write(path, source))
}

/// Writes a file that only this user may read; after it, the file has either the old bytes or the new ones.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), DaemonError> {
    let beside = beside(path);
    let written = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    if let Err(source) = written() {
        // What there was no room for takes none; where even that fails, the next one writes over it.
        let _ = fs::remove_file(&beside);
        return Err(DaemonError::write(path, source));
    }
    match path.parent() {
        Some(folder) => sync_folder(folder),
        None => Ok(()),
    }
}

/// Where a file is written before it is renamed into its place.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// [Writes](write) a value as JSON.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), DaemonError> {
    let bytes =
        serde_json::to_vec(value).map_err(|source| DaemonError::Form { path: path.into(), source })?;
    write(path, &bytes)
}

/// Reads a value that was written as JSON; `None` where there is no such file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, DaemonError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(DaemonError::read(path, source)),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|source| DaemonError::Form { path: path.into(), source })
}

/// Removes a file; one that isn't there is removed already.
pub(crate) fn remove(path: &Path) -> Result<(), DaemonError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(DaemonError::write(path, source)),
        _ => Ok(()),
    }
}

/// Takes the lock that a file stands for, until the answer is dropped or the process ends; `None` where somebody else has
/// it.
pub(crate) fn lock(path: &Path) -> Result<Option<Lock>, DaemonError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|source| DaemonError::write(path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(DaemonError::write(path, source)),
    }
}

/// A lock that is held.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Drop for Lock {
    /// A child of ours that has not begun its program yet has the file open too: were it only closed here, it would stay
    /// locked as long.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "a lock was not let go of");
        }
    }
}

/// Runs what waits for a disk where it holds up nobody else.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DaemonError> + Send + 'static,
) -> Result<T, DaemonError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(DaemonError::Aborted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trouble::DiskTrouble;
    use makima_testkit::{SmallDisk, with_own_mounts};

    #[test]
    fn what_is_written_is_read_back_and_what_is_not_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/value.json");
        assert_eq!(read_json::<Vec<u32>>(&path).unwrap(), None);
        make_folder(path.parent().unwrap()).unwrap();
        write_json(&path, &[1, 2]).unwrap();
        write_json(&path, &[3]).unwrap();
        assert_eq!(read_json::<Vec<u32>>(&path).unwrap(), Some(vec![3]));
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(read_json::<Vec<u32>>(&path).unwrap(), None);
    }

    /// Fault: the daemon's disk is full
    /// Moment: while a file of its own is written
    /// Outcome: the file has its old bytes, nothing is left beside it, and it is written when there is room
    #[test]
    fn a_file_that_finds_no_room_is_as_it_was() {
        with_own_mounts(async {
            let disk = SmallDisk::mount(1 << 20);
            let path = disk.path().join("value.json");
            write_json(&path, &"old").unwrap();
            disk.fill(64 << 10);
            let new = "n".repeat(200 << 10);
            let error = write_json(&path, &new).unwrap_err();
            assert_eq!(DiskTrouble::of(&error), Some(DiskTrouble::NoRoom));
            assert_eq!(read_json::<String>(&path).unwrap().as_deref(), Some("old"));
            assert!(!beside(&path).exists());
            disk.make_room();
            write_json(&path, &new).unwrap();
            assert_eq!(read_json::<String>(&path).unwrap(), Some(new));
        });
    }

    #[test]
    fn a_lock_has_one_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = lock(&path).unwrap();
        assert!(first.is_some() && lock(&path).unwrap().is_none());
        drop(first);
        assert!(lock(&path).unwrap().is_some());
    }

    #[test]
    fn a_lock_ends_though_a_child_that_is_being_started_has_the_file_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = lock(&path).unwrap().unwrap();
        // What a fork leaves in the child until its program begins.
        let _childs = held.0.try_clone().unwrap();
        drop(held);
        assert!(lock(&path).unwrap().is_some());
    }
}
