//! The agents that this daemon can run: as configured, and as found on this machine.

use crate::{DaemonConfig, DaemonError, host::AgentSpec};
use futures::future::join_all;
use makima_agents::{Agent, AgentConfig, Environment};
use makima_model::AgentInfo;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{collections::BTreeMap, path::Path, process::Stdio, time::Duration};
use tokio::process::Command;

/// How long an agent's program may take to tell its version. On a busy machine a large one takes many seconds, and one that is taken to
/// be missing gets no task.
const PATIENCE: Duration = Duration::from_secs(30);

/// Those that are tried as the default, the first that is there.
const DEFAULTS: [&str; 2] = ["claude", "scripted"];

/// All configured agents.
pub(crate) struct Agents {
    configured: BTreeMap<String, Configured>,
    scripted_program: Vec<String>,
    offered: Vec<AgentInfo>,
}

struct Configured {
    agent: Box<dyn Agent>,
    config: AgentConfig,
}

/// What came of looking for a configured agent on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSearch {
    /// Its name below `[agents]`.
    pub name: String,
    /// Its version, where its program tells one; else why it can't be run.
    pub found: Result<Option<String>, String>,
}

/// Looks which of the configured agents can be run here. `program` is the one that plays scenarios ([`DaemonConfig::program`]).
pub async fn search_agents(
    agents: &BTreeMap<String, AgentConfig>,
    program: &Path,
    environment: &Environment,
) -> Vec<AgentSearch> {
    let scripted_program = scripted_program(program);
    join_all(agents.iter().map(async |(name, config)| {
        let found = match makima_agents::configured(name, config, &scripted_program) {
            Ok(agent) => version(&*agent, environment).await,
            Err(error) => Err(error.to_string()),
        };
        AgentSearch { name: name.clone(), found }
    }))
    .await
}

impl Agents {
    /// Takes them as they are configured, and looks which of their programs are there.
    pub(crate) async fn find(config: &DaemonConfig) -> Self {
        let scripted_program = scripted_program(&config.program);
        let mut configured = BTreeMap::new();
        for (name, config) in &config.agents {
            if let Ok(agent) = makima_agents::configured(name, config, &scripted_program) {
                configured.insert(name.clone(), Configured { agent, config: config.clone() });
            }
        }
        let searched = search_agents(&config.agents, &config.program, &config.text_variables()).await;
        let mut offered = Vec::new();
        for AgentSearch { name, found } in searched {
            match found {
                Ok(version) => {
                    tracing::info!(agent = name, version, "offered");
                    offered.push(AgentInfo { name, version, default: false });
                }
                Err(why) => tracing::info!(agent = name, why, "not offered"),
            }
        }
        let default = DEFAULTS.iter().find_map(|name| offered.iter().position(|agent| agent.name == *name));
        if let Some(default) = default.and_then(|index| offered.get_mut(index)) {
            default.default = true;
        }
        Self { configured, scripted_program, offered }
    }

    /// Those whose programs were found.
    pub(crate) fn offered(&self) -> &[AgentInfo] {
        &self.offered
    }

    /// The agent of this name, found or not: whoever starts it is told best by trying.
    pub(crate) fn named(&self, name: &str) -> Result<&dyn Agent, DaemonError> {
        Ok(&*self.known(name)?.agent)
    }

    /// What its host has to know of it.
    pub(crate) fn spec(&self, name: &str) -> Result<AgentSpec, DaemonError> {
        let config = AgentConfig { env: Environment::new(), ..self.known(name)?.config.clone() };
        let scripted_program = self.scripted_program.clone();
        Ok(AgentSpec { name: name.to_owned(), config, scripted_program })
    }

    fn known(&self, name: &str) -> Result<&Configured, DaemonError> {
        self.configured.get(name).ok_or_else(|| DaemonError::NoAgent { agent: name.to_owned() })
    }
}

/// The program that plays scenarios, as arguments of an agent are told.
fn scripted_program(program: &Path) -> Vec<String> {
    vec![program.to_string_lossy().into_owned(), "scripted-agent".to_owned()]
}

/// Asks an agent's program for its version; an error says why it isn't there, or doesn't work.
async fn version(agent: &dyn Agent, environment: &Environment) -> Result<Option<String>, String> {
    let query = agent.version_query(environment).map_err(|error| error.to_string())?;
    let (program, arguments) = query.command.split_first().ok_or("no program is configured")?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&query.environment).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    if let Some(folder) = &query.working_folder {
        command.current_dir(folder);
    }
    // In a group of its own, so that what it starts goes with it.
    let child = command.process_group(0).spawn().map_err(|error| format!("{program}: {error}"))?;
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    match tokio::time::timeout(PATIENCE, child.wait_with_output()).await {
        Ok(Ok(output)) if output.status.success() => Ok(agent.read_version(&output.stdout)),
        Ok(Ok(output)) => Err(format!("{program}: {}", output.status)),
        Ok(Err(error)) => Err(format!("{program}: {error}")),
        Err(_) => {
            group.map(|group| kill_process_group(group, Signal::KILL));
            Err(format!("{program}: no answer within {} s", PATIENCE.as_secs()))
        }
    }
}
