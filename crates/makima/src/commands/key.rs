//! `makima key`

mod create;
mod list;
mod revoke;

use crate::{
    arguments::Global,
    failure::{Exit, Failure},
    printer::Printer,
};
use clap::Subcommand;

/// What can be done with a key.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    Create(create::CreateArguments),
    List(list::ListArguments),
    Revoke(revoke::RevokeArguments),
}

/// Does it.
pub(crate) async fn key(global: &Global, command: KeyCommand, printer: &Printer) -> Result<Exit, Failure> {
    match command {
        KeyCommand::Create(arguments) => create::create(global, arguments, printer).await,
        KeyCommand::List(arguments) => list::list(global, arguments, printer).await,
        KeyCommand::Revoke(arguments) => revoke::revoke(global, arguments, printer).await,
    }
}
