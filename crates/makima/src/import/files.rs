//! The session files below a folder.

use crate::failure::Failure;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The session files at `path`: the file itself, or those below the folder at any depth, in the order of their names. Folders behind
/// symbolic links are not looked into.
pub(crate) fn session_files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unread = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Failure::not_found(format!("there is no {}", path.display()))
            .hint("name the file of a session, or a folder that holds such files"),
        _ => Failure::because(format!("{} can't be read", path.display()), &error),
    };
    if !fs::metadata(path).map_err(unread)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if folder == path => return Err(unread(error)),
            // One that may not be read hides nothing of the others.
            Err(_) => continue,
        };
        for entry in entries.flatten() {
            let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
            if kind.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "jsonl") && path.is_file() {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
