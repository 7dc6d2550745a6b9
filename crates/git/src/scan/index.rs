//! Our own index of a worktree: a copy of the worktree's, kept from one checkpoint to the next for what it knows about
//! files (their times and sizes), and copied anew when the worktree's own has been written meanwhile.
//!
//! Copied with its time: an entry whose file is as old as the index is looked at again by git, one of an
//! older file is not.

use std::fs::{self, File};
use std::io::{self, Write};

use super::Site;
use super::kept::{ABSENT, Kept, identity};
use crate::GitError;

/// How our index stands before a scan.
pub(super) struct Prepared {
    /// Whether it was copied just now: then it holds nothing that the worktree's own has not.
    pub(super) is_fresh: bool,
    /// What is known of it.
    pub(super) kept: Kept,
    /// The worktree's own index, which it is a copy of.
    pub(super) own: String,
}

impl Site {
    /// Makes our index ready. Everything that fails here is of the file system, but for git's own errors.
    pub(super) async fn prepare_index(&self) -> Result<Prepared, PrepareError> {
        fs::create_dir_all(&self.private)?;
        let own = identity(&self.own_index)?;
        if let Some(kept) = self.kept(&own)? {
            return Ok(Prepared { is_fresh: false, kept, own });
        }
        self.discard_index()?;
        if own != ABSENT {
            copy_with_time(&self.own_index, &self.index_file())?;
            self.copy_shared_parts()?;
        }
        let submodules = self.clear_flags().await?.into_iter().collect();
        Ok(Prepared { is_fresh: true, kept: Kept { submodules, ..Kept::default() }, own })
    }

    /// Makes our index ready ahead of time, with all files looked at.
    pub(super) async fn warm_index(&self) -> Result<(), PrepareError> {
        let prepared = self.prepare_index().await?;
        if !prepared.is_fresh {
            return Ok(());
        }
        if self.index_file().exists() {
            // Exits with 1 where a file differs, which is no failure.
            let args = ["-q", "--refresh", "--force-write-index"];
            self.ours("update-index").args(args).output().await?;
        }
        Ok(self.remember(&prepared.kept, &prepared.own)?)
    }

    /// Throws our index away, with a lock that a killed git left.
    pub(crate) fn discard_index(&self) -> io::Result<()> {
        remove(&self.kept_file())?;
        remove(&self.index_file())?;
        self.release_index()
    }

    /// Removes a lock of our index that a killed git left.
    pub(super) fn release_index(&self) -> io::Result<()> {
        remove(&self.private.join("index.lock"))
    }

    /// A split index has parts beside it. git looks for them in its git folder, and beside the index.
    fn copy_shared_parts(&self) -> io::Result<()> {
        let Some(own) = self.own_index.parent().filter(|own| *own != self.git_dir) else { return Ok(()) };
        for entry in fs::read_dir(own)? {
            let name = entry?.file_name();
            if name.as_encoded_bytes().starts_with(b"sharedindex.") {
                copy_with_time(&own.join(&name), &self.private.join(&name))?;
            }
        }
        Ok(())
    }

    /// Lets git see files that the worktree's own index tells it not to look at. Answers the submodules.
    async fn clear_flags(&self) -> Result<Vec<Vec<u8>>, PrepareError> {
        let listed = self.ours("ls-files").args(["-z", "-v", "--stage"]).ok().await?;
        let (mut skipped, mut assumed, mut submodules) = (Vec::new(), Vec::new(), Vec::new());
        for line in listed.split(|b| *b == 0).filter(|line| !line.is_empty()) {
            // `H 100644 <oid> 0\t<path>`; the letter is small where the file is assumed unchanged.
            let tab = line
                .iter()
                .position(|b| *b == b'\t')
                .ok_or_else(|| GitError::unreadable("ls-files", line))?;
            let path = &line[tab + 1..];
            if line[0].is_ascii_lowercase() {
                assumed.push(path);
            }
            if line[0].eq_ignore_ascii_case(&b'S') {
                skipped.push(path);
            }
            if line[1..].starts_with(b" 160000") {
                submodules.push(path.to_vec());
            }
        }
        if !skipped.is_empty() && self.sparse().await? {
            // Left out of the worktree on purpose, not deleted.
            skipped.retain(|path| self.path_of(path).symlink_metadata().is_ok());
        }
        for (flag, paths) in [("--no-assume-unchanged", assumed), ("--no-skip-worktree", skipped)] {
            if !paths.is_empty() {
                let update = self.ours("update-index").args(["-z", flag, "--stdin"]);
                update.stdin(paths.join(&0)).ok().await?;
            }
        }
        Ok(submodules)
    }

    async fn sparse(&self) -> Result<bool, GitError> {
        if let Some(known) = self.is_sparse {
            return Ok(known);
        }
        let asked = self.run("config").args(["--type=bool", "--get", "core.sparseCheckout"]).output().await?;
        Ok(asked.stdout.starts_with(b"true"))
    }
}

/// Why our index is not ready.
pub(super) enum PrepareError {
    File(io::Error),
    Git(GitError),
}

impl From<io::Error> for PrepareError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl From<GitError> for PrepareError {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

fn remove(file: &std::path::Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(crate) fn copy_with_time(from: &std::path::Path, to: &std::path::Path) -> io::Result<()> {
    let mut source = match File::open(from) {
        Ok(source) => source,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let times = fs::FileTimes::new().set_modified(source.metadata()?.modified()?);
    let mut copy = File::create(to)?;
    io::copy(&mut source, &mut copy)?;
    copy.flush()?;
    copy.set_times(times)
}
