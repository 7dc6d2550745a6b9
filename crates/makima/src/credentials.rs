//! The file that tells the command line where its server is, and opens it.

use crate::failure::Failure;
use makima_model::OwnerId;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// A server, a key of it, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Credentials {
    /// The server's address.
    pub(crate) url: String,
    /// The key.
    pub(crate) api_key: String,
    /// Whose it is.
    pub(crate) owner_id: OwnerId,
}

impl Credentials {
    /// Those of the file; `None` where there is no such file, or it isn't whole: then it is as good as lost.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>, Failure> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::because(format!("could not read {}", path.display()), &error)),
        }
    }

    /// Writes the file, for its owner's eyes only, whole or not at all.
    pub(crate) fn save(&self, path: &Path) -> Result<(), Failure> {
        let new = path.with_extension(format!("{}.new", std::process::id()));
        let written = serde_json::to_vec(self).map_err(io::Error::from).and_then(|bytes| {
            let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&new, path)
        });
        written.map_err(|error| {
            let _ = std::fs::remove_file(&new);
            Failure::because(format!("could not write {}", path.display()), &error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn they_are_read_as_they_were_saved_and_nobody_else_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.json");
        assert_eq!(Credentials::load(&path).unwrap(), None);
        let credentials = Credentials {
            url: "http://127.0.0.1:1".to_owned(),
            api_key: "key".to_owned(),
            owner_id: "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000".parse().unwrap(),
        };
        credentials.save(&path).unwrap();
        assert_eq!(Credentials::load(&path).unwrap(), Some(credentials));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::write(&path, "{").unwrap();
        assert_eq!(Credentials::load(&path).unwrap(), None);
    }
}
