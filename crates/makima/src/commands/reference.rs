//! `makima reference`: what `make docs` calls.

mod commands;
mod configuration;

use crate::{
    failure::{Exit, Failure},
    printer::Printer,
};
use clap::Args;
use std::path::PathBuf;

/// Write the reference of API, commands and configuration into a folder of documentation
#[derive(Debug, Args)]
#[command(
    hide = true,
    after_help = "\
Example:
  makima reference docs"
)]
pub(crate) struct ReferenceArguments {
    /// The folder that gets `api.md`, `cli.md` and `configuration.md`
    folder: PathBuf,
}

/// Writes them.
pub(crate) fn reference(arguments: &ReferenceArguments, printer: &Printer) -> Result<Exit, Failure> {
    let pages = [
        ("api.md", makima_server::api_reference()),
        ("cli.md", commands::page()),
        ("configuration.md", configuration::page()),
    ];
    for (name, text) in pages {
        let path = arguments.folder.join(name);
        std::fs::write(&path, text)
            .map_err(|error| Failure::because(format!("could not write {}", path.display()), &error))?;
        printer.line(format!("wrote {}", path.display()));
    }
    Ok(Exit::Done)
}
