//! `makima scripted-agent`: an agent that plays a scenario instead of asking a model.

use crate::failure::{Failure, chain};
use clap::Args;
use std::io::{stdin, stdout};

/// Play a scenario as an agent would; the daemon calls this
#[derive(Debug, Args)]
#[command(hide = true, disable_help_flag = true)]
pub(crate) struct ScriptedAgentArguments {
    /// What the adapter says
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Plays until its input ends; answers the exit code that the scenario wants.
pub(crate) fn scripted_agent(arguments: &ScriptedAgentArguments) -> Result<u8, Failure> {
    makima_agents::scripted::play(stdin(), stdout().lock(), &arguments.arguments)
        .map_err(|error| Failure::new(chain(&error)))
}
