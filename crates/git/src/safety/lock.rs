//! The lock of a worktree's index, which keeps every other git from staging, committing or switching meanwhile.
//!
//! What is put into it is the index that will be there in the end: to put it in its place is one rename, the last thing
//! that is done. The lock is a second name of a file of ours, by which one that we left when we were killed is known.

use std::fs::{self, File, FileTimes};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::git_folder::IndexFile;

/// The index that will be there, in our own folder.
pub(super) const NEXT: &str = "next-index";

pub(super) struct IndexLock {
    index: PathBuf,
    lock: PathBuf,
    ours: PathBuf,
    removes: bool,
    is_done: bool,
}

impl IndexLock {
    /// Takes the lock, with what the index will be; `None`: none will be there. Fails with `AlreadyExists` where
    /// another has it.
    pub(super) fn take(git_dir: &Path, private: &Path, index: Option<&IndexFile>) -> io::Result<Self> {
        let (lock, ours) = (git_dir.join("index.lock"), private.join(NEXT));
        if same_file(&lock, &ours) {
            fs::remove_file(&lock)?;
        }
        // Never written into: after a kill at the right moment it is the worktree's index itself.
        match fs::remove_file(&ours) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::create_new(&ours)?;
        if let Some(index) = index {
            file.write_all(&index.bytes)?;
            file.set_times(FileTimes::new().set_modified(index.modified))?;
        }
        file.sync_all()?;
        fs::hard_link(&ours, &lock)?;
        Ok(Self { index: git_dir.join("index"), lock, ours, removes: index.is_none(), is_done: false })
    }

    /// Puts the index in its place and lets the lock go.
    pub(super) fn install(mut self) -> io::Result<()> {
        if self.removes {
            match fs::remove_file(&self.index) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => fs::remove_file(&self.lock)?,
            }
        } else {
            fs::rename(&self.lock, &self.index)?;
        }
        self.is_done = true;
        fs::remove_file(&self.ours)
    }
}

impl Drop for IndexLock {
    fn drop(&mut self) {
        if !self.is_done && same_file(&self.lock, &self.ours) {
            let _ = fs::remove_file(&self.lock);
        }
    }
}

fn same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| path.symlink_metadata().map(|found| (found.dev(), found.ino()));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> IndexFile {
        IndexFile { bytes: b"new".to_vec(), modified: std::time::UNIX_EPOCH + std::time::Duration::new(7, 9) }
    }

    #[test]
    fn the_index_is_replaced_whole_and_with_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let (dir, path) = (dir.path(), dir.path().join("index"));
        fs::write(&path, "old").unwrap();
        let lock = IndexLock::take(dir, dir, Some(&index())).unwrap();
        drop(lock);
        assert_eq!((fs::read(&path).unwrap(), dir.join("index.lock").exists()), (b"old".to_vec(), false));
        IndexLock::take(dir, dir, Some(&index())).unwrap().install().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), index().modified);
        IndexLock::take(dir, dir, None).unwrap().install().unwrap();
        assert!(fs::read_dir(dir).unwrap().next().is_none());
    }

    #[test]
    fn only_a_lock_that_we_left_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        // As a kill leaves it.
        std::mem::forget(IndexLock::take(dir, dir, Some(&index())).unwrap());
        IndexLock::take(dir, dir, Some(&index())).unwrap().install().unwrap();
        // A kill between the rename and the last removal.
        fs::hard_link(dir.join("index"), dir.join("next-index")).unwrap();
        drop(IndexLock::take(dir, dir, None).unwrap());
        assert_eq!(fs::read(dir.join("index")).unwrap(), b"new");
        fs::write(dir.join("index.lock"), "").unwrap();
        let refused = IndexLock::take(dir, dir, None).map(drop).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert!(dir.join("index.lock").exists());
    }
}
