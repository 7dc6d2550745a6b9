//! An archive as it is sent: packed on the way, and the same for the same files.

use super::{archive::Archive, spool::Folder};
use axum::body::Bytes;
use flate2::{Compression, GzBuilder, write::GzEncoder};
use futures::{Stream, stream};
use makima_model::Timestamp;
use std::{
    collections::VecDeque,
    io::{self, Write},
};
use tokio::{fs::File, io::AsyncReadExt};

/// How much of a file is read at once.
const CHUNK: usize = 64 << 10;
/// A tar is written in blocks of so many bytes.
const BLOCK: usize = 512;

/// An archive that is being sent.
struct Packing {
    folder: Folder,
    files: VecDeque<(String, u64)>,
    modified: u64,
    reading: Option<Reading>,
    /// `None`: all of it was packed.
    packed: Option<GzEncoder<Vec<u8>>>,
}

/// A file that is being read.
struct Reading {
    file: File,
    left: u64,
    /// How much goes behind it, so that the next one begins with a block.
    padding: usize,
}

/// The archive's bytes. Its files go with the stream.
pub(crate) fn packed(archive: Archive) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let Archive { folder, files, modified_at, .. } = archive;
    let packing = Packing {
        folder,
        files: files.into_iter().map(|file| (file.name, file.bytes)).collect(),
        modified: seconds(modified_at),
        reading: None,
        packed: Some(GzBuilder::new().write(Vec::new(), Compression::default())),
    };
    stream::try_unfold(packing, |mut packing| async move {
        Ok(packing.next().await?.map(|bytes| (bytes, packing)))
    })
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.utc().timestamp()).unwrap_or(0)
}

impl Packing {
    /// The next bytes; `None`: that was all.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let Some(packed) = &mut self.packed else { return Ok(None) };
            let done = std::mem::take(packed.get_mut());
            if done.len() >= CHUNK {
                return Ok(Some(done.into()));
            }
            *packed.get_mut() = done;
            if let Some(Reading { file, left, padding }) = &mut self.reading {
                let mut chunk = vec![0; usize::try_from(*left).unwrap_or(CHUNK).min(CHUNK)];
                file.read_exact(&mut chunk).await?;
                *left -= chunk.len() as u64;
                packed.write_all(&chunk)?;
                if *left == 0 {
                    packed.write_all(&[0; BLOCK][..*padding])?;
                    self.reading = None;
                }
            } else if let Some((name, bytes)) = self.files.pop_front() {
                packed.write_all(header(&name, bytes, self.modified)?.as_bytes())?;
                if bytes > 0 {
                    let file = File::open(self.folder.file(&name)).await?;
                    let padding = (BLOCK - usize::try_from(bytes % BLOCK as u64).unwrap_or(0)) % BLOCK;
                    self.reading = Some(Reading { file, left: bytes, padding });
                }
            } else {
                packed.write_all(&[0; 2 * BLOCK])?;
                let rest = self.packed.take().map(GzEncoder::finish).transpose()?;
                return Ok(rest.map(Bytes::from));
            }
        }
    }
}

fn header(name: &str, bytes: u64, modified: u64) -> io::Result<tar::Header> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_size(bytes);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(modified);
    header.set_cksum();
    Ok(header)
}
