//! Reads a worktree as it is into a tree, through an index of our own, without anybody noticing.
//!
//! The result is that of `git add -A && git write-tree` on the worktree's own index, but for: nested repositories and
//! (where a limit is set) large untracked files, which are left out and named; and ignored files that the caller wants
//! in. `git add -A` itself is not used: it fails at a nested repository without a commit, stores a large file
//! before it could be left out, and runs `git status` inside of submodules.

mod attempt;
mod index;
mod kept;
mod steady;

use std::io;
use std::path::{Path, PathBuf};

use crate::invocation::Invocation;
use crate::{Git, GitError, Sha, Worktree, loose_ref};

pub(crate) use self::index::copy_with_time;

/// What a checkpoint holds, beside everything that git would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanRules {
    /// Untracked files above this size are left out; `None`: none are.
    pub max_untracked_bytes: Option<u64>,
    /// Pathspecs, relative to the worktree's root, of files that git ignores and that are held all the same.
    pub include: Vec<String>,
}

/// Something in the worktree that the tree does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotHeld {
    /// The file or folder, relative to the worktree's root.
    pub path: Vec<u8>,
    /// Why.
    pub reason: NotHeldReason,
}

/// Why something is not held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotHeldReason {
    /// A repository inside of the repository (a submodule that has been filled, too), or in the place of its `.git`.
    NestedRepository,
    /// An untracked file above the limit.
    TooLarge,
    /// An untracked file, or a folder, that may not be read.
    Unreadable,
    /// A name that git keeps in no tree, such as `git~1`.
    InvalidName,
}

/// Why a worktree could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// Something wrote beside us, three times.
    #[error("the worktree {path} kept changing while it was read")]
    WorktreeChanging {
        /// The worktree.
        path: PathBuf,
        /// What git said the last time; `None` where HEAD moved.
        source: Option<GitError>,
    },
    /// git could not read it.
    #[error("the worktree {path} could not be read")]
    Git {
        /// The worktree.
        path: PathBuf,
        /// What went wrong.
        source: GitError,
    },
    /// Our own index could not be read or written.
    #[error("the index of {path} could not be copied")]
    Index {
        /// The worktree.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// How often a worktree is read before it counts as changing.
pub(crate) const TRIES: usize = 3;

/// What is read, and where our own index of it is.
pub(crate) struct Site {
    pub(crate) git: Git,
    /// Whose settings hold and whose objects are written.
    pub(crate) git_dir: PathBuf,
    pub(crate) folder: PathBuf,
    /// The worktree's own index: only ever read.
    pub(crate) own_index: PathBuf,
    /// A folder for our index.
    pub(crate) private: PathBuf,
    /// Whether files may be left out of the worktree on purpose; `None`: as the settings say.
    pub(crate) is_sparse: Option<bool>,
    /// Settings for this folder alone, above those of `git_dir`.
    pub(crate) settings: Vec<String>,
}

/// A worktree as it was.
pub(crate) struct Scanned {
    pub(crate) tree: Sha,
    pub(crate) head: Head,
    pub(crate) not_held: Vec<NotHeld>,
}

/// What HEAD was while the worktree was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) commit: Option<Sha>,
    pub(crate) tree: Option<Sha>,
}

impl Worktree {
    pub(crate) fn site(&self) -> Site {
        Site {
            git: self.git().clone(),
            git_dir: self.git_dir().into(),
            folder: self.folder().into(),
            own_index: self.git_dir().join("index"),
            private: self.git_dir().join("makima"),
            is_sparse: None,
            settings: Vec::new(),
        }
    }
}

impl Worktree {
    /// Does ahead of time what would make the first checkpoint of a large new worktree slow: files that are as old as the
    /// index (to the second) are read again once. Worth calling some seconds after `add_worktree`, while the agent
    /// starts. Must not overlap with a checkpoint.
    pub async fn warm(&self) -> Result<(), ScanError> {
        self.site().warm_index().await.map_err(|error| self.site().failed(error))
    }
}

impl Site {
    fn failed(&self, error: index::PrepareError) -> ScanError {
        let path = self.folder.clone();
        match error {
            index::PrepareError::File(source) => ScanError::Index { path, source },
            index::PrepareError::Git(source) => ScanError::Git { path, source },
        }
    }

    fn run(&self, command: &str) -> Invocation {
        let run = self.git.run(command).git_dir(&self.git_dir).work_tree(&self.folder);
        self.settings.iter().fold(run, |run, setting| run.setting(setting))
    }

    /// With our own index.
    pub(crate) fn ours(&self, command: &str) -> Invocation {
        self.run(command).index(&self.index_file())
    }

    pub(crate) fn index_file(&self) -> PathBuf {
        self.private.join("index")
    }

    /// The tree of the worktree, and what HEAD was all the while. `head` is what the caller has just read it to be.
    pub(crate) async fn scan(&self, rules: &ScanRules, mut head: Option<Head>) -> Result<Scanned, ScanError> {
        let path = || self.folder.clone();
        let mut last = None;
        for _ in 0..TRIES {
            match self.try_scan(rules, head.take()).await {
                Ok(Some(scanned)) => return Ok(scanned),
                Ok(None) => last = None,
                Err(ScanError::Git { source, .. }) if !source.is_lasting() => {
                    self.discard_index().map_err(|source| ScanError::Index { path: path(), source })?;
                    last = Some(source);
                }
                Err(other) => return Err(other),
            }
        }
        Err(ScanError::WorktreeChanging { path: path(), source: last })
    }

    /// `None`: HEAD moved meanwhile.
    async fn try_scan(&self, rules: &ScanRules, head: Option<Head>) -> Result<Option<Scanned>, ScanError> {
        let failed = |source| ScanError::Git { path: self.folder.clone(), source };
        let before = match head {
            Some(head) => head,
            None => self.head().await.map_err(failed)?,
        };
        let (not_held, prepared) = self.read_into_index(rules).await?;
        let (tree, after) = tokio::try_join!(self.write_tree(), self.head_again(&before)).map_err(failed)?;
        let remembered = self.remember(&prepared.kept, &prepared.own);
        remembered.map_err(|source| ScanError::Index { path: self.folder.clone(), source })?;
        Ok((before == after).then_some(Scanned { tree, head: before, not_held }))
    }

    async fn write_tree(&self) -> Result<Sha, GitError> {
        Sha::read("write-tree", &self.ours("write-tree").ok().await?)
    }

    /// HEAD once more. Where a file says that it is the same there is no need to ask git.
    async fn head_again(&self, before: &Head) -> Result<Head, GitError> {
        let now = loose_ref::head(&self.git_dir);
        if now.is_some() && now == before.commit { Ok(before.clone()) } else { self.head().await }
    }

    async fn head(&self) -> Result<Head, GitError> {
        let found = self.git.objects(self.run("cat-file"), &["HEAD^{commit}", "HEAD^{tree}"]).await?;
        let mut found = found.into_iter();
        Ok(Head { commit: found.next().flatten(), tree: found.next().flatten() })
    }

    fn path_of(&self, name: &[u8]) -> PathBuf {
        use std::os::unix::ffi::OsStrExt;
        self.folder.join(Path::new(std::ffi::OsStr::from_bytes(name)))
    }

    /// Whether something is there that a tree can hold by this name.
    fn is_file(&self, name: &[u8]) -> bool {
        let found = self.path_of(name).symlink_metadata();
        found.is_ok_and(|found| found.is_file() || found.is_symlink()) && !self.is_behind_link(name)
    }

    /// Whether something is there that no tree can hold: a pipe, a socket, a device.
    fn is_special(&self, name: &[u8]) -> bool {
        let found = self.path_of(name).symlink_metadata();
        found.is_ok_and(|found| !found.is_file() && !found.is_symlink() && !found.is_dir())
    }

    /// Whether a folder of its path is a link: then what is there is not the worktree's.
    fn is_behind_link(&self, name: &[u8]) -> bool {
        let slashes = name.iter().enumerate().filter(|(_, b)| **b == b'/');
        slashes.map(|(at, _)| self.path_of(&name[..at])).any(|folder| folder.is_symlink())
    }
}
