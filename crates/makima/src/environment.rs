//! The one place that looks at the process's environment; everything else is handed what it needs.
//!
//! Variables that stand for a flag (`MAKIMA_…`) are read by clap, beside the flag.

use etcetera::BaseStrategy;
use makima_failpoints::Failpoints;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// A variable that is set to something.
#[expect(clippy::disallowed_methods, reason = "the one home of the environment")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// A variable that is set to some text.
pub(crate) fn text(name: &str) -> Option<String> {
    variable(name)?.into_string().ok()
}

/// A variable that is set to some text, or to nothing.
#[expect(clippy::disallowed_methods, reason = "the one home of the environment")]
pub(crate) fn text_or_empty(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok()
}

/// All variables: what git and the agents' environments are made of.
#[expect(clippy::disallowed_methods, reason = "the one home of the environment")]
pub(crate) fn all() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

/// Where a test kills the program: at the step that `MAKIMA_FAILPOINT` names. A release build doesn't look.
pub(crate) fn failpoints() -> Failpoints {
    #[cfg(debug_assertions)]
    if let Some(step) = text("MAKIMA_FAILPOINT") {
        return Failpoints::killing_at(&step);
    }
    Failpoints::default()
}

/// Where Makima keeps its data unless told otherwise: the XDG data folder's `makima`.
pub(crate) fn data_folder() -> Option<PathBuf> {
    Some(etcetera::base_strategy::Xdg::new().ok()?.data_dir().join("makima"))
}

/// Where Claude Code keeps what is its own.
pub(crate) fn claude_folder() -> Option<PathBuf> {
    match variable("CLAUDE_CONFIG_DIR") {
        Some(folder) => Some(folder.into()),
        None => Some(etcetera::base_strategy::Xdg::new().ok()?.home_dir().join(".claude")),
    }
}

/// The folder that the command was called in.
pub(crate) fn working_folder() -> std::io::Result<PathBuf> {
    std::env::current_dir()
}

/// This program's file.
pub(crate) fn program() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}

/// How to call this program again from a shell: its bare name where the shell would find this very file by it.
pub(crate) fn program_name() -> String {
    let Ok(program) = program() else { return "makima".to_owned() };
    let name = program.file_name().map(PathBuf::from).unwrap_or_default();
    let found = variable("PATH").and_then(|path| {
        std::env::split_paths(&path).map(|folder| folder.join(&name)).find(|candidate| candidate.is_file())
    });
    let same = |one: &Path| one.canonicalize().ok() == program.canonicalize().ok();
    match found {
        Some(found) if same(&found) => name.display().to_string(),
        _ => program.display().to_string(),
    }
}

/// Whether there is a desktop that could show a page.
pub(crate) fn has_desktop() -> bool {
    variable("DISPLAY").is_some() || variable("WAYLAND_DISPLAY").is_some()
}

/// The name of whoever is logged in.
pub(crate) fn login_name() -> String {
    text("USER").or_else(|| text("LOGNAME")).or_else(account_name).unwrap_or_else(|| "owner".to_owned())
}

/// The name of the process's account, as the machine has it.
fn account_name() -> Option<String> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let id = rustix::process::getuid().as_raw().to_string();
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    })
}

/// The name of this machine.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
