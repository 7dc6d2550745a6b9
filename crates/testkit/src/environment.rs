//! The only place of the kit that looks at the environment.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of the workspace that these tests were compiled in.
pub fn workspace_root() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the kit lies in a folder of crates");
    crates.parent().expect("the folder of crates lies in the workspace").to_owned()
}

/// A command that inherits nothing of the environment but `PATH`, so that a test sees the same on every machine.
pub fn scrubbed_command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    if let Some(path) = variable("PATH") {
        command.env("PATH", path);
    }
    command
}

/// An environment variable that is set to something.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where their tools are")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
