//! How a command fails: an exit code, one line, and a hint.

use makima_client::ClientError;
use makima_wire::Code;
use std::{error::Error, fmt, process::ExitCode};

/// The exit codes of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was done.
    Done = 0,
    /// It was refused, or went wrong.
    Failed = 1,
    /// The command was wrong.
    Usage = 2,
    /// There is no such thing.
    NotFound = 3,
    /// The key doesn't open it.
    NotAllowed = 4,
    /// No server answers.
    NoServer = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do what it was asked, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What the program exits with.
    pub(crate) exit: Exit,
    /// What went wrong, in one line.
    pub(crate) message: String,
    /// What to do, in one line.
    pub(crate) hint: Option<String>,
    /// The server that was not understood, or did not understand: it may be of another version.
    pub(crate) misunderstood: Option<String>,
}

impl Failure {
    /// A failure that isn't one of the special kinds.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into(), hint: None, misunderstood: None }
    }

    /// The command was wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(message) }
    }

    /// There is no such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self { exit: Exit::NotFound, ..Self::new(message) }
    }

    /// What went wrong, with all its causes.
    pub(crate) fn because(what: impl fmt::Display, cause: &(dyn Error + 'static)) -> Self {
        Self::new(format!("{what}: {}", chain(cause)))
    }

    /// The same, with what to do about it.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// An error and its causes in one line; a cause that its effect has already told is left out.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    line
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let hint = match &error {
            ClientError::Unreachable { .. } => {
                Some("start one with `makima up`, or name another with MAKIMA_API_URL and MAKIMA_API_KEY")
            }
            ClientError::NotMakima { .. } => Some("is the address right? MAKIMA_API_URL names another"),
            ClientError::Strange { .. } => Some("use the same version of makima on both sides"),
            ClientError::Refused { body, .. } => match body.code {
                Code::Unauthorized => {
                    Some("set MAKIMA_API_KEY to a key of this server; `makima up` saves one")
                }
                Code::UnknownHost => Some(
                    "name it to the server with --allowed-hosts, or call the server by its address in digits",
                ),
                _ => None,
            },
        };
        let exit = match &error {
            ClientError::Unreachable { .. } => Exit::NoServer,
            ClientError::Refused { status, .. } => match status.as_u16() {
                401 | 403 => Exit::NotAllowed,
                404 => Exit::NotFound,
                _ => Exit::Failed,
            },
            ClientError::NotMakima { .. } | ClientError::Strange { .. } => Exit::Failed,
        };
        // What the library below says of a refused connection helps nobody.
        let message = match &error {
            ClientError::Unreachable { .. } => error.to_string(),
            other => chain(other),
        };
        let misunderstood = match &error {
            ClientError::NotMakima { url, .. } | ClientError::Strange { url, .. } => Some(url.clone()),
            // What an older server doesn't know yet, or a newer one no longer.
            ClientError::Refused { url, status, .. } => {
                matches!(status.as_u16(), 400 | 404 | 405 | 422).then(|| url.clone())
            }
            ClientError::Unreachable { .. } => None,
        };
        Self { exit, message, hint: hint.map(str::to_owned), misunderstood }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Told {
        text: &'static str,
        source: Option<Box<Told>>,
    }

    #[test]
    fn causes_are_told_once_each() {
        let lock = Told { text: "permission denied", source: None };
        let open = Told { text: "could not open a.db: permission denied", source: Some(Box::new(lock)) };
        let up = Told { text: "no database", source: Some(Box::new(open)) };
        assert_eq!(chain(&up), "no database: could not open a.db: permission denied");
    }
}
