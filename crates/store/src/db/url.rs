//! Database URLs.

use crate::StoreError;
use sqlx::postgres::PgConnectOptions;
use std::{
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// What a URL names.
#[derive(Debug)]
pub(super) enum Address {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(Box<PgConnectOptions>),
}

impl Address {
    /// `sqlite:<path>` takes the path as it is, with no escapes and no options: a file may have any name.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let unknown = || StoreError::Url { url: without_password(url) };
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            // A database in memory would be another one for each connection.
            return match path {
                "" | ":memory:" => Err(unknown()),
                path => Ok(Self::Sqlite(path.into())),
            };
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return url.parse().map(|options| Self::Postgres(Box::new(options))).map_err(|_| unknown());
        }
        Err(unknown())
    }
}

/// The URL as it may be shown.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let name = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{name}@{host}")
        }
        None => url.to_owned(),
    }
}

/// Makes the file and its folder where they aren't there; the file for its owner's eyes only, which SQLite then does
/// with the files beside it too.
pub(super) async fn make_file(path: &Path) -> Result<(), StoreError> {
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder)
            .await
            .map_err(|source| StoreError::File { path: folder.to_owned(), source })?;
    }
    let mut file = std::fs::OpenOptions::new();
    file.append(true).create(true).mode(0o600);
    match tokio::fs::OpenOptions::from(file).open(path).await {
        Ok(_) => Ok(()),
        Err(source) => Err(StoreError::File { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_as_it_is_called() {
        for (url, file) in [
            ("sqlite:/var/lib/makima/makima.db", "/var/lib/makima/makima.db"),
            ("sqlite:///var/lib/makima.db", "/var/lib/makima.db"),
            ("sqlite:makima.db", "makima.db"),
            ("sqlite:/a b/50%?.db", "/a b/50%?.db"),
        ] {
            assert!(
                matches!(Address::parse(url), Ok(Address::Sqlite(path)) if path == Path::new(file)),
                "{url}"
            );
        }
    }

    #[test]
    fn what_names_no_database_is_refused_without_telling_its_password() {
        for url in ["", "sqlite:", "sqlite::memory:", "mysql://localhost/x", "/var/lib/makima.db"] {
            assert!(matches!(Address::parse(url), Err(StoreError::Url { .. })), "{url}");
        }
        let error = Address::parse("mysql://me:s3cr@t@localhost/x").unwrap_err().to_string();
        assert!(error.contains("mysql://me@localhost/x"), "{error}");
    }
}
