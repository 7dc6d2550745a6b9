//! The only place that looks at the environment, beside the arguments.

use makima_git::Environment;
use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

/// An environment for git in which no setting of the machine or its user is seen.
pub(crate) fn hermetic(home: &Path) -> Environment {
    Environment::hermetic(path_variable(), home)
}

#[expect(clippy::disallowed_methods, reason = "the baseline's git is looked for where ours is")]
pub(crate) fn path_variable() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// Whether there is a PostgreSQL cluster to measure on, as `scripts/with-postgres` makes one.
#[expect(clippy::disallowed_methods, reason = "the kit finds the cluster by the same variable")]
pub(crate) fn has_postgres() -> bool {
    std::env::var_os("MAKIMA_TEST_POSTGRES").is_some_and(|url| !url.is_empty())
}

/// A program that was built together with this one.
pub(crate) fn beside(name: &str) -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}
