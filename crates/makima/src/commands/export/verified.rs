//! Whether an archive is what its manifest says, found out while it comes.

use crate::failure::Failure;
use bytes::Bytes;
use flate2::read::GzDecoder;
use makima_wire::{ExportedFile, Manifest};
use sha2::{Digest, Sha256};
use std::{
    collections::VecDeque,
    io::{self, Read},
};
use tokio::{sync::mpsc, task::JoinHandle};

/// How many pieces may wait to be looked at.
const AHEAD: usize = 16;
/// The largest manifest: millions of files.
const LARGEST: u64 = 1 << 30;

/// Looks at an archive.
pub(super) struct Verifier {
    pieces: mpsc::Sender<Bytes>,
    looking: JoinHandle<Result<Manifest, String>>,
}

impl Verifier {
    /// Begins to.
    pub(super) fn begin() -> Self {
        let (pieces, come) = mpsc::channel(AHEAD);
        let looking = tokio::task::spawn_blocking(move || look(Pieces { come, piece: Bytes::new() }));
        Self { pieces, looking }
    }

    /// Takes the next piece.
    pub(super) async fn take(&self, piece: Bytes) {
        // Where it has seen enough, it says so at the end.
        let _ = self.pieces.send(piece).await;
    }

    /// What it came to, after the last.
    pub(super) async fn finish(self) -> Result<Manifest, Failure> {
        drop(self.pieces);
        let looked = self.looking.await.unwrap_or_else(|error| Err(error.to_string()));
        looked.map_err(|why| {
            Failure::new(format!("what came is not the archive that was sent: {why}"))
                .hint("ask for it once more")
        })
    }
}

/// What has come, to be read.
struct Pieces {
    come: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.come.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let taken = self.piece.len().min(into.len());
        into[..taken].copy_from_slice(&self.piece.split_to(taken));
        Ok(taken)
    }
}

fn look(pieces: Pieces) -> Result<Manifest, String> {
    let told = |error: io::Error| error.to_string();
    let mut archive = tar::Archive::new(GzDecoder::new(pieces));
    let mut entries = archive.entries().map_err(told)?;
    let first = entries.next().ok_or("it is empty")?.map_err(told)?;
    if *first.path_bytes() != *b"manifest.json" {
        return Err("it doesn't begin with its manifest".to_owned());
    }
    let manifest: Manifest =
        serde_json::from_reader(first.take(LARGEST)).map_err(|error| error.to_string())?;
    let mut expected: VecDeque<&ExportedFile> = manifest.files.iter().collect();
    for entry in entries {
        let mut entry = entry.map_err(told)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let file = expected.pop_front().filter(|file| file.name == name);
        let file = file.ok_or_else(|| format!("{name:?} is not what comes next"))?;
        let (mut hasher, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 64 << 10]);
        loop {
            let read = entry.read(&mut buffer).map_err(told)?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            bytes += read as u64;
        }
        let hash: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if (bytes, &hash) != (file.bytes, &file.sha256) {
            return Err(format!("{name} has another hash"));
        }
    }
    match expected.front() {
        Some(file) => Err(format!("{} is missing", file.name)),
        None => {
            drop(expected);
            // To its very end: what the archive's own checksum says counts too.
            io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(told)?;
            Ok(manifest)
        }
    }
}
