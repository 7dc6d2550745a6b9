//! Agents as they stand in the configuration.

use crate::{Agent, AgentError, Environment, claude::Claude, scripted::Scripted};
use makima_model::PermissionMode;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The name under which the scripted agent is configured.
pub const SCRIPTED: &str = "scripted";

/// A table below `[agents]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentConfig {
    /// The program and its first arguments.
    pub command: Vec<String>,
    /// Added to the agent's environment, which is otherwise an allow-list.
    pub env: Environment,
    /// What the agent may do without asking, where its task doesn't say; `bypass` where this doesn't say either.
    pub permission_mode: Option<PermissionMode>,
    /// The scenario that it plays: makes it a scripted agent, whatever its name.
    pub scenario: Option<PathBuf>,
}

/// The agent that is configured under `name`. One that is called `scripted`, or has a scenario, is the scripted agent, which is run by
/// `scripted_command` where no command is configured; any other is Claude Code, whose command is `claude` by default.
///
/// # Errors
///
/// When a scripted agent has no scenario, or its command is empty.
pub fn configured(
    name: &str,
    config: &AgentConfig,
    scripted_command: &[String],
) -> Result<Box<dyn Agent>, AgentError> {
    let AgentConfig { command, env, permission_mode, scenario } = config.clone();
    let permission_mode = permission_mode.unwrap_or(PermissionMode::Bypass);
    let name = name.to_owned();
    if name != SCRIPTED && scenario.is_none() {
        let command = if command.is_empty() { vec!["claude".to_owned()] } else { command };
        return Ok(Box::new(Claude { name, command, environment: env, permission_mode }));
    }
    let scenario = scenario.ok_or_else(|| AgentError::NoScenario { agent: name.clone() })?;
    let command = if command.is_empty() { scripted_command.to_vec() } else { command };
    if command.is_empty() {
        return Err(AgentError::NoCommand { agent: name });
    }
    Ok(Box::new(Scripted { name, command, environment: env, permission_mode, scenario }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version_command(name: &str, config: &AgentConfig) -> Result<Vec<String>, AgentError> {
        let agent = configured(name, config, &["makima".to_owned(), "scripted-agent".to_owned()])?;
        Ok(agent.version_query(&Environment::new())?.command)
    }

    #[test]
    fn what_is_not_configured_has_a_default() {
        let command = version_command("claude", &AgentConfig::default()).unwrap();
        assert_eq!(command, ["claude", "--version"]);
        let config = AgentConfig { scenario: Some("/s.json".into()), ..AgentConfig::default() };
        assert_eq!(version_command("demo", &config).unwrap(), ["makima", "scripted-agent", "--version"]);
    }

    #[test]
    fn a_scripted_agent_without_a_scenario_is_none() {
        let error = version_command("scripted", &AgentConfig::default()).unwrap_err();
        assert_eq!(error.to_string(), "the agent scripted has no scenario: set agents.scripted.scenario");
    }

    #[test]
    fn a_key_that_there_is_not_is_an_error_that_names_it() {
        let error = serde_json::from_str::<AgentConfig>(r#"{"comand": []}"#).unwrap_err();
        assert!(error.to_string().contains("comand"), "{error}");
    }
}
