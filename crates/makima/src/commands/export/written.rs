//! The file that an export becomes: beside its place until all of it is there.

use crate::{failure::Failure, printer::Printer};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

/// Where an export goes.
pub(super) enum Place {
    Stdout,
    File(PathBuf),
}

/// What is written.
pub(super) struct Written {
    file: Option<New>,
    is_forced: bool,
    hasher: Sha256,
    bytes: u64,
}

/// A file that goes with this unless it is kept.
struct New {
    path: PathBuf,
    beside: PathBuf,
    file: File,
}

/// What was written.
pub(super) struct Kept {
    /// `None`: to standard output.
    pub(super) path: Option<PathBuf>,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl Drop for New {
    fn drop(&mut self) {
        // Once it is kept it has another name.
        let _ = fs::remove_file(&self.beside);
    }
}

impl Written {
    /// Whether it may be written there.
    pub(super) fn may_be(path: &Path, is_forced: bool) -> Result<(), Failure> {
        if path.is_dir() {
            return Err(Failure::usage(format!("{} is a folder", path.display())));
        }
        if !is_forced && path.symlink_metadata().is_ok() {
            return Err(Failure::new(format!("{} is there already", path.display()))
                .hint("--force writes over it, --output names another"));
        }
        Ok(())
    }

    /// Begins it.
    pub(super) fn begin(place: Place, is_forced: bool) -> Result<Self, Failure> {
        let file = match place {
            Place::Stdout => None,
            Place::File(path) => {
                Self::may_be(&path, is_forced)?;
                let name =
                    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let beside = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
                let file = OpenOptions::new().write(true).create_new(true).open(&beside);
                let file = file.map_err(|error| not_written(&path, &error))?;
                Some(New { path, beside, file })
            }
        };
        Ok(Self { file, is_forced, hasher: Sha256::new(), bytes: 0 })
    }

    /// Appends a piece.
    pub(super) fn write(&mut self, piece: &[u8], printer: &Printer) -> Result<(), Failure> {
        match &mut self.file {
            Some(new) => new.file.write_all(piece).map_err(|error| not_written(&new.path, &error))?,
            None => printer
                .bytes(piece)
                .map_err(|error| Failure::because("standard output takes no more", &error))?,
        }
        self.hasher.update(piece);
        self.bytes += piece.len() as u64;
        Ok(())
    }

    /// Gives it its name.
    pub(super) fn finish(self) -> Result<Kept, Failure> {
        let Self { file, is_forced, hasher, bytes } = self;
        if let Some(new) = &file {
            let kept = new.file.sync_all().and_then(|()| match is_forced {
                true => fs::rename(&new.beside, &new.path),
                // Not one that came meanwhile.
                false => fs::hard_link(&new.beside, &new.path).or_else(|error| match error.kind() {
                    ErrorKind::AlreadyExists => Err(error),
                    // Where a file can't have two names.
                    _ => fs::rename(&new.beside, &new.path),
                }),
            });
            kept.map_err(|error| not_written(&new.path, &error))?;
        }
        let sha256 = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Kept { path: file.as_ref().map(|new| new.path.clone()), bytes, sha256 })
    }
}

fn not_written(path: &Path, error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::because(format!("{} can't be written", path.display()), error)
}
