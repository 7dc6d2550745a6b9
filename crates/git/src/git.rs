//! The git of this machine: found once, its version checked, the same settings on every call.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::invocation::Invocation;
use crate::{Environment, GitError};

const OLDEST: (u32, u32) = (2, 38);

/// A git that is new enough. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Git {
    settings: Arc<Settings>,
}

#[derive(Debug)]
struct Settings {
    program: PathBuf,
    environment: Environment,
    ssh_command: Option<OsString>,
    version: Version,
}

/// A version of git.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// `2` of 2.38.1.
    pub major: u32,
    /// `38` of 2.38.1.
    pub minor: u32,
    /// All of it, as git says it.
    pub text: String,
}

impl Git {
    /// Looks for git on the environment's `PATH` and checks its version.
    pub async fn find(environment: Environment) -> Result<Self, GitError> {
        let program = environment
            .program("git")
            .ok_or_else(|| GitError::Missing { source: io::ErrorKind::NotFound.into() })?;
        let bare = |ssh_command, version| Self {
            settings: Arc::new(Settings {
                program: program.clone(),
                environment: environment.clone(),
                ssh_command,
                version,
            }),
        };
        let unknown = Version { major: 0, minor: 0, text: String::new() };
        let git = bare(None, unknown);
        let said = git.run("version").ok().await?;
        let version = Version::read(&said).ok_or_else(|| GitError::unreadable("version", &said))?;
        if (version.major, version.minor) < OLDEST {
            return Err(GitError::TooOld { found: version.text });
        }
        let ssh_command = git.users_ssh_command().await?;
        Ok(bare(ssh_command, version))
    }

    /// The version that was found.
    pub fn version(&self) -> &Version {
        &self.settings.version
    }

    /// The environment that was given.
    pub fn environment(&self) -> &Environment {
        &self.settings.environment
    }

    /// The program itself.
    pub(crate) fn program(&self) -> &Path {
        &self.settings.program
    }

    /// How to call ssh: as the user set it up outside of any repository, else so that it never asks.
    /// Given by environment, so that no repository's own `core.sshCommand` is ever run.
    pub(crate) fn ssh_command(&self) -> &OsStr {
        self.settings.ssh_command.as_deref().unwrap_or(OsStr::new("ssh -oBatchMode=yes"))
    }

    async fn users_ssh_command(&self) -> Result<Option<OsString>, GitError> {
        use std::os::unix::ffi::OsStringExt;
        let environment = &self.settings.environment;
        if let Some(own) = environment.get("GIT_SSH_COMMAND") {
            return Ok(Some(own.to_owned()));
        }
        // `/dev/null` as git dir: only the settings of machine and user are read.
        let asked =
            self.run("config").git_dir(Path::new("/dev/null")).args(["--null", "--get", "core.sshCommand"]);
        let answer = asked.output().await?;
        let set = answer.stdout.strip_suffix(b"\0").filter(|_| answer.code == Some(0));
        let program = || environment.get("GIT_SSH").map(OsStr::to_owned);
        Ok(set.map(|value| OsString::from_vec(value.to_vec())).or_else(program))
    }

    /// A git command, with everything set that holds for all of them.
    pub(crate) fn run(&self, command: &str) -> Invocation {
        Invocation::new(self, command)
    }
}

impl Version {
    fn read(said: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(said).ok()?.trim().strip_prefix("git version ")?;
        let mut numbers = text.split(['.', ' ', '-']).map(|part| part.parse().ok());
        Some(Self { major: numbers.next()??, minor: numbers.next()??, text: text.into() })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_all_vendors_are_read() {
        let read = |text: &str| Version::read(text.as_bytes()).map(|v| (v.major, v.minor));
        assert_eq!(read("git version 2.47.3\n"), Some((2, 47)));
        assert_eq!(read("git version 2.39.5 (Apple Git-154)\n"), Some((2, 39)));
        assert_eq!(read("git version 2.50.GIT\n"), Some((2, 50)));
        assert_eq!(read("hub"), None);
    }
}
