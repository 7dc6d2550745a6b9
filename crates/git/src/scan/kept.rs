//! What is remembered of our own index beside it, so that the next scan need not find it out again.
//!
//! It is written after a scan, and holds only for the two index files that were there then: ours as that scan left it, and
//! the worktree's own, from which ours was copied. After anything else (a scan that was killed, an agent that
//! staged a file) ours is copied anew.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Site;

type Name = Vec<u8>;

/// What our index has that the worktree's own has not, and the other way round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// The submodules in both.
    pub(super) submodules: BTreeSet<Name>,
    /// In ours alone: what was untracked. Some that are in both may be among them.
    pub(super) extra: BTreeSet<Name>,
    /// In the worktree's own alone: what is tracked, and was not there when it was looked for.
    pub(super) missing: BTreeSet<Name>,
}

const SUBMODULE: u8 = b's';
const EXTRA: u8 = b'e';
const MISSING: u8 = b'm';

impl Site {
    /// What is remembered, if it holds for both index files as they are now; `own` is the worktree's own.
    pub(super) fn kept(&self, own: &str) -> io::Result<Option<Kept>> {
        let bytes = match fs::read(self.kept_file()) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if self.private.join("index.lock").exists() {
            return Ok(None);
        }
        let ours = identity(&self.index_file())?;
        Ok(Kept::read(&bytes, [own, &ours]))
    }

    /// Remembers it for our index as it is now, copied from the worktree's own as it was.
    pub(super) fn remember(&self, kept: &Kept, own: &str) -> io::Result<()> {
        let bytes = kept.written([own, &identity(&self.index_file())?]);
        if fs::read(self.kept_file()).is_ok_and(|old| old == bytes) {
            return Ok(());
        }
        fs::write(self.kept_file(), bytes)
    }

    pub(super) fn kept_file(&self) -> std::path::PathBuf {
        self.private.join("seed")
    }
}

impl Kept {
    /// The index files stand last: what is cut off holds for none.
    fn written(&self, indexes: [&str; 2]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, names) in [(SUBMODULE, &self.submodules), (EXTRA, &self.extra), (MISSING, &self.missing)] {
            for name in names {
                bytes.push(kind);
                bytes.extend_from_slice(name);
                bytes.push(0);
            }
        }
        bytes.extend_from_slice(indexes.join("\0").as_bytes());
        bytes
    }

    fn read(bytes: &[u8], indexes: [&str; 2]) -> Option<Self> {
        let names = bytes.strip_suffix(indexes.join("\0").as_bytes())?;
        let mut kept = Self::default();
        if names.last().is_some_and(|last| *last != 0) {
            return None;
        }
        for name in names.split(|b| *b == 0).filter(|name| !name.is_empty()) {
            let (kind, name) = name.split_first()?;
            let names = match *kind {
                SUBMODULE => &mut kept.submodules,
                EXTRA => &mut kept.extra,
                MISSING => &mut kept.missing,
                _ => return None,
            };
            names.insert(name.to_vec());
        }
        Some(kept)
    }
}

/// What an index file that isn't there is told by.
pub(super) const ABSENT: &str = "absent";

/// Tells one written index from the next: git never writes into an index, it puts a new file in its place.
pub(super) fn identity(index: &Path) -> io::Result<String> {
    match fs::metadata(index) {
        Ok(found) => {
            let (ino, size) = (found.ino(), found.size());
            Ok(format!("{ino} {size} {} {} {}", found.mtime(), found.mtime_nsec(), found.ctime_nsec()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(ABSENT.into()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<Name> {
        names.iter().map(|name| name.as_bytes().to_vec()).collect()
    }

    #[test]
    fn it_holds_for_its_two_index_files_alone_and_whole_alone() {
        let kept = Kept { submodules: names(&["s"]), extra: names(&["a b", "e\n"]), missing: names(&["m"]) };
        let bytes = kept.written(["1 2", "3 4"]);
        assert_eq!(Kept::read(&bytes, ["1 2", "3 4"]), Some(kept));
        assert_eq!(Kept::read(&bytes, ["1 2", "3 5"]), None);
        assert_eq!(Kept::read(&bytes, ["2 2", "3 4"]), None);
        for cut in 0..bytes.len() {
            assert_eq!(Kept::read(&bytes[..cut], ["1 2", "3 4"]), None, "{cut}");
        }
        let nothing = Kept::default().written([ABSENT, ABSENT]);
        assert_eq!(Kept::read(&nothing, [ABSENT, ABSENT]), Some(Kept::default()));
    }
}
