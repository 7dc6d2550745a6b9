//! The folder that all data is kept in, and whose it is at the moment.

use crate::{
    environment,
    failure::{Failure, chain},
    look::bytes,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Below this much room no server can start: its database alone needs some of it.
const LEAST_ROOM: u64 = 8 << 20;

/// What a data folder holds, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataFolder {
    path: PathBuf,
}

/// A process that works on a data folder.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// The sign that a data folder is ours. Let go of with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl DataFolder {
    /// The one that was told, else the user's.
    pub(crate) fn find(told: Option<&Path>) -> Result<Self, Failure> {
        let folder = told.map(Path::to_owned).or_else(environment::data_folder).ok_or_else(|| {
            Failure::usage("where is the data to be kept? there is neither XDG_DATA_HOME nor HOME")
                .hint("name a folder with --data-dir or MAKIMA_DATA_DIR")
        })?;
        let path = std::path::absolute(&folder)
            .map_err(|error| Failure::usage(format!("{} is no folder: {error}", folder.display())))?;
        // `./.makima` is shown in commands to type: a path without detours.
        let path: PathBuf = path.components().collect();
        Ok(Self { path })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How to call `program` so that it finds this folder too.
    pub(crate) fn call(&self, program: &str) -> String {
        if environment::data_folder().as_ref() == Some(&self.path) {
            return quoted(program);
        }
        format!("{} --data-dir {}", quoted(program), quoted(&self.path.display().to_string()))
    }

    /// The database, where no other is named.
    pub(crate) fn database_url(&self) -> String {
        format!("sqlite:{}", self.path.join("makima.db").display())
    }

    /// Where the server gathers exports.
    pub(crate) fn exports(&self) -> PathBuf {
        self.path.join("exports")
    }

    /// Where the server keeps blobs.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.path.join("blobs")
    }

    /// Where the daemon keeps everything of its own.
    pub(crate) fn daemon(&self) -> PathBuf {
        self.path.join("daemon")
    }

    /// Where the demonstration lies.
    pub(crate) fn demo(&self) -> PathBuf {
        self.path.join("demo")
    }

    /// Where the command line finds the address and the key.
    pub(crate) fn credentials(&self) -> PathBuf {
        self.path.join("credentials.json")
    }

    /// Whether there is room for what a start writes; asked before anything is written.
    pub(crate) fn check_room(&self) -> Result<(), Failure> {
        let there = self.existing();
        match room(there) {
            Ok(free) if free < LEAST_ROOM => Err(Failure::new(format!(
                "there is no room left for the data directory {}: {} free",
                self.path.display(),
                bytes(free)
            ))
            .hint("make room there, or name another with --data-dir or MAKIMA_DATA_DIR")),
            // Where it can't be told, what can't be written is.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The folder, or the nearest one above it that there is.
    pub(crate) fn existing(&self) -> &Path {
        self.path.ancestors().find(|folder| folder.exists()).unwrap_or(&self.path)
    }

    /// Takes a part of the folder for this process, and makes it where it isn't there: `server` or `daemon`.
    pub(crate) fn lock(&self, part: &str) -> Result<Lock, Failure> {
        let path = self.path.join(format!("{part}.lock"));
        let broken = |error: &io::Error| {
            Failure::new(format!("could not write to the data directory {}: {error}", self.path.display()))
                .hint("name another with --data-dir or MAKIMA_DATA_DIR")
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .map_err(|error| broken(&error))?;
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| broken(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(self.taken(part, &mut file)),
            Err(TryLockError::Error(error)) => return Err(broken(&error)),
        }
        let mut lock = Lock { file };
        lock.tell(None);
        Ok(lock)
    }

    fn taken(&self, part: &str, file: &mut File) -> Failure {
        let mut text = String::new();
        let read = file.read_to_string(&mut text).ok();
        let holder: Option<Holder> = read.and_then(|_| serde_json::from_str(&text).ok());
        let (who, what) = match &holder {
            Some(Holder { pid, url }) => (
                format!(
                    " (process {pid}{})",
                    url.as_ref().map_or_else(String::new, |url| format!(", {url}"))
                ),
                format!("stop it with `kill -INT {pid}`"),
            ),
            None => (String::new(), "stop it".to_owned()),
        };
        Failure::new(format!("a makima {part} already works on {}{who}", self.path.display()))
            .hint(format!("use that one, {what}, or choose another folder with --data-dir"))
    }
}

impl Lock {
    /// Tells whoever comes next who holds the folder, and where its server listens.
    pub(crate) fn tell(&mut self, url: Option<&str>) {
        let holder = Holder { pid: std::process::id(), url: url.map(str::to_owned) };
        let text = serde_json::to_string(&holder).unwrap_or_default();
        // The lock is what counts: what can't be told isn't missed.
        let told = self
            .file
            .rewind()
            .and_then(|()| self.file.set_len(0))
            .and_then(|()| self.file.write_all(text.as_bytes()));
        if let Err(error) = told {
            tracing::debug!("the lock can't be described: {}", chain(&error));
        }
    }
}

/// How many bytes may still be written in a folder.
pub(crate) fn room(folder: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if !word.is_empty() && word.chars().all(harmless) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_process_s_at_a_time() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = DataFolder::find(Some(&temporary.path().join("data"))).unwrap();
        let mut lock = folder.lock("server").unwrap();
        lock.tell(Some("http://127.0.0.1:7447"));
        let failure = folder.lock("server").unwrap_err();
        assert!(failure.message.contains("http://127.0.0.1:7447"), "{failure:?}");
        assert!(failure.hint.as_ref().unwrap().contains(&format!("kill -INT {}", std::process::id())));
        folder.lock("daemon").unwrap();
        drop(lock);
        folder.lock("server").unwrap();
    }

    #[test]
    fn only_a_folder_of_its_own_must_be_told() {
        let folder = DataFolder::find(Some(Path::new("/tmp/a b/./.makima"))).unwrap();
        assert_eq!(folder.call("makima"), "makima --data-dir '/tmp/a b/.makima'");
        let own = environment::data_folder().unwrap();
        assert_eq!(DataFolder::find(Some(&own)).unwrap().call("makima"), "makima");
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_split_them() {
        assert_eq!(quoted("/a/b-1.2"), "/a/b-1.2");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
