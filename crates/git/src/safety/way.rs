//! The way from the files that are there to those that shall be: what changes, and what lies in between that no
//! checkpoint holds yet.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Fault, Name, file_in, is_absent};
use crate::{GitError, Sha, Worktree};

/// What a path is in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file or a link.
    File,
    /// The folder of a submodule, whose content is its own.
    Submodule,
}

/// What a path was and will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) now: Option<Kind>,
    pub(super) then: Option<Kind>,
}

/// By their paths.
pub(super) type Changes = BTreeMap<Name, Change>;

impl Worktree {
    /// What differs between two trees.
    pub(super) async fn changes_between(&self, now: &Sha, then: &Sha) -> Result<Changes, GitError> {
        if now == then {
            return Ok(Changes::new());
        }
        let diff =
            self.run("diff-tree").args(["-r", "-z", "--raw", "--no-renames", "--ignore-submodules=none"]);
        let said = diff.args([now, then]).ok().await?;
        read(&said).ok_or_else(|| GitError::unreadable("diff-tree", &said))
    }
}

/// `:<mode> <mode> <oid> <oid> <letter>`, and the path; again and again.
fn read(said: &[u8]) -> Option<Changes> {
    let mut changes = Changes::new();
    let mut fields = said.split(|b| *b == 0);
    while let Some(about) = fields.next().filter(|about| !about.is_empty()) {
        let mut modes = about.strip_prefix(b":")?.split(|b| *b == b' ');
        let change = Change { now: kind(modes.next()?), then: kind(modes.next()?) };
        changes.insert(fields.next()?.to_vec(), change);
    }
    Some(changes)
}

fn kind(mode: &[u8]) -> Option<Kind> {
    match mode {
        b"000000" => None,
        b"160000" => Some(Kind::Submodule),
        _ => Some(Kind::File),
    }
}

impl Change {
    pub(super) fn has_file(self) -> bool {
        self.now == Some(Kind::File)
    }

    pub(super) fn gets_file(self) -> bool {
        self.then == Some(Kind::File)
    }
}

/// The folders that a path is in, the outermost first.
pub(super) fn folders_of(name: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    name.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| &name[..at])
}

/// Files that lie where the target has one, or a folder, and that no tree holds: ignored ones.
pub(super) fn collisions(folder: &Path, changes: &Changes) -> Result<BTreeSet<Name>, Fault> {
    let mut look = Look { folder, changes, real: BTreeMap::new(), found: BTreeSet::new() };
    for (name, change) in changes {
        let mut is_real = true;
        for folder in folders_of(name) {
            is_real = match look.real.get(folder) {
                Some(known) => *known,
                None => look.at_folder(folder, change.then.is_some())?,
            };
            look.real.insert(folder, is_real);
            // What is behind a link is not the worktree's.
            if !is_real {
                break;
            }
        }
        if is_real && change.then.is_some() && !change.has_file() {
            look.at_place(name, *change)?;
        }
    }
    Ok(look.found)
}

struct Look<'a> {
    folder: &'a Path,
    changes: &'a Changes,
    /// Whether the folders that were looked at are there, and folders.
    real: BTreeMap<&'a [u8], bool>,
    found: BTreeSet<Name>,
}

impl Look<'_> {
    fn holds(&self, name: &[u8]) -> bool {
        self.changes.get(name).is_some_and(|change| change.has_file())
    }

    /// A folder on the way to what changes: whether it is there.
    fn at_folder(&mut self, name: &[u8], is_needed: bool) -> Result<bool, Fault> {
        match look_up(&file_in(self.folder, name))? {
            Some(found) if found.is_dir() => {
                match look_up(&file_in(self.folder, &[name, b"/.git"].concat()))? {
                    Some(_) => Err(Fault::InTheWay(name.into())),
                    None => Ok(true),
                }
            }
            Some(found) if is_needed && !self.holds(name) => self.collides(name, &found).map(|()| false),
            _ => Ok(false),
        }
    }

    /// A place that something is put into, where no checkpoint holds a file.
    fn at_place(&mut self, name: &[u8], change: Change) -> Result<(), Fault> {
        match look_up(&file_in(self.folder, name))? {
            Some(found) if !found.is_dir() => self.collides(name, &found),
            Some(_) if change.gets_file() => self.through(name),
            _ => Ok(()),
        }
    }

    /// A folder whose place a file takes: everything in it has to be held.
    fn through(&mut self, name: &[u8]) -> Result<(), Fault> {
        for entry in fs::read_dir(file_in(self.folder, name))? {
            let entry = entry?;
            if entry.file_name() == ".git" {
                return Err(Fault::InTheWay(name.into()));
            }
            let inside = [name, b"/", entry.file_name().as_bytes()].concat();
            let found = entry.metadata()?;
            if found.is_dir() {
                self.through(&inside)?;
            } else if !self.holds(&inside) {
                self.collides(&inside, &found)?;
            }
        }
        Ok(())
    }

    /// What a tree can't hold, such as a pipe, is in the way.
    fn collides(&mut self, name: &[u8], found: &fs::Metadata) -> Result<(), Fault> {
        if !found.is_file() && !found.is_symlink() {
            return Err(Fault::InTheWay(name.into()));
        }
        self.found.insert(name.into());
        Ok(())
    }
}

/// `None` where nothing is there.
fn look_up(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match path.symlink_metadata() {
        Err(error) if is_absent(&error) => Ok(None),
        found => found.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_read_with_its_kinds() {
        let said = b":100644 000000 a b D\0x\ny\0:000000 160000 a b A\0s\0:120000 100755 a b T\0l\0";
        let changes = read(said).unwrap();
        let told: Vec<_> = changes.iter().map(|(name, c)| (&name[..], c.now, c.then)).collect();
        let (file, submodule) = (Some(Kind::File), Some(Kind::Submodule));
        let wanted = [(&b"l"[..], file, file), (b"s", None, submodule), (b"x\ny", file, None)];
        assert_eq!(told, wanted);
        assert!(read(b"100644").is_none());
    }

    #[test]
    fn folders_of_a_path_are_told_from_the_outermost() {
        assert_eq!(folders_of(b"a/b/c").collect::<Vec<_>>(), [&b"a"[..], b"a/b"]);
        assert_eq!(folders_of(b"a").count(), 0);
    }
}
