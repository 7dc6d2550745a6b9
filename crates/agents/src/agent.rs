//! How an agent's program is found and started.

use crate::{AgentError, Dialogue, Environment, SessionFile};
use makima_model::{Clock, ContractId, PermissionMode, RunId, TaskId};
use std::path::{Path, PathBuf};

/// An agent that is configured on this machine.
pub trait Agent: Send + Sync {
    /// Its name below `[agents]` of the configuration.
    fn name(&self) -> &str;

    /// What the configuration lets it do without asking; a task may say otherwise.
    fn permission_mode(&self) -> PermissionMode;

    /// The program to run to learn whether the agent is there, and in which version. It ends by itself within seconds;
    /// an exit code other than 0 means that the agent isn't usable.
    fn version_query(&self, environment: &Environment) -> Result<Program, AgentError>;

    /// The version, out of what that program wrote to its standard output.
    fn read_version(&self, stdout: &[u8]) -> Option<String>;

    /// The files of a worktree that tell the agent about the repository, relative to it. Where the repository isn't
    /// trusted they are read by [`instructions`](crate::instructions()) and handed to [`Launch::instructions`].
    fn instruction_files(&self) -> &[&str];

    /// Where, in the run's folder, the session file of a conversation is to be written before the agent resumes it.
    fn session_path(&self, folder: &Path, session_id: &str) -> PathBuf {
        // The id was the agent's own word once: it must not lead anywhere else.
        let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        folder.join("session").join(session_id.chars().take(64).map(safe).collect::<String>() + ".jsonl")
    }

    /// Writes a session file out of what the server holds of the conversation `session_id`, whose work goes on in
    /// `worktree`.
    fn session_file(&self, session_id: &str, worktree: &Path) -> Box<dyn SessionFile>;

    /// All that is needed to start the program.
    ///
    /// # Errors
    ///
    /// When the configuration names no program, or what it needs isn't given.
    fn launch(&self, launch: &Launch) -> Result<Program, AgentError>;

    /// The agent's side of the talk with one process, which has just been started for `launch`.
    fn dialogue(&self, launch: &Launch, clock: Clock) -> Box<dyn Dialogue>;
}

/// What a run's agent is started for.
#[derive(Debug, Clone, PartialEq)]
pub struct Launch {
    /// The run.
    pub run: RunId,
    /// Its task.
    pub task: TaskId,
    /// The task's contract.
    pub contract: Option<ContractId>,
    /// Where the agent works. Absolute.
    pub worktree: PathBuf,
    /// The run's own folder: for the agent's session, configuration and temporary files; removed some time after the
    /// run. Absolute, and not in the worktree.
    pub folder: PathBuf,
    /// What the agent may do without asking.
    pub permission_mode: PermissionMode,
    /// The conversation to go on with; `None` begins a new one.
    pub resume: Option<Resume>,
    /// Whether the owner trusts the repository: then its own settings, hooks and tool servers are the agent's too.
    pub trusted: bool,
    /// Whether the program will run as root.
    pub root: bool,
    /// What the repository tells agents ([`Agent::instruction_files`]).
    pub instructions: Option<String>,
    /// The caller's own environment: what of it the agent gets is decided by the agent ([`inherited`](crate::inherited)).
    pub environment: Environment,
    /// What the agent's environment holds besides, without exception: `MAKIMA_API_URL`, `MAKIMA_TOOL_KEY`. The ids of run, task and
    /// contract are added by the agent.
    pub variables: Environment,
}

impl Launch {
    /// The variables that every agent's environment holds (settled points, §9).
    pub(crate) fn own_variables(&self) -> Environment {
        let mut own = self.variables.clone();
        own.insert("MAKIMA_RUN_ID".to_owned(), self.run.to_string());
        own.insert("MAKIMA_TASK_ID".to_owned(), self.task.to_string());
        if let Some(contract) = self.contract {
            own.insert("MAKIMA_CONTRACT_ID".to_owned(), contract.to_string());
        }
        own
    }

    /// The folder for temporary files: in the run's, so that it goes with it.
    pub(crate) fn temporary_folder(&self) -> PathBuf {
        self.folder.join("tmp")
    }
}

/// A conversation to go on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// The agent's id of it, as its [session record](makima_model::Record::Session) told.
    pub session_id: String,
    /// The session file, already written by a [`SessionFile`] to [`Agent::session_path`].
    pub file: PathBuf,
}

/// A program to start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments; never empty. A program without a slash is looked for in the `PATH` of `environment`.
    pub command: Vec<String>,
    /// Its whole environment: nothing is inherited besides.
    pub environment: Environment,
    /// Where it is started; `None`: anywhere.
    pub working_folder: Option<PathBuf>,
    /// Folders that must exist before it starts; made with mode 0700.
    pub folders: Vec<PathBuf>,
    /// Files to write before it starts, mode 0600; their folders are made too.
    pub files: Vec<InitialFile>,
}

/// A file that a program finds when it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitialFile {
    /// Where. Absolute.
    pub path: PathBuf,
    /// What is in it.
    pub contents: Vec<u8>,
}
