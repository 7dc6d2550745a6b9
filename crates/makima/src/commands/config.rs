//! `makima config`

mod show;

pub(crate) use show::without_password;

use crate::{
    arguments::Global,
    failure::{Exit, Failure},
    printer::Printer,
};
use clap::{ArgMatches, Subcommand};

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    Show(show::ShowArguments),
}

/// Does it. `given` is what the whole command line said, with where each of it came from.
pub(crate) fn config(
    global: &Global,
    command: &ConfigCommand,
    given: &ArgMatches,
    printer: &Printer,
) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Show(_) => show::show(global, given, printer),
    }
}
