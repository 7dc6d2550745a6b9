//! What git keeps of a worktree beside its files: HEAD, the index as it is, and what it is in the middle of.
//!
//! All of it lies in the worktree's own git folder, in files that git replaces and never writes into. Objects, branches
//! and settings that worktrees share are not part of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

use tokio::task::yield_now;

use super::{Name, file_in, is_absent};
use crate::Sha;

/// A worktree's git folder, as far as it says how the worktree stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct GitFolder {
    /// `ref: refs/heads/…`, or a commit.
    pub(super) head: Vec<u8>,
    /// `None` where nothing has been staged yet.
    pub(super) index: Option<IndexFile>,
    /// Every other file, by its path in the git folder.
    pub(super) files: Files,
}

pub(super) type Files = BTreeMap<Name, Vec<u8>>;

/// An index with its time: git looks again at files that are as old as their index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexFile {
    pub(super) bytes: Vec<u8>,
    pub(super) modified: SystemTime,
}

/// What a merge, a rebase, a cherry-pick or a revert leaves here; `BISECT_…` beside it.
const FILES: &[&[u8]] = &[
    b"MERGE_HEAD",
    b"MERGE_MSG",
    b"MERGE_MODE",
    b"MERGE_RR",
    b"MERGE_AUTOSTASH",
    b"AUTO_MERGE",
    b"SQUASH_MSG",
    b"CHERRY_PICK_HEAD",
    b"REVERT_HEAD",
    b"REBASE_HEAD",
    b"ORIG_HEAD",
    // Not in the middle of anything, but of this worktree alone: which files a sparse one has.
    b"config.worktree",
];
const SPARSE: &str = "info/sparse-checkout";
/// The refs here are those of this worktree alone: where a bisection stands.
const REFS: &str = "refs";
const FOLDERS: &[&str] = &["rebase-merge", "rebase-apply", "sequencer", REFS];
/// The larger part of an index that is split. Others than the one that the index names are nobody's.
const SHARED_INDEX: &[u8] = b"sharedindex.";

impl GitFolder {
    pub(super) fn read(dir: &Path) -> io::Result<Self> {
        let mut files = Files::new();
        let index = IndexFile::read(&dir.join("index"))?;
        for entry in fs::read_dir(dir)? {
            let name = entry?.file_name();
            let name = name.as_bytes();
            let shared = || index.as_ref().is_some_and(|index| index.names(name));
            if FILES.contains(&name) || name.starts_with(b"BISECT_") || shared() {
                read_file(dir, name, &mut files)?;
            }
        }
        for folder in FOLDERS {
            read_folder(dir, folder.as_bytes(), &mut files)?;
        }
        read_file(dir, SPARSE.as_bytes(), &mut files)?;
        Ok(Self { head: fs::read(dir.join("HEAD"))?, index, files })
    }

    /// The full name of the branch that HEAD is on.
    pub(super) fn branch(&self) -> Option<String> {
        full_name(self.head.strip_prefix(b"ref: ")?)
    }

    /// HEAD's branch, and the one that a rebase or bisection will go back to.
    pub(super) fn branches(&self) -> BTreeSet<String> {
        let named = ["rebase-merge/head-name", "rebase-apply/head-name"];
        let rebased = named.iter().filter_map(|name| full_name(self.files.get(name.as_bytes())?));
        let start = self.files.get(&b"BISECT_START"[..]).map(|name| [b"refs/heads/", &name[..]].concat());
        let start = start.and_then(|name| full_name(&name));
        self.branch().into_iter().chain(rebased).chain(start).collect()
    }

    /// Whatever may name an object in the files, in whole or in part.
    pub(super) fn names_of_objects(&self) -> BTreeSet<&str> {
        let words = self.files.values().flat_map(|bytes| bytes.split(|b| !b.is_ascii_hexdigit()));
        let words = words.filter(|word| (7..=64).contains(&word.len()));
        words.filter_map(|word| std::str::from_utf8(word).ok()).collect()
    }
}

/// A branch by its full name, if it is one.
fn full_name(bytes: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(bytes).ok()?.trim_end();
    let is_branch = name.starts_with("refs/heads/") && crate::names::broken_rule(name).is_none();
    // What looks like a commit is where a bisection began without a branch.
    let is_commit = name.strip_prefix("refs/heads/").is_some_and(|name| Sha::parse(name).is_some());
    (is_branch && !is_commit).then(|| name.into())
}

impl IndexFile {
    fn read(path: &Path) -> io::Result<Option<Self>> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Some(Self { bytes, modified: file.metadata()?.modified()? }))
    }

    /// Whether a file holds the larger part of this index, which is named by its hash.
    fn names(&self, file: &[u8]) -> bool {
        let hash = file.strip_prefix(SHARED_INDEX).and_then(|hex| std::str::from_utf8(hex).ok());
        let digits = hash.filter(|hash| Sha::parse(hash).is_some()).map(str::as_bytes);
        let Some(digits) = digits else { return false };
        let value = |digit: &u8| (*digit as char).to_digit(16).unwrap_or(0) as u8;
        let raw: Vec<u8> =
            digits.chunks(2).map(|pair| pair.iter().fold(0, |b, d| b << 4 | value(d))).collect();
        self.bytes.windows(raw.len()).any(|window| window == raw)
    }
}

/// Only what is a file itself: what a link leads to is not the worktree's.
fn read_file(dir: &Path, name: &[u8], files: &mut Files) -> io::Result<()> {
    let path = file_in(dir, name);
    let read = match path.symlink_metadata() {
        Ok(found) if found.is_file() && !name.ends_with(b".lock") => fs::read(path),
        Ok(_) => return Ok(()),
        Err(error) => Err(error),
    };
    match read {
        Ok(bytes) => drop(files.insert(name.to_vec(), bytes)),
        Err(error) if is_absent(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

fn read_folder(dir: &Path, name: &[u8], files: &mut Files) -> io::Result<()> {
    let path = file_in(dir, name);
    if !path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    let entries = match fs::read_dir(path) {
        Err(error) if is_absent(&error) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let inside = [name, b"/", entry.file_name().as_bytes()].concat();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => read_folder(dir, &inside, files)?,
            _ => read_file(dir, &inside, files)?,
        }
    }
    Ok(())
}

/// Makes the files in a git folder, which are `now`, those that they were `then`. `new` is a file beside them for
/// what is written.
pub(super) async fn put(dir: &Path, new: &Path, now: &Files, then: &Files) -> io::Result<()> {
    for name in now.keys().filter(|name| !then.contains_key(*name) && !name.starts_with(SHARED_INDEX)) {
        gone(fs::remove_file(file_in(dir, name)))?;
        yield_now().await;
    }
    // By its folder git knows what it is in the middle of.
    for folder in FOLDERS.iter().filter(|folder| **folder != REFS) {
        let within = |name: &Name| name.starts_with(folder.as_bytes());
        if !then.keys().any(within) {
            remove_whole(&dir.join(folder))?;
            yield_now().await;
        }
    }
    for (name, bytes) in then.iter().filter(|(name, bytes)| now.get(*name) != Some(bytes)) {
        real_folders(dir, name)?;
        fs::write(new, bytes)?;
        fs::rename(new, file_in(dir, name))?;
        yield_now().await;
    }
    Ok(())
}

/// Makes the folders of a file; a link in their place leads out of here and goes.
fn real_folders(dir: &Path, name: &[u8]) -> io::Result<()> {
    for (at, _) in name.iter().enumerate().filter(|(_, b)| **b == b'/') {
        let folder = file_in(dir, &name[..at]);
        match folder.symlink_metadata() {
            Ok(found) if found.is_dir() => continue,
            Ok(_) => fs::remove_file(&folder)?,
            Err(_) => {}
        }
        fs::create_dir(&folder)?;
    }
    Ok(())
}

fn remove_whole(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => gone(Err(error)),
    }
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if is_absent(&error) { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_objects_are_found_in_every_form() {
        let long = "1".repeat(40);
        let mut folder = GitFolder::default();
        folder.files.insert(b"MERGE_HEAD".to_vec(), format!("{long}\n").into());
        folder.files.insert(b"sequencer/todo".to_vec(), b"pick abcdef1 a word\nrevert abc\n".to_vec());
        let found: Vec<&str> = folder.names_of_objects().into_iter().collect();
        assert_eq!(found, [&long[..], "abcdef1"]);
    }

    #[test]
    fn branches_are_those_that_it_will_go_back_to() {
        let mut folder = GitFolder { head: b"ref: refs/heads/a\n".to_vec(), ..GitFolder::default() };
        folder.files.insert(b"rebase-merge/head-name".to_vec(), b"refs/heads/b/c\n".to_vec());
        folder.files.insert(b"rebase-apply/head-name".to_vec(), b"detached HEAD\n".to_vec());
        folder.files.insert(b"BISECT_START".to_vec(), format!("{}\n", "1".repeat(40)).into());
        assert_eq!(folder.branches().into_iter().collect::<Vec<_>>(), ["refs/heads/a", "refs/heads/b/c"]);
        folder.files.insert(b"BISECT_START".to_vec(), b"d\n".to_vec());
        assert_eq!(folder.branches().len(), 3);
    }
}
