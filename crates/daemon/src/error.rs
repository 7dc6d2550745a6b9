//! What can go wrong in a daemon or a run host.

use makima_agents::AgentError;
use makima_client::ClientError;
use makima_git::{
    BadName, BadSource, BaseError, CheckpointError, CloneError, CommitError, GitError, IncludeError,
    SourceError, WorktreeError,
};
use std::{io, path::PathBuf};

/// Why a daemon or a run host could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// This machine is none that agents are run on.
    #[error("agents are run on Linux on x86-64 and aarch64 only; this is {system} on {processor}")]
    Platform {
        /// The operating system.
        system: &'static str,
        /// The processor.
        processor: &'static str,
    },
    /// Two daemons would share a data folder.
    #[error("another daemon works in {path}: stop it, or start this one with another --data-dir")]
    FolderHeld {
        /// The data folder.
        path: PathBuf,
    },
    /// Somebody else writes a run's journal.
    #[error("another process writes the journal in {path}")]
    JournalHeld {
        /// The run's folder.
        path: PathBuf,
    },
    /// What should name a commit names none.
    #[error("{text:?} is no commit's name")]
    NoCommit {
        /// The text.
        text: String,
    },
    /// A file of another worktree can't be copied.
    #[error(transparent)]
    Copy(#[from] crate::worktrees::CopyError),
    /// A file could not be read.
    #[error("{path} could not be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("{path} could not be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file of ours has a form that this version doesn't know.
    #[error("{path} has a form that this version doesn't know: was it written by a newer one?")]
    Form {
        /// The file.
        path: PathBuf,
        /// Where it went wrong.
        source: serde_json::Error,
    },
    /// A file that a run can't do without is not there.
    #[error("{path} is missing")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A run host could not set up itself.
    #[error("the run host could not {act}")]
    Host {
        /// What it tried.
        act: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// A run host did not come up.
    #[error("the run host did not start: {words}")]
    HostSilent {
        /// The end of what it said.
        words: String,
    },
    /// A run host was killed before it could be talked to.
    #[error("the run host was killed before it could be talked to")]
    HostKilled,
    /// The program of a run host could not be started.
    #[error("the run host {program} could not be started")]
    HostProgram {
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Nobody configured the agent that is asked for.
    #[error("this daemon has no agent {agent:?}: add [agents.{agent}] to its configuration")]
    NoAgent {
        /// The agent.
        agent: String,
    },
    /// The agent can't be started as it is configured.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// git is missing or too old.
    #[error(transparent)]
    Git(#[from] GitError),
    /// What names the repository names none.
    #[error(transparent)]
    BadSource(#[from] BadSource),
    /// The repository can't be worked on.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The repository can't be cloned or fetched.
    #[error(transparent)]
    Clone(#[from] CloneError),
    /// There is nothing to begin from.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// The user's uncommitted changes can't be taken.
    #[error(transparent)]
    Include(#[from] IncludeError),
    /// There is no worktree.
    #[error(transparent)]
    Worktree(#[from] WorktreeError),
    /// The task's branch has no name that git takes.
    #[error(transparent)]
    BranchName(#[from] BadName),
    /// There is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// What the agent left can't be committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The server can't be reached, or said no.
    #[error(transparent)]
    Server(#[from] ClientError),
    /// The server doesn't take this daemon.
    #[error("the server does not take this daemon: {message}")]
    Refused {
        /// Why, with what to do.
        message: String,
    },
    /// The daemon is shutting down.
    #[error("the daemon is shutting down")]
    Aborted,
}

impl DaemonError {
    pub(crate) fn read(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Read { path: path.into(), source }
    }

    pub(crate) fn write(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Write { path: path.into(), source }
    }
}

/// An error and what it came from, in one line for people.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let words = source.to_string();
        // Where an error shows its cause already, once is enough.
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = source.source();
    }
    text
}
