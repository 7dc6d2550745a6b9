//! What git may see of the caller's environment. This crate reads none itself, so tests decide all of it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// Variables that git, ssh or curl need to work as they do in the user's own shell. `GIT_*` is here only where it
/// says how to reach a server or where the user's settings stand; all others are scrubbed.
const PASSED_ON: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "GNUPGHOME",
    "KRB5CCNAME",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
];

/// The environment that every git process starts from.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// Takes from `all` (the caller's whole environment) what git needs, and nothing else.
    pub fn pick(all: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let variables =
            all.into_iter().filter(|(name, _)| PASSED_ON.iter().any(|known| name == known)).collect();
        Self { variables }
    }

    /// An environment in which no setting of the machine or its user is seen: for tests.
    pub fn hermetic(path: impl Into<OsString>, home: impl Into<OsString>) -> Self {
        let home = home.into();
        let pairs = [
            ("PATH", path.into()),
            ("HOME", home.clone()),
            ("XDG_CONFIG_HOME", home),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ];
        Self { variables: pairs.into_iter().map(|(name, value)| (name.into(), value)).collect() }
    }

    /// With one more variable, or another value of it.
    #[must_use]
    pub fn with(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// The value of one variable, if it is passed on.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// Where a program is on `PATH`. Started by this path, a process needs no copy of the caller's memory first, which is
    /// what the standard library makes where it has to look for the program in another `PATH` than the caller's own.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let is_program = |path: &PathBuf| {
            path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        let folders = std::env::split_paths(self.get("PATH")?);
        folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).find(is_program)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.variables.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_git_needs_is_passed_on() {
        let all = [
            ("PATH", "/bin"),
            ("GIT_DIR", "/elsewhere"),
            ("ANTHROPIC_API_KEY", "secret"),
            ("GIT_SSH", "ssh"),
        ];
        let picked = Environment::pick(all.map(|(name, value)| (name.into(), value.into())));
        assert_eq!(picked.get("PATH"), Some(OsStr::new("/bin")));
        assert_eq!(picked.get("GIT_SSH"), Some(OsStr::new("ssh")));
        assert_eq!((picked.get("GIT_DIR"), picked.get("ANTHROPIC_API_KEY")), (None, None));
    }
}
