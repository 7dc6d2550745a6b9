//! `makima man`: what packages and `make docs` call.

use crate::{
    arguments::Arguments,
    failure::{Exit, Failure},
    printer::Printer,
};
use clap::{Args, CommandFactory};
use std::path::PathBuf;

/// Write the manual pages into a folder
///
/// One for each command: `makima.1`, `makima-run.1` and so on.
#[derive(Debug, Args)]
#[command(
    hide = true,
    after_help = "\
Example:
  makima man ~/.local/share/man/man1"
)]
pub(crate) struct ManArguments {
    /// The folder; it is made where it isn't there
    folder: PathBuf,
}

/// Writes them.
pub(crate) fn man(arguments: &ManArguments, printer: &Printer) -> Result<Exit, Failure> {
    let folder = &arguments.folder;
    let broken =
        |error: std::io::Error| Failure::because(format!("could not write to {}", folder.display()), &error);
    std::fs::create_dir_all(folder).map_err(broken)?;
    clap_mangen::generate_to(Arguments::command().disable_help_subcommand(true), folder).map_err(broken)?;
    printer.line(format!("the manual pages are in {}", folder.display()));
    Ok(Exit::Done)
}
