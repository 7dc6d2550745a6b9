//! What will be a worktree's index, held under git's own lock until the branch has moved.
//!
//! Whoever does this may be killed at any step. So the lock is a second name of a file that is complete and ours, with a
//! note beside it of the commit that it belongs to: the lock of somebody else is never taken for ours, and whether the
//! branch has moved says whether the index has to follow it or to stay.

use std::fs::{self, File, FileTimes};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::Sha;
use crate::scan::Site;

pub(crate) struct NewIndex {
    /// Git's lock of the index.
    lock: PathBuf,
    index: PathBuf,
    /// The same file under its own name.
    ours: PathBuf,
    note: PathBuf,
    is_installed: bool,
}

impl NewIndex {
    /// Takes the lock with our index as it is, for this commit.
    pub(crate) fn of(site: &Site, commit: &Sha) -> io::Result<Self> {
        let new = Self::at(site);
        let (from, mut to) = (File::open(site.index_file())?, File::create_new(&new.ours)?);
        io::copy(&mut io::BufReader::new(&from), &mut to)?;
        to.set_times(FileTimes::new().set_modified(from.metadata()?.modified()?))?;
        fs::write(&new.note, commit.as_str())?;
        fs::hard_link(&new.ours, &new.lock)?;
        Ok(new)
    }

    /// What somebody left who was killed while he held the lock.
    pub(crate) fn left(site: &Site) -> io::Result<Option<Self>> {
        let new = Self::at(site);
        // Without the lock nothing was done, or everything: what else is there goes with the drop.
        Ok(new.is_held()?.then_some(new))
    }

    /// Ends what was left: the index follows HEAD where that has moved. Answers the commit, if so.
    pub(crate) fn finish(self, head: Option<&Sha>) -> io::Result<Option<Sha>> {
        let commit = Sha::parse(fs::read_to_string(&self.note)?.trim());
        if commit.is_none() || commit.as_ref() != head {
            return Ok(None);
        }
        self.install()?;
        Ok(commit)
    }

    /// Puts it into the place of the worktree's index.
    pub(crate) fn install(mut self) -> io::Result<()> {
        fs::rename(&self.lock, &self.index)?;
        self.is_installed = true;
        Ok(())
    }

    fn at(site: &Site) -> Self {
        Self {
            lock: site.own_index.with_extension("lock"),
            index: site.own_index.clone(),
            ours: site.private.join("next-index"),
            note: site.private.join("next-commit"),
            is_installed: false,
        }
    }

    /// Whether the lock is our file.
    fn is_held(&self) -> io::Result<bool> {
        let file = |path: &PathBuf| match fs::symlink_metadata(path) {
            Ok(found) => Ok(Some((found.dev(), found.ino()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        let ours = file(&self.ours)?;
        Ok(ours.is_some() && ours == file(&self.lock)?)
    }
}

impl Drop for NewIndex {
    fn drop(&mut self) {
        if !self.is_installed && self.is_held().unwrap_or(false) {
            let _ = fs::remove_file(&self.lock);
        }
        for file in [&self.ours, &self.note] {
            let _ = fs::remove_file(file);
        }
    }
}
