//! What a run's host is told: a file that the daemon writes before it starts the host.

use crate::{DaemonError, disk};
use makima_agents::{Agent, AgentConfig, Environment, Launch, Program, Resume};
use makima_model::{ContractId, PermissionMode, RunId, TaskId};
use makima_wire::frame::Input;
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

const FILE: &str = "host.json";

/// All that a host needs to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct HostSpec {
    pub(crate) run: RunId,
    pub(crate) task: TaskId,
    pub(crate) contract: Option<ContractId>,
    pub(crate) agent: AgentSpec,
    pub(crate) program: ProgramSpec,
    pub(crate) worktree: PathBuf,
    pub(crate) permission_mode: PermissionMode,
    pub(crate) resume: Option<ResumeSpec>,
    pub(crate) is_trusted: bool,
    pub(crate) instructions: Option<String>,
    /// What to say first, as one turn.
    pub(crate) inputs: Vec<Input>,
    pub(crate) patience: Patience,
}

/// As much of an agent's configuration as its dialogue needs: no secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AgentSpec {
    pub(crate) name: String,
    /// Without the variables that it adds: they are in the program's environment.
    pub(crate) config: AgentConfig,
    pub(crate) scripted_program: Vec<String>,
}

/// The program to start; what it needs to find is written already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProgramSpec {
    pub(crate) command: Vec<String>,
    pub(crate) environment: Environment,
    pub(crate) working_folder: Option<PathBuf>,
}

/// The conversation that the agent goes on with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ResumeSpec {
    pub(crate) session_id: String,
    pub(crate) file: PathBuf,
}

/// How long a host waits before it takes the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patience {
    /// For the end of a turn that was interrupted.
    pub interrupt: Duration,
    /// For the exit of an agent whose work is done and whose input is closed.
    pub exit: Duration,
    /// For the exit of an agent that is being stopped: after its input is closed, and again after SIGTERM.
    pub stop: Duration,
    /// For a daemon to come back.
    pub daemon: Duration,
    /// For a word of an agent that works, until it is told that there is none.
    pub quiet: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            interrupt: seconds(10),
            exit: seconds(30),
            stop: seconds(5),
            daemon: seconds(60),
            quiet: seconds(15 * 60),
        }
    }
}

impl HostSpec {
    /// Writes it to a run's folder.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), DaemonError> {
        disk::write_json(&folder.join(FILE), self)
    }

    pub(super) fn read(folder: &Path) -> Result<Self, DaemonError> {
        let path = folder.join(FILE);
        disk::read_json(&path)?.ok_or(DaemonError::Missing { path })
    }

    pub(super) fn agent(&self) -> Result<Box<dyn Agent>, DaemonError> {
        let AgentSpec { name, config, scripted_program } = &self.agent;
        Ok(makima_agents::configured(name, config, scripted_program)?)
    }

    /// What the program was started for. Its environment stands in [`ProgramSpec`] alone.
    pub(super) fn launch(&self, folder: &Path) -> Launch {
        Launch {
            run: self.run,
            task: self.task,
            contract: self.contract,
            worktree: self.worktree.clone(),
            folder: folder.to_owned(),
            permission_mode: self.permission_mode,
            resume: self
                .resume
                .as_ref()
                .map(|resume| Resume { session_id: resume.session_id.clone(), file: resume.file.clone() }),
            trusted: self.is_trusted,
            root: rustix::process::geteuid().is_root(),
            instructions: self.instructions.clone(),
            environment: Environment::new(),
            variables: Environment::new(),
        }
    }
}

impl From<&Program> for ProgramSpec {
    fn from(program: &Program) -> Self {
        Self {
            command: program.command.clone(),
            environment: program.environment.clone(),
            working_folder: program.working_folder.clone(),
        }
    }
}
