//! Takes files out of a worktree and puts others in, so that no byte is lost whatever is written meanwhile.
//!
//! The new files are written by git in a folder of ours first: what can fail for lack of room, or in a filter, fails
//! there. Old ones are moved into another folder of ours, and new ones put where nothing is: so nothing is overwritten
//! and nothing is deleted but what has been looked at after it was moved away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use tokio::task::yield_now;

use super::raw::Raw;
use super::state::ended;
use super::way::{Changes, Kind, folders_of};
use super::{Fault, Name, file_in, is_absent};
use crate::Worktree;

/// Tells whether a file has been written since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    mode: u32,
    modified: (i64, i64),
}

pub(super) struct Swap<'a> {
    worktree: &'a Worktree,
    folder: &'a Path,
    changes: &'a Changes,
    /// The new files.
    written: PathBuf,
    /// The old ones, by the same paths.
    replaced: PathBuf,
    /// Those that are there, as they were before they were compared with the checkpoint.
    old: BTreeMap<&'a Name, Stamp>,
    new: BTreeMap<&'a Name, Stamp>,
    moved: BTreeSet<&'a Name>,
}

impl<'a> Swap<'a> {
    /// Notes how the files that change are, before they are compared with what a checkpoint holds.
    pub(super) fn new(worktree: &'a Worktree, changes: &'a Changes) -> Result<Self, Fault> {
        let (folder, private) = (worktree.folder(), worktree.private());
        let mut old = BTreeMap::new();
        for (name, _) in changes.iter().filter(|(_, change)| change.has_file()) {
            // One that is gone differs from what the checkpoint holds, and that is found then.
            if let Some(stamp) = Stamp::of(&file_in(folder, name))? {
                old.insert(name, stamp);
            }
        }
        Ok(Self {
            worktree,
            folder,
            changes,
            written: private.join(WRITTEN),
            replaced: private.join(REPLACED),
            old,
            new: BTreeMap::new(),
            moved: BTreeSet::new(),
        })
    }

    /// Writes the new files, by an index that has them, and `raw` ones as they were.
    pub(super) async fn write(&mut self, index: &Path, raw: &Raw) -> Result<(), Fault> {
        let names: Vec<&Name> = self.changes.iter().filter(|(_, c)| c.gets_file()).map(|(n, _)| n).collect();
        if names.is_empty() {
            return Ok(());
        }
        fs::create_dir_all(&self.written)?;
        // As in a worktree of its own: there it is the new attributes that count, not those of the files before.
        let write = self.worktree.run("checkout-index").work_tree(&self.written).index(index);
        let write = write.args(["-z", "--stdin"]).stdin(ended(names.iter().copied()));
        write.ok().await?;
        for name in names {
            let file = file_in(&self.written, name);
            self.worktree.put_raw(raw, name, &file).await?;
            let stamp = Stamp::of(&file)?;
            self.new.insert(name, stamp.ok_or(io::ErrorKind::NotFound)?);
        }
        Ok(())
    }

    /// Moves old files away and new ones in. `may_go`: which of those that have no successor may go at all; a place
    /// that is needed is made free anyway. `index`: that of the target.
    pub(super) async fn swap(&mut self, index: &Path, may_go: impl Fn(&Name) -> bool) -> Result<(), Fault> {
        let changes = self.changes;
        let needed: BTreeSet<&[u8]> = self.new.keys().flat_map(|name| folders_of(name)).collect();
        let is_needed = |name: &'a Name| {
            let taken = |folder: &[u8]| changes.get(folder).is_some_and(|change| change.gets_file());
            needed.contains(&name[..]) || folders_of(name).any(taken)
        };
        let leaving = changes.iter().filter(|(_, change)| change.has_file() && !change.gets_file());
        let (first, rest): (Vec<_>, Vec<_>) =
            leaving.partition(|(name, change)| change.then.is_some() || is_needed(name));
        for (name, _) in first {
            self.move_away(name).await?;
        }
        let changed: Vec<&Name> = self.new.keys().copied().collect();
        for name in changed {
            if self.old.contains_key(name) {
                self.move_away(name).await?;
            }
            self.put(name).await?;
        }
        self.submodules()?;
        // Rules first: the others are held against those that there will be.
        let rest = rest.into_iter().map(|(name, _)| name).filter(|name| may_go(name));
        let (rules, rest): (Vec<_>, Vec<_>) = rest.partition(|name| is_rules(name));
        for names in [rules, rest] {
            let all: BTreeSet<Name> = names.iter().map(|name| (*name).clone()).collect();
            let ignored = self.ignored(index, &all).await?;
            for name in names.into_iter().filter(|name| !ignored.contains(*name)) {
                self.move_away(name).await?;
            }
        }
        self.leave_no_empty_folders();
        Ok(())
    }

    /// Those that the rules which are there now ignore, and that the target has not as tracked and gone.
    async fn ignored(&self, index: &Path, names: &BTreeSet<Name>) -> Result<BTreeSet<Name>, Fault> {
        let mut ignored = self.worktree.site().ignored(names).await?;
        if !ignored.is_empty() {
            let tracked = self.worktree.run("ls-files").index(index).arg("-z").ok().await?;
            for name in tracked.split(|b| *b == 0) {
                ignored.remove(name);
            }
        }
        Ok(ignored)
    }

    async fn move_away(&mut self, name: &'a Name) -> Result<(), Fault> {
        let to = file_in(&self.replaced, name);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        let moved = fs::rename(file_in(self.folder, name), to);
        yield_now().await;
        moved.map_err(disturbance)?;
        self.moved.insert(name);
        Ok(())
    }

    async fn put(&mut self, name: &Name) -> Result<(), Fault> {
        let to = file_in(self.folder, name);
        for folder in folders_of(name) {
            let folder = file_in(self.folder, folder);
            if !folder.symlink_metadata().is_ok_and(|found| found.is_dir()) {
                fs::create_dir(folder).map_err(disturbance)?;
            }
        }
        // A folder, of which only empty ones are left.
        if to.symlink_metadata().is_ok_and(|found| found.is_dir()) && !remove_empty(&to) {
            return Err(Fault::Disturbed);
        }
        let put = put_where_nothing_is(&file_in(&self.written, name), &to);
        yield_now().await;
        put.map_err(disturbance)
    }

    /// Their folders only: there where a submodule is, gone where it was and is empty.
    fn submodules(&self) -> Result<(), Fault> {
        for (name, change) in self.changes {
            let folder = file_in(self.folder, name);
            if change.then == Some(Kind::Submodule) {
                fs::create_dir_all(&folder)?;
            } else if change.now == Some(Kind::Submodule) && change.then.is_none() {
                let _ = fs::remove_dir(&folder);
            }
        }
        Ok(())
    }

    fn leave_no_empty_folders(&self) {
        let folders: BTreeSet<&[u8]> = self.moved.iter().flat_map(|name| folders_of(name)).collect();
        // The innermost of a path stands after those that it is in.
        for folder in folders.into_iter().rev() {
            let _ = fs::remove_dir(file_in(self.folder, folder));
        }
    }

    /// Makes sure that what was moved away is as it was, and that what was put in is there: after all else.
    pub(super) fn check(&self) -> Result<(), Fault> {
        for name in &self.moved {
            if Stamp::of(&file_in(&self.replaced, name))? != self.old.get(name).copied() {
                return Err(Fault::Disturbed);
            }
        }
        for (name, stamp) in &self.new {
            if Stamp::of(&file_in(self.folder, name))? != Some(*stamp) {
                return Err(Fault::Disturbed);
            }
        }
        Ok(())
    }
}

const WRITTEN: &str = "written";
const REPLACED: &str = "replaced";

impl Worktree {
    /// Where files are that were moved away.
    pub(super) fn replaced(&self) -> PathBuf {
        self.private().join(REPLACED)
    }

    /// Throws away what a swap has left, finished or not.
    pub(super) fn clear_swap(&self) -> io::Result<()> {
        for folder in [WRITTEN, REPLACED] {
            match fs::remove_dir_all(self.private().join(folder)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Stamp {
    /// `None` where nothing is.
    fn of(path: &Path) -> io::Result<Option<Self>> {
        let found = match path.symlink_metadata() {
            Err(error) if is_absent(&error) => return Ok(None),
            found => found?,
        };
        Ok(Some(Self {
            inode: found.ino(),
            size: found.size(),
            mode: found.mode(),
            modified: (found.mtime(), found.mtime_nsec()),
        }))
    }
}

fn is_rules(name: &[u8]) -> bool {
    name.rsplit(|b| *b == b'/').next() == Some(b".gitignore")
}

fn disturbance(error: io::Error) -> Fault {
    if is_disturbance(&error) { Fault::Disturbed } else { Fault::File(error) }
}

/// Something is not there any more, or there already.
fn is_disturbance(error: &io::Error) -> bool {
    is_absent(error) || matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory)
}

fn put_where_nothing_is(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system can.
        Err(Errno::INVAL) if to.symlink_metadata().is_err() => fs::rename(from, to),
        Err(Errno::INVAL) => Err(io::ErrorKind::AlreadyExists.into()),
        put => Ok(put?),
    }
}

/// Removes a folder that has nothing but folders in it; whether it could.
fn remove_empty(folder: &Path) -> bool {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) || !remove_empty(&entry.path()) {
            return false;
        }
    }
    fs::remove_dir(folder).is_ok()
}
