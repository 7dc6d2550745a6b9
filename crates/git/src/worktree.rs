//! Worktrees of the daemon's clone: one for each task.
//!
//! A worktree is addressed by its folder and by its git folder inside the clone, never by the `.git` file in it, which an
//! agent could point elsewhere. While one is being made it is locked with the reason `initializing`; one that is found so
//! was never handed out, and is made anew. Submodules are not initialised: their folders are there and empty.

mod make;

use std::io;
use std::path::{Path, PathBuf};

use crate::invocation::Invocation;
use crate::{BareClone, Git, GitError, Sha};

/// A worktree of a clone.
#[derive(Debug, Clone)]
pub struct Worktree {
    git: Git,
    folder: PathBuf,
    git_dir: PathBuf,
}

/// What a new worktree is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// A commit.
    Commit(Sha),
    /// A commit, with the files of another one on top that are not committed (`BareClone::include_uncommitted`).
    Uncommitted {
        /// What HEAD is.
        head: Sha,
        /// What the files are.
        files: Sha,
    },
    /// Nothing: a repository that has no commit yet.
    Nothing,
    /// Files that are not committed, in a repository that has no commit yet.
    UncommittedNothing {
        /// What the files are.
        files: Sha,
    },
}

/// Why there is no worktree.
#[derive(Debug, thiserror::Error)]
pub enum WorktreeError {
    /// Something else is in its place.
    #[error("{path} is not empty, and no worktree of {clone}")]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// The clone.
        clone: PathBuf,
    },
    /// The clone has no such worktree.
    #[error("{path} is no worktree of {clone}")]
    NotAWorktree {
        /// The folder.
        path: PathBuf,
        /// The clone.
        clone: PathBuf,
    },
    /// git could not make or remove it.
    #[error("the worktree {path} could not be {act}")]
    Git {
        /// The folder.
        path: PathBuf,
        /// `made` or `removed`.
        act: &'static str,
        /// What went wrong.
        source: GitError,
    },
    /// Its folder could not be read or written.
    #[error("the worktree {path} could not be reached")]
    Reach {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Worktree {
    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn git(&self) -> &Git {
        &self.git
    }

    pub(crate) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    pub(crate) fn run(&self, command: &str) -> Invocation {
        self.git.run(command).git_dir(&self.git_dir).work_tree(&self.folder)
    }

    /// Removes a lock that nobody can hold any more.
    pub(crate) fn clear_lock(&self, lock: &Path) -> Result<(), GitError> {
        match std::fs::remove_file(lock) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(GitError::Run { command: "update-ref".into(), source })
            }
            _ => Ok(()),
        }
    }

    /// The commit HEAD is at; `None` where there is none yet.
    pub async fn head(&self) -> Result<Option<Sha>, GitError> {
        let found = self.git.objects(self.run("cat-file"), &["HEAD^{commit}"]).await?;
        Ok(found.into_iter().next().flatten())
    }

    /// The branch HEAD is on; `None` where it is detached.
    pub async fn branch(&self) -> Result<Option<String>, GitError> {
        // Clones are made with refs in files, so this costs no process; anything else is asked of git.
        let head = std::fs::read_to_string(self.git_dir.join("HEAD")).unwrap_or_default();
        match head.trim().strip_prefix("ref: refs/heads/") {
            Some(branch) if !branch.starts_with('.') => return Ok(Some(branch.into())),
            None if Sha::parse(head.trim()).is_some() => return Ok(None),
            _ => {}
        }
        let said = self.run("symbolic-ref").args(["-q", "HEAD"]).output().await?;
        Ok(String::from_utf8_lossy(&said.stdout).trim().strip_prefix("refs/heads/").map(str::to_owned))
    }
}

impl BareClone {
    /// The worktree in a folder, which `add_worktree` has made before.
    pub fn worktree(&self, folder: &Path) -> Result<Worktree, WorktreeError> {
        let found =
            self.find(folder).map_err(|source| WorktreeError::Reach { path: folder.into(), source })?;
        let (folder, git_dir) =
            found.filter(|(folder, git_dir)| folder.is_dir() && !is_half_made(git_dir)).ok_or_else(|| {
                WorktreeError::NotAWorktree { path: folder.into(), clone: self.dir().into() }
            })?;
        Ok(Worktree { git: self.git().clone(), folder, git_dir })
    }

    /// Removes a worktree with everything in it that is in no commit. Its branch stays.
    pub async fn remove_worktree(&self, folder: &Path) -> Result<(), WorktreeError> {
        let reach = |source| WorktreeError::Reach { path: folder.into(), source };
        let Some((folder, git_dir)) = self.find(folder).map_err(reach)? else { return Ok(()) };
        // By hand: git refuses where submodules or a damaged `.git` file are.
        let gone = |path: &Path| match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        gone(&folder).and_then(|()| gone(&git_dir)).map_err(reach)
    }

    /// The folder as git knows it, and the git folder that belongs to it.
    fn find(&self, folder: &Path) -> io::Result<Option<(PathBuf, PathBuf)>> {
        let folder = resolved(folder)?;
        let entries = match std::fs::read_dir(self.dir().join("worktrees")) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let git_dir = entry?.path();
            let Ok(named) = std::fs::read(git_dir.join("gitdir")) else { continue };
            let named = named.strip_suffix(b"\n").unwrap_or(&named);
            if named.strip_suffix(b"/.git") == Some(folder.as_os_str().as_encoded_bytes()) {
                return Ok(Some((folder, git_dir)));
            }
        }
        Ok(None)
    }
}

const INITIALIZING: &str = "initializing";

fn is_half_made(git_dir: &Path) -> bool {
    std::fs::read_to_string(git_dir.join("locked")).is_ok_and(|reason| reason.trim() == INITIALIZING)
}

/// The path without symbolic links; the folder itself need not be there.
fn resolved(folder: &Path) -> io::Result<PathBuf> {
    match folder.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    match (folder.parent(), folder.file_name()) {
        (Some(parent), Some(name)) => Ok(resolved(parent)?.join(name)),
        _ => Ok(folder.into()),
    }
}
