//! How one git process can fail. What was being done with it is told by the error of the act that ran it.

use std::io;
use std::time::Duration;

/// A git process that did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// No git on `PATH`.
    #[error("git was not found; install git 2.38 or newer")]
    Missing {
        /// What the operating system said.
        source: io::Error,
    },
    /// A git that lacks what this crate uses.
    #[error("git {found} is too old; install git 2.38 or newer")]
    TooOld {
        /// What `git --version` said.
        found: String,
    },
    /// The process could not be started, fed or read.
    #[error("git {command} could not be run")]
    Run {
        /// The git command.
        command: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// git ended with an error.
    #[error("git {command} failed: {words}")]
    Failed {
        /// The git command.
        command: String,
        /// The exit code; `None` where a signal ended it.
        code: Option<i32>,
        /// What git wrote to stderr, its hints included, passwords in URLs left out.
        words: String,
    },
    /// git took longer than it was given, and was killed.
    #[error("git {command} took longer than {} s", after.as_secs())]
    TimedOut {
        /// The git command.
        command: String,
        /// How long it was given.
        after: Duration,
    },
    /// git wrote more than this crate holds in memory, and was killed.
    #[error("git {command} wrote more than {limit} bytes")]
    TooMuch {
        /// The git command.
        command: String,
        /// The limit.
        limit: u64,
    },
    /// git's answer was not in the form its manual gives.
    #[error("git {command} answered in an unknown form: {answer}")]
    Unreadable {
        /// The git command.
        command: String,
        /// The part that was not understood.
        answer: String,
    },
}

impl GitError {
    pub(crate) fn unreadable(command: &str, answer: &[u8]) -> Self {
        let shown = &answer[..answer.len().min(200)];
        Self::Unreadable { command: command.into(), answer: String::from_utf8_lossy(shown).into_owned() }
    }

    /// What git itself said, where it said something.
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::Failed { words, .. } => Some(words),
            _ => None,
        }
    }

    /// Whether git refused the repository because another user owns it. Its words then hold the command that
    /// allows it.
    pub fn is_dubious_ownership(&self) -> bool {
        self.words().is_some_and(|words| words.contains("dubious ownership"))
    }

    /// Whether the machine, not the repository, is in the way: trying again at once is no use.
    pub(crate) fn is_lasting(&self) -> bool {
        let lasting = [
            "No space left",
            "Permission denied",
            "Read-only file system",
            "Disk quota",
            "dubious ownership",
        ];
        match self {
            Self::Failed { words, .. } => lasting.iter().any(|known| words.contains(known)),
            _ => true,
        }
    }
}

/// git's stderr as it is shown: trimmed, lossily decoded, without the user names and passwords of URLs.
pub(crate) fn words_of(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.trim();
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after
            .find(|c: char| c == '/' || c == '\'' || c == '"' || c.is_whitespace())
            .unwrap_or(after.len());
        let authority = &after[..end];
        shown.push_str(authority.rsplit_once('@').map_or(authority, |(_, host)| host));
        rest = &after[end..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_left_out() {
        let said = b"fatal: unable to access 'https://me:secret@host/x.git/': no\nsee https://host/y\n";
        assert_eq!(words_of(said), "fatal: unable to access 'https://host/x.git/': no\nsee https://host/y");
    }
}
