//! Files of an archive as they are written: hashed on the way.

use super::spool::{Folder, SpoolError, off_thread};
use crate::error::ApiError;
use makima_wire::ExportedFile;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::PathBuf,
};

/// How much is gathered before it is written.
const PIECE: usize = 256 << 10;

/// A file of JSON lines.
pub(super) struct Lines {
    name: String,
    file: Option<Hashed>,
    piece: Vec<u8>,
    lines: u64,
}

/// A file that is hashed as it is written.
struct Hashed {
    /// It is not removed while somebody writes to it.
    _folder: Folder,
    path: PathBuf,
    file: File,
    hasher: Sha256,
    bytes: u64,
}

impl Hashed {
    fn create(folder: Folder, name: &str) -> Result<Self, SpoolError> {
        let path = folder.file(name);
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).map_err(SpoolError::at(above))?;
        }
        let file = File::create(&path).map_err(SpoolError::at(&path))?;
        Ok(Self { _folder: folder, path, file, hasher: Sha256::new(), bytes: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        self.file.write_all(bytes).map_err(SpoolError::at(&self.path))?;
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn finish(self, name: String, lines: Option<u64>) -> ExportedFile {
        ExportedFile { name, bytes: self.bytes, sha256: hex(&self.hasher.finalize()), lines }
    }
}

impl Lines {
    /// An empty one.
    pub(super) async fn create(folder: &Folder, name: &str) -> Result<Self, SpoolError> {
        let (folder, name) = (folder.clone(), name.to_owned());
        let (file, name) = off_thread(move || Hashed::create(folder, &name).map(|file| (file, name))).await?;
        Ok(Self { name, file: Some(file), piece: Vec::new(), lines: 0 })
    }

    /// Appends a line.
    pub(super) async fn push(&mut self, row: &impl Serialize) -> Result<(), ApiError> {
        serde_json::to_writer(&mut self.piece, row).map_err(ApiError::internal)?;
        self.piece.push(b'\n');
        self.lines += 1;
        if self.piece.len() >= PIECE {
            self.write().await?;
        }
        Ok(())
    }

    /// All of it is there.
    pub(super) async fn finish(mut self) -> Result<ExportedFile, SpoolError> {
        self.write().await?;
        let Some(file) = self.file.take() else { return Err(cut_off()) };
        Ok(file.finish(self.name, Some(self.lines)))
    }

    async fn write(&mut self) -> Result<(), SpoolError> {
        // One whose write was given up half-way has none any more.
        let Some(mut file) = self.file.take() else { return Err(cut_off()) };
        let piece = std::mem::take(&mut self.piece);
        self.file = Some(off_thread(move || file.write(&piece).map(|()| file)).await?);
        Ok(())
    }
}

fn cut_off() -> SpoolError {
    SpoolError::at("".as_ref())(io::ErrorKind::BrokenPipe.into())
}

/// Writes a file at once.
pub(super) async fn write(folder: &Folder, name: String, bytes: Vec<u8>) -> Result<ExportedFile, SpoolError> {
    let folder = folder.clone();
    off_thread(move || {
        let mut file = Hashed::create(folder, &name)?;
        file.write(&bytes)?;
        Ok(file.finish(name, None))
    })
    .await
}

/// A file that somebody else wrote.
pub(super) async fn hashed(folder: &Folder, name: String) -> Result<ExportedFile, SpoolError> {
    let path = folder.file(&name);
    off_thread(move || {
        let mut file = File::open(&path).map_err(SpoolError::at(&path))?;
        let (mut hasher, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; PIECE]);
        loop {
            let read = file.read(&mut buffer).map_err(SpoolError::at(&path))?;
            if read == 0 {
                return Ok(ExportedFile { name, bytes, sha256: hex(&hasher.finalize()), lines: None });
            }
            hasher.update(&buffer[..read]);
            bytes += read as u64;
        }
    })
    .await
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
