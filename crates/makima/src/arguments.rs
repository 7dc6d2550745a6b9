//! The command line: what every command takes, and which commands there are.

use crate::{
    commands::{
        completions::CompletionsArguments, config::ConfigCommand, contract::ContractCommand,
        daemon::DaemonArguments, doctor::DoctorArguments, export::ExportArguments, import::ImportCommand,
        key::KeyCommand, man::ManArguments, op::OpCommand, open::OpenArguments,
        reference::ReferenceArguments, run::RunArguments, run_host::RunHostArguments,
        scripted_agent::ScriptedAgentArguments, search::SearchArguments, server::ServerArguments,
        status::StatusArguments, task::TaskCommand, timeline::TimelineArguments, undo::UndoArguments,
        up::UpArguments, user::UserCommand,
    },
    config::Config,
    data_folder::DataFolder,
    environment,
    failure::Failure,
};
use clap::{ArgAction, Args, Parser, Subcommand};
use std::path::PathBuf;

/// Runs coding agents in git worktrees of their own, and keeps every moment of what they do
#[derive(Debug, Parser)]
#[command(
    name = "makima",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  makima up                                start everything, in one process
  makima run \"Give the parser a test\"      let an agent work on the repository you are in
  makima up --demo                         see it work without an agent and without a key

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not found, 4 not allowed, 5 no server"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// Where the data is kept, and the key found; without it, `makima` in your XDG data directory
    #[arg(long, global = true, env = "MAKIMA_DATA_DIR", value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The configuration file; without it, `makima.toml` in the data directory
    #[arg(long, global = true, env = "MAKIMA_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON document for programs, and nothing for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say more about what goes on inside; twice or thrice for still more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl Global {
    /// The data folder.
    pub(crate) fn data(&self) -> Result<DataFolder, Failure> {
        DataFolder::find(self.data_dir.as_deref())
    }

    /// How to call this program again in this terminal, with the data directory that it was told.
    pub(crate) fn program(&self, data: &DataFolder) -> String {
        let name = environment::program_name();
        // A folder that came by the environment is still there for the next command.
        match (&self.data_dir, environment::variable("MAKIMA_DATA_DIR")) {
            (Some(_), None) => data.call(&name),
            _ => name,
        }
    }

    /// The configuration file's contents.
    pub(crate) fn configuration(&self, data: &DataFolder) -> Result<Config, Failure> {
        Config::load(self.config.as_deref(), data.path())
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Up(UpArguments),
    Run(RunArguments),
    Status(StatusArguments),
    Open(OpenArguments),
    /// Make tasks, look at them, and speak to their agents
    #[command(
        subcommand,
        after_help = "\
Example:
  makima task list --status running
  makima task logs -f 1f2e3d4c"
    )]
    Task(TaskCommand),
    /// Make contracts, which tasks belong to, and look at them
    #[command(
        subcommand,
        after_help = "\
Example:
  makima contract create \"Parser\"
  makima contract show Parser"
    )]
    Contract(ContractCommand),
    Timeline(TimelineArguments),
    Search(SearchArguments),
    /// Look at the changes of history: who made which, when and from where
    #[command(
        subcommand,
        after_help = "\
Example:
  makima op log
  makima op show 1f2e3d4c"
    )]
    Op(OpCommand),
    Undo(UndoArguments),
    Export(ExportArguments),
    /// Take sessions of agents that ran without Makima into it
    #[command(
        subcommand,
        after_help = "\
Example:
  makima import claude-code"
    )]
    Import(ImportCommand),
    Doctor(DoctorArguments),
    /// Look at the configuration
    #[command(
        subcommand,
        after_help = "\
Example:
  makima config show"
    )]
    Config(ConfigCommand),
    Server(ServerArguments),
    Daemon(DaemonArguments),
    /// Make keys, which open what you own, and revoke them
    #[command(
        subcommand,
        after_help = "\
Example:
  makima key create workshop"
    )]
    Key(KeyCommand),
    /// Give people access to a server
    #[command(
        subcommand,
        after_help = "\
Example:
  makima user create ada"
    )]
    User(UserCommand),
    Completions(CompletionsArguments),
    Man(ManArguments),
    Reference(ReferenceArguments),
    RunHost(RunHostArguments),
    ScriptedAgent(ScriptedAgentArguments),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
