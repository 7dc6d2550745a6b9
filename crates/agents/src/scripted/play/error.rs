//! Why the scripted agent ends before its time.

use std::{io, path::PathBuf};

/// Why the scripted agent could not play.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// Its arguments are not its own.
    #[error(
        "{argument:?} is no argument of the scripted agent: it takes --version, or --scenario FILE --session FILE \
         --session-id ID --worktree FOLDER --permission-mode MODE"
    )]
    Argument {
        /// What it was given; empty where one is missing.
        argument: String,
    },
    /// The scenario can't be read.
    #[error("the scenario {path} can't be read")]
    ReadScenario {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The scenario isn't one.
    #[error("{path} is no scenario")]
    Scenario {
        /// Where it is.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// The session file can't be read or written.
    #[error("the session {path} can't be kept")]
    Session {
        /// Where it is.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It was told what it doesn't understand.
    #[error("{line:?} is no line of its protocol")]
    Input {
        /// The line, cut to 200 characters.
        line: String,
    },
    /// Nobody reads what it writes.
    #[error("nobody reads the scripted agent's output")]
    Output(#[source] io::Error),
}
