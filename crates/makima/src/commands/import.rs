//! `makima import`

mod claude_code;

use crate::{
    arguments::Global,
    failure::{Exit, Failure},
    printer::Printer,
};
use clap::Subcommand;

/// Whose sessions can be imported.
#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    ClaudeCode(claude_code::ClaudeCodeArguments),
}

/// Imports them.
pub(crate) async fn import(
    global: &Global,
    command: ImportCommand,
    printer: &Printer,
) -> Result<Exit, Failure> {
    match command {
        ImportCommand::ClaudeCode(arguments) => claude_code::claude_code(global, arguments, printer).await,
    }
}
