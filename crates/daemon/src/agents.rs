//! The agents that this daemon can run: as configured, and as found on this machine.

use crate::{DaemonConfig, DaemonError, host::AgentSpec};
use futures::future::join_all;
use makima_agents::{Agent, AgentConfig, Environment};
use makima_model::AgentInfo;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{collections::BTreeMap, process::Stdio, time::Duration};
use tokio::process::Command;

/// How long an agent's program may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// An agent whose program was found.
struct Found {
    name: String,
    version: Option<String>,
}

impl Agents {
    /// Takes them as they are configured, and looks which of their programs are there.
    pub(crate) async fn find(config: &DaemonConfig) -> Self {
        let scripted_program = config.scripted_program();
        let mut configured = BTreeMap::new();
        for (name, config) in &config.agents {
            match makima_agents::configured(name, config, &scripted_program) {
                Ok(agent) => {
                    configured.insert(name.clone(), Configured { agent, config: config.clone() });
                }
                Err(error) => tracing::info!(agent = name, %error, "not offered"),
            }
        }
        let environment = config.text_variables();
        let found = join_all(configured.values().map(|known| version(&*known.agent, &environment))).await;
        let found: Vec<Found> = found.into_iter().flatten().collect();
        let default = DEFAULTS.iter().find(|name| found.iter().any(|found| found.name == **name));
        let offered = found
            .into_iter()
            .map(|Found { name, version }| AgentInfo {
                default: default.is_some_and(|default| *default == name),
                name,
                version,
            })
            .collect();
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

/// Asks an agent's program for its version; `None` where it isn't there, or doesn't work.
async fn version(agent: &dyn Agent, environment: &Environment) -> Option<Found> {
    let name = agent.name();
    let query = agent.version_query(environment).ok()?;
    let (program, arguments) = query.command.split_first()?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&query.environment).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    if let Some(folder) = &query.working_folder {
        command.current_dir(folder);
    }
    // In a group of its own, so that what it starts goes with it.
    let child = command.process_group(0).spawn();
    let why = match child {
        Ok(child) => {
            let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
            match tokio::time::timeout(PATIENCE, child.wait_with_output()).await {
                Ok(Ok(output)) if output.status.success() => {
                    let version = agent.read_version(&output.stdout);
                    tracing::info!(agent = name, version, "offered");
                    return Some(Found { name: name.to_owned(), version });
                }
                Ok(Ok(output)) => output.status.to_string(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => {
                    group.map(|group| kill_process_group(group, Signal::KILL));
                    format!("no answer within {} s", PATIENCE.as_secs())
                }
            }
        }
        Err(error) => error.to_string(),
    };
    tracing::info!(agent = name, program, why, "not offered");
    None
}
