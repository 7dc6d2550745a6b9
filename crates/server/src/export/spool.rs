//! Where archives are gathered: each in a folder of its own, which is gone when its archive is, whoever dies.

use crate::blobs::LEFT_OVER;
use makima_model::{ExportId, OwnerId};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Seek, SeekFrom, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How many archives are gathered at once: each reads as fast as it can.
const AT_ONCE: usize = 2;
/// The file of a folder that is locked for as long as somebody needs the folder.
const LOCK: &str = "lock";
/// The ending of a folder's name that is not locked yet.
const NEW: &str = "new";

/// A file of an archive that can't be written or read.
#[derive(Debug, thiserror::Error)]
#[error("an export failed at {path}")]
pub(crate) struct SpoolError {
    /// Where.
    path: PathBuf,
    /// Why.
    pub(crate) source: io::Error,
}

impl SpoolError {
    /// At this file.
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self { path, source }
    }
}

/// All of them.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    root: PathBuf,
    turns: Arc<Semaphore>,
}

impl Spool {
    /// Those below this folder, which is made when the first one comes.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Waits until another one may be gathered.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is closed by nobody.
        self.turns.acquire().await.ok()
    }

    /// A new folder.
    pub(super) async fn folder(&self, owner: OwnerId, id: ExportId) -> Result<Folder, SpoolError> {
        let path = self.path(owner, id);
        off_thread(move || Folder::make(path)).await
    }

    /// Writes a part of a file of an export that is being gathered, on whichever server. `false`: there is no such export any more.
    pub(crate) async fn put(
        &self,
        (owner, id): (OwnerId, ExportId),
        file: String,
        at: u64,
        part: axum::body::Bytes,
    ) -> Result<bool, SpoolError> {
        let folder = self.path(owner, id);
        off_thread(move || {
            let path = folder.join(file);
            let written = OpenOptions::new().write(true).create(true).truncate(false).open(&path).and_then(
                |mut file| {
                    // What was written by one that began anew is written over, and cut off.
                    file.set_len(at)?;
                    file.seek(SeekFrom::Start(at))?;
                    file.write_all(&part)
                },
            );
            match written {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(SpoolError::at(&path)(error)),
            }
        })
        .await
    }

    /// Removes what servers left that were killed. Other servers may be at work in the same folder.
    pub(crate) async fn sweep(&self, now: SystemTime) -> io::Result<()> {
        let root = self.root.clone();
        match tokio::task::spawn_blocking(move || sweep(&root, now)).await {
            Ok(swept) => swept,
            Err(panicked) => Err(io::Error::other(panicked)),
        }
    }

    fn path(&self, owner: OwnerId, id: ExportId) -> PathBuf {
        self.root.join(owner.to_string()).join(id.to_string())
    }
}

fn sweep(root: &Path, now: SystemTime) -> io::Result<()> {
    let owners = match fs::read_dir(root) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        owners => owners?,
    };
    for owner in owners {
        for folder in fs::read_dir(owner?.path())? {
            let folder = folder?;
            let path = folder.path();
            let is_needed = if path.extension().is_some_and(|ending| ending == NEW) {
                let made = folder.metadata().and_then(|metadata| metadata.modified());
                let age = made.ok().and_then(|at| now.duration_since(at).ok());
                age <= Some(LEFT_OVER)
            } else {
                is_locked(&path)
            };
            if !is_needed {
                remove(&path)?;
            }
        }
    }
    Ok(())
}

/// Whether a server still has a folder.
fn is_locked(folder: &Path) -> bool {
    match File::open(folder.join(LOCK)).map(|file| file.try_lock()) {
        Ok(locked) => matches!(locked, Err(TryLockError::WouldBlock)),
        Err(_) => false,
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    // A daemon may be adding to it: when it is gone, that ends.
    for _ in 0..10 {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            removed => return removed,
        }
    }
    fs::remove_dir_all(folder)
}

/// The folder of one archive. With the last who has it goes all that is in it.
#[derive(Debug, Clone)]
pub(super) struct Folder(Arc<Held>);

#[derive(Debug)]
struct Held {
    path: PathBuf,
    /// Locked for as long as this is.
    _lock: File,
}

impl Folder {
    fn make(path: PathBuf) -> Result<Self, SpoolError> {
        let new = path.with_extension(NEW);
        let mut builder = DirBuilder::new();
        // What people said to agents is nobody else's business.
        builder.recursive(true).mode(0o700).create(&new).map_err(SpoolError::at(&new))?;
        let locked = File::create(new.join(LOCK)).and_then(|file| {
            file.lock()?;
            // Only now does it look like one that may be left over.
            fs::rename(&new, &path)?;
            Ok(file)
        });
        match locked {
            Ok(lock) => Ok(Self(Arc::new(Held { path, _lock: lock }))),
            Err(error) => {
                // What there was no room for takes none; where even that fails, it is swept.
                let _ = remove(&new);
                Err(SpoolError::at(&path)(error))
            }
        }
    }

    /// Where a file of it is.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.path.join(name)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.path);
        let clear = move || {
            if let Err(error) = remove(&path) {
                let path = path.display();
                tracing::warn!(%path, "what an export left stays until the folder is swept: {error}");
            }
        };
        // Large files take a while to go.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(clear)),
            Err(_) => clear(),
        }
    }
}

/// Does on a thread of its own what waits for a disk.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SpoolError> + Send + 'static,
) -> Result<T, SpoolError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panicked) => Err(SpoolError { path: PathBuf::new(), source: io::Error::other(panicked) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::ApiError, export::lines::Lines};
    use makima_model::Clock;
    use makima_testkit::{SmallDisk, with_own_mounts};
    use makima_wire::Code;
    use std::time::Duration;

    fn left(root: &Path, owner: OwnerId) -> Vec<String> {
        let entries = fs::read_dir(root.join(owner.to_string())).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    /// Fault: the server is killed
    /// Moment: while an export is gathered or sent
    /// Outcome: what it left is removed when a server starts, and what others gather stays
    #[tokio::test]
    async fn what_a_killed_server_left_is_swept_and_what_is_gathered_stays() {
        let root = tempfile::tempdir().unwrap();
        let (spool, clock) = (Spool::new(root.path().to_owned()), Clock::system());
        let (owner, id): (OwnerId, ExportId) = (clock.new_id(), clock.new_id());
        let now = SystemTime::from(clock.now().utc());
        spool.sweep(now).await.unwrap();
        let folder = spool.folder(owner, id).await.unwrap();
        let [killed, begun]: [ExportId; 2] = [clock.new_id(), clock.new_id()];
        let of_owner = root.path().join(owner.to_string());
        fs::create_dir(of_owner.join(killed.to_string())).unwrap();
        fs::write(of_owner.join(killed.to_string()).join(LOCK), "").unwrap();
        fs::write(of_owner.join(killed.to_string()).join("messages.jsonl"), "{}\n").unwrap();
        fs::create_dir(of_owner.join(format!("{begun}.{NEW}"))).unwrap();
        spool.sweep(now).await.unwrap();
        let mut expected = vec![id.to_string(), format!("{begun}.{NEW}")];
        expected.sort();
        let mut found = left(root.path(), owner);
        found.sort();
        assert_eq!(found, expected);
        spool.sweep(now + LEFT_OVER + Duration::from_secs(60)).await.unwrap();
        assert_eq!(left(root.path(), owner), [id.to_string()]);
        drop(folder);
        while !left(root.path(), owner).is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Fault: the disk of the server's files is full
    /// Moment: while an export is gathered
    /// Outcome: 503 that says so, nothing of it is left, and the next one finds room
    #[test]
    fn an_export_that_finds_no_room_says_so_and_leaves_nothing() {
        with_own_mounts(async {
            let disk = SmallDisk::mount(4 << 20);
            let (spool, clock) = (Spool::new(disk.path().join("exports")), Clock::system());
            let (owner, line) = (clock.new_id(), "x".repeat(100 << 10));
            let gather = async || {
                let folder = spool.folder(owner, clock.new_id()).await?;
                let mut file = Lines::create(&folder, "messages.jsonl").await?;
                for _ in 0..20 {
                    file.push(&line).await?;
                }
                Ok::<_, ApiError>(file.finish().await?.bytes)
            };
            disk.fill(1 << 20);
            let error = gather().await.unwrap_err();
            assert_eq!(error.code(), Code::DbUnavailable);
            assert!(error.message().contains("no room left"), "{error}");
            disk.make_room();
            while !left(&disk.path().join("exports"), owner).is_empty() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            assert_eq!(gather().await.unwrap(), 20 * ((100 << 10) + 3));
        });
    }
}
