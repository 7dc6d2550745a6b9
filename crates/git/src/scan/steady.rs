//! Files that were written while git read them, or that a filter refuses: read by us, until twice the same was read.
//!
//! git reads a file through a map of it and does not ask whether it stays the same meanwhile, so that what it stores may
//! be half of what was there before a write and half of what was there after it. What was written since git began to read
//! is told by the disk's own clock: it is no older than a file that we wrote before.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{self, BufReader, Read, Seek};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Site;
use super::attempt::WriteError;
use crate::{GitError, Sha};

type Name = Vec<u8>;

/// How often a file is read that keeps changing.
const READINGS: usize = 10;

/// How things stood before git read.
pub(super) struct Before {
    /// Seconds and nanoseconds of the disk's clock.
    time: (i64, i64),
    absent: BTreeSet<Name>,
}

/// What a file was at one moment.
enum Steady {
    Gone,
    Link(Vec<u8>),
    /// Its bytes are in our copy of it.
    File {
        is_executable: bool,
    },
}

impl Site {
    pub(super) fn before_reading(&self, names: &BTreeSet<Name>) -> io::Result<Before> {
        let absent = names.iter().filter(|name| self.found(name).is_none()).cloned().collect();
        let mark = self.private.join("mark");
        fs::write(&mark, "now")?;
        let mark = fs::metadata(mark)?;
        Ok(Before { time: (mark.mtime(), mark.mtime_nsec()), absent })
    }

    /// Those that may not be what git read any more, and perhaps never were.
    pub(super) fn written_since(&self, before: &Before, names: &BTreeSet<Name>) -> BTreeSet<Name> {
        let is_written = |name: &&Name| match self.found(name) {
            Some(found) => (found.ctime(), found.ctime_nsec()) >= before.time,
            None => !before.absent.contains(*name),
        };
        names.iter().filter(is_written).cloned().collect()
    }

    /// What could be held by this name; a folder could not.
    fn found(&self, name: &[u8]) -> Option<Metadata> {
        self.path_of(name).symlink_metadata().ok().filter(|found| !found.is_dir())
    }

    /// Puts each into our index as it was at one moment.
    pub(super) async fn put_steady(&self, names: &BTreeSet<Name>) -> Result<(), WriteError> {
        let (mut lines, mut gone) = (Vec::new(), BTreeSet::new());
        for name in names {
            let Some((mode, object)) = self.steady_entry(name).await? else {
                gone.insert(name.clone());
                continue;
            };
            lines.extend_from_slice(format!("{mode} {object} 0\t").as_bytes());
            lines.extend_from_slice(name);
            lines.push(0);
        }
        self.take_out(&gone).await?;
        if !lines.is_empty() {
            self.ours("update-index").args(["-z", "--index-info"]).stdin(lines).ok().await?;
        }
        Ok(())
    }

    /// Mode and object of one; `None` where it is gone.
    async fn steady_entry(&self, name: &[u8]) -> Result<Option<(&'static str, Sha)>, WriteError> {
        let copy = self.private.join("copy");
        // What is behind a link is not ours.
        let is_ours = self.is_file(name);
        let (from, to) = (self.path_of(name), copy.clone());
        let read =
            tokio::task::spawn_blocking(
                move || if is_ours { steady(&from, &to) } else { Ok(Some(Steady::Gone)) },
            );
        let entry = match read.await.map_err(io::Error::other)?? {
            Some(Steady::Gone) => None,
            Some(Steady::Link(target)) => {
                let hash = self.ours("hash-object").args(["-w", "--stdin", "--no-filters"]).stdin(target);
                Some(("120000", Sha::read("hash-object", &hash.ok().await?)?))
            }
            Some(Steady::File { is_executable }) => {
                let mode = if is_executable { "100755" } else { "100644" };
                Some((mode, self.hash(name, &copy).await?))
            }
            None => return Err(changing(name).into()),
        };
        match fs::remove_file(copy) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(entry),
        }
    }

    /// Stores the copy as git would store the file; where that is refused, as it is.
    async fn hash(&self, name: &[u8], copy: &Path) -> Result<Sha, WriteError> {
        let path = [b"--path=", name].concat();
        let hash = || self.ours("hash-object").args(["-w", "--stdin"]);
        let converted =
            hash().stdin_file(File::open(copy)?).arg(std::ffi::OsStr::from_bytes(&path)).ok().await;
        let stored = match converted {
            Err(error) if !error.is_lasting() => {
                hash().arg("--no-filters").stdin_file(File::open(copy)?).ok().await?
            }
            converted => converted?,
        };
        Ok(Sha::read("hash-object", &stored)?)
    }
}

/// `None`: it keeps changing.
fn steady(from: &PathBuf, copy: &Path) -> io::Result<Option<Steady>> {
    for _ in 0..READINGS {
        match try_steady(from, copy) {
            Ok(Some(steady)) => return Ok(Some(steady)),
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(Steady::Gone)),
            // It became a link, a folder, or its folder a file: looked at again.
            Err(error) if is_of_another_kind(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn try_steady(from: &PathBuf, copy: &Path) -> io::Result<Option<Steady>> {
    let found = from.symlink_metadata()?;
    if found.is_symlink() {
        return Ok(Some(Steady::Link(fs::read_link(from)?.into_os_string().into_vec())));
    }
    if !found.is_file() {
        return Ok(Some(Steady::Gone));
    }
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let mut file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(from)?;
    let found = file.metadata()?;
    // What is appended meanwhile comes too late; what is cut off or written over is found by reading it again.
    let size = found.len();
    let copied = io::copy(&mut (&mut file).take(size), &mut File::create(copy)?)?;
    if copied != size {
        return Ok(None);
    }
    file.rewind()?;
    let is_same = same(BufReader::new((&mut file).take(size)), BufReader::new(File::open(copy)?))?;
    Ok(is_same.then_some(Steady::File { is_executable: found.mode() & 0o100 != 0 }))
}

fn same(mut one: impl Read, mut other: impl Read) -> io::Result<bool> {
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let read = read_full(&mut one, &mut left)?;
        if read != read_full(&mut other, &mut right)? || left[..read] != right[..read] {
            return Ok(false);
        }
        if read == 0 {
            return Ok(true);
        }
    }
}

fn read_full(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

fn is_of_another_kind(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(Errno::LOOP | Errno::NOTDIR | Errno::ISDIR | Errno::INVAL | Errno::NXIO)
    )
}

fn changing(name: &[u8]) -> GitError {
    let words = format!("{} is written faster than it can be read", String::from_utf8_lossy(name));
    GitError::Failed { command: "hash-object".into(), code: None, words }
}
