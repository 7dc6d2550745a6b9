//! The whole state of a worktree: kept before something changes it, and the exact way back.
//!
//! A safety checkpoint is a checkpoint (files, untracked ones too) and, beside it under `refs/makima/tasks/<task>/state/`,
//! a commit of everything else: the index byte for byte with the stages of conflicts, what the worktree is in the
//! middle of, HEAD and the branch. What is ignored belongs to nobody's state and is never touched; where it lies in
//! the way it is kept first.
//!
//! Going back keeps the present first, so that it can be undone; the steps after that may be cut off anywhere, and done
//! again they end in the same: each brings one thing to what the target says, whatever it is. The index is put in its
//! place last of all, by one rename. A state found half-way, or with somebody's changes, is kept too
//! (`state/<number>.<commit>`) before it is gone on from. Nothing is removed but what one of these holds.

mod branches;
mod git_folder;
mod keep;
mod lock;
mod raw;
mod restore;
mod state;
mod swap;
mod way;

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::names::BadName;
use crate::{CheckpointError, GitError, ScanError, Sha, Worktree};

pub use restore::{RestoreError, Restored};

/// The tree that has nothing in it, by SHA-1 and by SHA-256.
const EMPTY_TREES: [&str; 2] = [
    "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
];

/// A path in the worktree or in its git folder, as bytes.
type Name = Vec<u8>;

/// What may go wrong within.
enum Fault {
    Git(GitError),
    File(io::Error),
    Scan(ScanError),
    BadName(BadName),
    /// Something of another's is where the target has a file.
    InTheWay(Name),
    /// Something else writes: it has to be looked at again.
    Disturbed,
}

impl From<GitError> for Fault {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl From<io::ErrorKind> for Fault {
    fn from(kind: io::ErrorKind) -> Self {
        Self::File(kind.into())
    }
}

impl From<ScanError> for Fault {
    fn from(error: ScanError) -> Self {
        Self::Scan(error)
    }
}

impl From<BadName> for Fault {
    fn from(error: BadName) -> Self {
        Self::BadName(error)
    }
}

impl Fault {
    /// As what a checkpoint fails with.
    fn of_checkpoint(self, worktree: &Worktree, number: u64) -> CheckpointError {
        let path = worktree.folder().to_path_buf();
        match self {
            Self::Git(source) => CheckpointError::Write { path, number, source },
            Self::File(source) => CheckpointError::GitFolder { path, source },
            Self::Scan(error) => error.into(),
            Self::BadName(error) => error.into(),
            // Both are of going somewhere.
            Self::InTheWay(_) | Self::Disturbed => ScanError::WorktreeChanging { path, source: None }.into(),
        }
    }
}

impl Worktree {
    /// Our own folder in its git folder.
    fn private(&self) -> PathBuf {
        self.git_dir().join("makima")
    }

    /// A place for an index of ours: nothing is there, nor a lock that a killed git left.
    fn private_index(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.private().join(name);
        for file in [&path, &path.with_extension("lock")] {
            match std::fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(path)
    }

    /// The tree of an index of ours.
    async fn tree_of(&self, index: &Path) -> Result<Sha, GitError> {
        // What a damaged index names may be missing, and the rest is kept all the same.
        let said = self.run("write-tree").index(index).arg("--missing-ok").ok().await?;
        let tree = Sha::read("write-tree", &said)?;
        if EMPTY_TREES.contains(&tree.as_str()) {
            // git knows it without having it, so `write-tree` doesn't write it; whoever looks for what is missing misses it.
            self.run("mktree").stdin("").ok().await?;
        }
        Ok(tree)
    }
}

fn file_in(folder: &Path, name: &[u8]) -> PathBuf {
    folder.join(OsStr::from_bytes(name))
}

/// Nothing is there; also where a folder on the way is a file, or a link that leads nowhere.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}
