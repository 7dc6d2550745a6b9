//! The daemon's own bare clone of a repository. Agents work in worktrees of it, so that nothing they do to refs,
//! locks, settings or hooks touches the user's repository.
//!
//! Layout of its refs: `refs/makima/source/heads/*` are the source's branches as they were at the last fetch;
//! `refs/makima/source/HEAD` says where the source stood; `refs/remotes/origin/*` is what `origin` means in the user's
//! repository; `refs/heads/makima/*` are the task branches; `refs/makima/tasks/<task id>/…` keeps checkpoints,
//! and `refs/makima/published/*` says where each task branch was left in the user's repository.
//! Settings that are carried over stand in a file of their own, `makima.config`, which the clone's `config` includes; the
//! name of a branch that the source is on and that has no commit yet stands in `makima.unborn`.

mod base;
mod carried;
mod large_files;
mod leftovers;
mod make;
mod progress;

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::invocation::Invocation;
use crate::{Git, GitError, Sha};

pub use base::{Base, BaseError};
pub use make::CloneError;
pub use progress::Progress;

/// Where the source's branches are kept.
pub(crate) const SOURCE_HEADS: &str = "refs/makima/source/heads/";
/// A symbolic ref to the source's current branch, or to `SOURCE_DETACHED`.
pub(crate) const SOURCE_HEAD: &str = "refs/makima/source/HEAD";
/// Where the source's HEAD is kept when it is on no branch.
pub(crate) const SOURCE_DETACHED: &str = "refs/makima/source/detached";

/// A bare clone that belongs to the daemon.
#[derive(Debug, Clone)]
pub struct BareClone {
    git: Git,
    dir: PathBuf,
}

impl BareClone {
    /// The clone in a folder, which `Git::ensure_clone` has made before.
    pub fn open(git: &Git, dir: &Path) -> Self {
        Self { git: git.clone(), dir: dir.into() }
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn git(&self) -> &Git {
        &self.git
    }

    pub(crate) fn run(&self, command: &str) -> Invocation {
        self.git.run(command).git_dir(&self.dir).in_folder(&self.dir)
    }

    /// The commit that a full ref name means, if there is one.
    pub async fn commit_of(&self, full_name: &str) -> Result<Option<Sha>, GitError> {
        if crate::names::broken_rule(full_name).is_some() {
            return Ok(None);
        }
        let found = self.git.objects(self.run("cat-file"), &[&format!("{full_name}^{{commit}}")]).await?;
        Ok(found.into_iter().next().flatten())
    }

    /// Removes the locks of refs of ours that a git left which was killed: with one, its ref could never be written again.
    /// To be called while no git of ours works here.
    pub fn clear_locks(&self) -> io::Result<()> {
        let mut folders = vec![self.dir.join("refs/makima")];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else if entry.path().extension().is_some_and(|ending| ending == "lock") {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }
}
