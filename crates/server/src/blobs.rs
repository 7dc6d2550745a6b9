//! Blobs by the hash of their content, as files of a folder: patches now, bundles later.

use makima_model::BlobRef;
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};
use tokio::{
    fs,
    io::{self, AsyncWriteExt},
};

/// How old a file must be to be left over: no upload takes so long.
pub(crate) const LEFT_OVER: Duration = Duration::from_secs(60 * 60);

/// Why a blob can't be kept or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlobError {
    /// The bytes aren't those that were announced.
    #[error("the bytes hash to {actual}, not to {announced}")]
    Mismatch {
        /// The hash that was announced.
        announced: String,
        /// The hash of what came.
        actual: String,
    },
    /// The text is no BLAKE3 hash in hex.
    #[error("{text:?} is no BLAKE3 hash in hex")]
    NoHash {
        /// The text.
        text: String,
    },
    /// The folder couldn't be written or read.
    #[error("the blob folder failed at {path}")]
    Folder {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct Blobs {
    folder: PathBuf,
}

impl Blobs {
    /// The blobs below `folder`, which is made when the first one comes.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Keeps `bytes`, durably, if they are what `hash` says. Again is no harm.
    pub(crate) async fn put(&self, hash: &str, bytes: &[u8]) -> Result<BlobRef, BlobError> {
        let path = self.path(hash)?;
        let actual = blake3::hash(bytes).to_hex().to_string();
        if actual != hash {
            return Err(BlobError::Mismatch { announced: hash.to_owned(), actual });
        }
        if !fs::try_exists(&path).await.map_err(|source| BlobError::Folder { path: path.clone(), source })? {
            write(&path, bytes).await.map_err(|source| BlobError::Folder { path, source })?;
        }
        Ok(BlobRef { hash: actual, bytes: bytes.len() as u64 })
    }

    /// Puts a blob's file where nobody looks for it, until it is known whether anybody still has it.
    pub(crate) async fn put_aside(&self, hash: &str) -> Result<Aside, BlobError> {
        let path = self.path(hash)?;
        let aside = path.with_extension("gone");
        match fs::rename(&path, &aside).await {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(BlobError::Folder { path, source })
            }
            // One that isn't there was removed before, or put aside by one who was killed then.
            _ => Ok(Aside { path, aside }),
        }
    }

    /// Removes what uploads left that ended with their server. Other servers may be at work in the same folder.
    pub(crate) async fn sweep(&self, now: SystemTime) -> io::Result<()> {
        let mut parts = match fs::read_dir(&self.folder).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            parts => parts?,
        };
        while let Some(part) = parts.next_entry().await? {
            let mut files = fs::read_dir(part.path()).await?;
            while let Some(file) = files.next_entry().await? {
                let path = file.path();
                // One that isn't there any more was kept meanwhile.
                let written = file.metadata().await.and_then(|metadata| metadata.modified());
                let age = written.ok().and_then(|at| now.duration_since(at).ok());
                if path.extension().is_some_and(|ending| ending == "new") && age > Some(LEFT_OVER) {
                    fs::remove_file(path).await?;
                }
            }
        }
        Ok(())
    }

    fn path(&self, hash: &str) -> Result<PathBuf, BlobError> {
        let good = hash.len() == 64 && hash.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c));
        if !good {
            return Err(BlobError::NoHash { text: hash.chars().take(80).collect() });
        }
        Ok(self.folder.join(&hash[..2]).join(hash))
    }
}

/// A blob's file that was put aside.
#[derive(Debug)]
pub(crate) struct Aside {
    path: PathBuf,
    aside: PathBuf,
}

impl Aside {
    /// Puts it back, or removes it.
    pub(crate) async fn settle(self, is_kept: bool) -> Result<(), BlobError> {
        let settled = match is_kept {
            true => fs::rename(&self.aside, &self.path).await,
            false => fs::remove_file(&self.aside).await,
        };
        match settled {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(BlobError::Folder { path: self.path, source })
            }
            _ => Ok(()),
        }
    }
}

/// Written beside, synced, then renamed: a blob is whole or not there.
async fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).await?;
    // A name of its own: two that keep the same blob at once must not write one file.
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let beside = path.with_extension(format!(
        "{}-{}.new",
        std::process::id(),
        WRITTEN.fetch_add(1, Ordering::Relaxed)
    ));
    if let Err(error) = fill(&beside, path, bytes).await {
        // What there was no room for takes none; where even that fails, nothing more can be done about it.
        let _ = fs::remove_file(&beside).await;
        return Err(error);
    }
    // Its name, and those of its folder and of all blobs' where they are new.
    for folder in path.ancestors().skip(1).take(3).filter(|folder| !folder.as_os_str().is_empty()) {
        fs::File::open(folder).await?.sync_all().await?;
    }
    Ok(())
}

async fn fill(beside: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(beside).await?;
    file.write_all(bytes).await?;
    // Without it, what went wrong while the last bytes were written is told by nobody: syncing is silent about it.
    file.flush().await?;
    file.sync_all().await?;
    fs::rename(beside, path).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ApiError;
    use makima_testkit::{SmallDisk, with_own_mounts};
    use makima_wire::Code;

    #[tokio::test]
    async fn a_blob_is_kept_under_its_own_hash_alone() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::new(folder.path().join("blobs"));
        let hash = blake3::hash(b"patch").to_hex().to_string();
        for _ in 0..2 {
            assert_eq!(blobs.put(&hash, b"patch").await.unwrap().bytes, 5);
        }
        let kept = folder.path().join("blobs").join(&hash[..2]).join(&hash);
        assert_eq!(std::fs::read(&kept).unwrap(), b"patch");
        // What nobody has any more is put aside, and comes back or goes.
        blobs.put_aside(&hash).await.unwrap().settle(true).await.unwrap();
        assert_eq!(std::fs::read(&kept).unwrap(), b"patch");
        let aside = blobs.put_aside(&hash).await.unwrap();
        assert!(!kept.exists());
        blobs.put(&hash, b"patch").await.unwrap();
        aside.settle(false).await.unwrap();
        assert_eq!(std::fs::read(&kept).unwrap(), b"patch");
        for _ in 0..2 {
            blobs.put_aside(&hash).await.unwrap().settle(false).await.unwrap();
            assert!(!kept.exists());
        }
        assert!(matches!(blobs.put(&hash, b"other").await, Err(BlobError::Mismatch { .. })));
        assert!(matches!(blobs.put("../../etc/passwd", b"x").await, Err(BlobError::NoHash { .. })));
    }

    #[tokio::test]
    async fn what_a_killed_server_left_is_swept_once_no_server_can_be_writing_it() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::new(folder.path().join("blobs"));
        let now = SystemTime::from(makima_model::Clock::system().now().utc());
        blobs.sweep(now).await.unwrap();
        let hash = blake3::hash(b"patch").to_hex().to_string();
        blobs.put(&hash, b"patch").await.unwrap();
        let kept = folder.path().join("blobs").join(&hash[..2]).join(&hash);
        let left = kept.with_extension("4711-0.new");
        std::fs::write(&left, b"pat").unwrap();
        blobs.sweep(now).await.unwrap();
        assert!(left.exists());
        blobs.sweep(now + LEFT_OVER + Duration::from_secs(60)).await.unwrap();
        assert!(kept.exists() && !left.exists());
    }

    /// Fault: the disk of the server's files is full
    /// Moment: while a patch is kept
    /// Outcome: nothing of it is left, the daemon is told to try again, and its next try finds room
    #[test]
    fn a_blob_that_finds_no_room_leaves_nothing_and_is_kept_later() {
        with_own_mounts(async {
            let disk = SmallDisk::mount(1 << 20);
            let blobs = Blobs::new(disk.path().join("blobs"));
            let bytes = vec![7; 200 << 10];
            let hash = blake3::hash(&bytes).to_hex().to_string();
            disk.fill(64 << 10);
            let error = ApiError::from(blobs.put(&hash, &bytes).await.unwrap_err());
            assert_eq!(error.code(), Code::DbUnavailable);
            assert!(error.message().contains("no room left"), "{error}");
            let beside = disk.path().join("blobs").join(&hash[..2]);
            assert_eq!(std::fs::read_dir(&beside).unwrap().count(), 0);
            disk.make_room();
            blobs.put(&hash, &bytes).await.unwrap();
            assert_eq!(std::fs::read(beside.join(&hash)).unwrap(), bytes);
        });
    }
}
