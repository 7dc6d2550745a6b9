//! What large files hold, where a repository uses Git LFS: it lies beside git's objects, under the SHA-256 of it, and git
//! knows only pointers to it. No fetch brings it along, and its server may not have it yet.
//!
//! So the clone takes what the source has, and the source is given what the task's branch points to: as links where both
//! are on one disk, as git does with its own objects.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::BareClone;
use crate::inspect::LocalRepository;
use crate::{GitError, Sha};

/// Pointers are smaller; so the specification says.
const LARGEST_POINTER: u64 = 1024;

impl BareClone {
    fn large_files(&self) -> PathBuf {
        self.dir().join("lfs/objects")
    }

    /// Whether there may be any.
    pub(crate) fn has_large_files(&self) -> bool {
        self.large_files().exists()
    }

    /// Where a repository keeps its own.
    async fn large_files_of(&self, local: &LocalRepository) -> Result<PathBuf, GitError> {
        use std::os::unix::ffi::OsStringExt;
        let folder = local.worktree.as_deref().unwrap_or(&local.git_dir);
        let storage = self.git().setting(folder, "lfs.storage").await?.filter(|storage| !storage.is_empty());
        let storage = storage.map_or_else(|| "lfs".into(), std::ffi::OsString::from_vec);
        Ok(local.common_dir.join(storage).join("objects"))
    }

    /// Takes all that the source has.
    pub(super) async fn take_large_files(&self, local: &LocalRepository) -> Result<io::Result<()>, GitError> {
        let (from, to) = (self.large_files_of(local).await?, self.large_files());
        let taken = tokio::task::spawn_blocking(move || {
            for outer in folders(&from)? {
                for inner in folders(&outer)? {
                    for entry in fs::read_dir(inner)? {
                        let name = entry?.file_name();
                        if let Some(place) = name.to_str().and_then(place_of) {
                            bring(&from.join(&place), &to.join(place))?;
                        }
                    }
                }
            }
            Ok(())
        });
        Ok(taken.await.map_err(io::Error::other).flatten())
    }

    /// Gives the source what commits point to that it doesn't have.
    pub(crate) async fn give_large_files(
        &self,
        local: &LocalRepository,
        commit: &Sha,
    ) -> Result<io::Result<()>, GitError> {
        let (from, to) = (self.large_files(), self.large_files_of(local).await?);
        let places = self.pointed_to(commit).await?;
        let given = tokio::task::spawn_blocking(move || {
            // What isn't here either is on its server alone.
            let mut here = places.iter().filter(|place| from.join(place).exists());
            here.try_for_each(|place| bring(&from.join(place), &to.join(place)))
        });
        Ok(given.await.map_err(io::Error::other).flatten())
    }

    /// Where lies what the pointers in those commits name that the source has not.
    async fn pointed_to(&self, commit: &Sha) -> Result<BTreeSet<PathBuf>, GitError> {
        let known = ["--not", "--glob=refs/makima/source/*", "--glob=refs/remotes/*", "--tags"];
        let listed =
            self.run("rev-list").args(["--objects", "--no-object-names", commit.as_str()]).args(known);
        let sizes = self.run("cat-file").arg("--batch-check=%(objectname) %(objecttype) %(objectsize)");
        let sizes = sizes.stdin(listed.ok().await?).ok().await?;
        let sizes = String::from_utf8_lossy(&sizes).into_owned();
        let small = sizes.lines().filter_map(|line| {
            let (object, about) = line.split_once(' ')?;
            let size: u64 = about.strip_prefix("blob ")?.parse().ok()?;
            (size < LARGEST_POINTER).then(|| format!("{object}\n"))
        });
        let small: String = small.collect();
        if small.is_empty() {
            return Ok(BTreeSet::new());
        }
        let contents = self.run("cat-file").arg("--batch").stdin(small).ok().await?;
        let mut lines = contents.split(|byte| *byte == b'\n').peekable();
        let mut places = BTreeSet::new();
        while let Some(line) = lines.next() {
            if line.starts_with(b"version https://git-lfs.github.com/spec/") {
                let oid = lines.peek().and_then(|line| line.strip_prefix(b"oid sha256:"));
                places.extend(oid.and_then(|oid| place_of(std::str::from_utf8(oid).ok()?)));
            }
        }
        Ok(places)
    }
}

/// `ab/cd/abcd…`.
fn place_of(oid: &str) -> Option<PathBuf> {
    let is_oid = oid.len() == 64 && oid.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_oid.then(|| [&oid[..2], &oid[2..4], oid].iter().collect())
}

fn folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    paths.filter(|path| path.as_ref().map_or(true, |path| path.is_dir())).collect()
}

/// Whole or not at all.
fn bring(from: &Path, to: &Path) -> io::Result<()> {
    if to.exists() {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // On another disk.
        Err(_) => {
            let new = to.with_extension("makima-new");
            fs::copy(from, &new)?;
            fs::rename(new, to)
        }
        linked => linked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hashes_have_a_place() {
        let oid = "ab".repeat(32);
        assert_eq!(place_of(&oid), Some(format!("ab/ab/{oid}").into()));
        for other in ["", "../../x", &"AB".repeat(32), &"ab".repeat(31), &format!("{}/", "a".repeat(63))] {
            assert_eq!(place_of(other), None, "{other}");
        }
    }
}
