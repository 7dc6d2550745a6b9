//! A blob that is being written: hashed on the way, and named by its hash when all of it is there.

use crate::{DaemonError, disk, folders::Folders};
use makima_model::{BlobRef, TaskId};
use std::{
    io,
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    fs::File,
    io::{AsyncWrite, AsyncWriteExt},
};

/// Of one task there is one at a time: what an earlier one left is written over.
pub(super) struct NewBlob {
    path: PathBuf,
    file: File,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl NewBlob {
    pub(super) async fn create(folders: &Folders, task: TaskId) -> Result<Self, DaemonError> {
        let path = folders.blob(&format!("{task}.new"));
        let file = File::create(&path).await.map_err(|source| DaemonError::write(&path, source))?;
        Ok(Self { path, file, hasher: blake3::Hasher::new(), bytes: 0 })
    }

    /// Leaves it, synced, where it is uploaded from.
    pub(super) async fn keep(self, folders: &Folders) -> Result<BlobRef, DaemonError> {
        let path = self.path.clone();
        let kept = self.try_keep(folders).await;
        if kept.is_err() {
            // What there was no room for takes none; where even that fails, the next one writes over it.
            let _ = tokio::fs::remove_file(path).await;
        }
        kept
    }

    async fn try_keep(mut self, folders: &Folders) -> Result<BlobRef, DaemonError> {
        let failed = |source| DaemonError::write(&self.path, source);
        self.file.flush().await.map_err(failed)?;
        self.file.sync_all().await.map_err(failed)?;
        let hash = self.hasher.finalize().to_hex().to_string();
        tokio::fs::rename(&self.path, folders.blob(&hash)).await.map_err(failed)?;
        Ok(BlobRef { hash, bytes: self.bytes })
    }

    pub(super) async fn discard(self) -> Result<(), DaemonError> {
        let Self { path, .. } = self;
        disk::off_thread(move || disk::remove(&path)).await
    }
}

impl AsyncWrite for NewBlob {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.file).poll_write(context, bytes))?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_shutdown(context)
    }
}
