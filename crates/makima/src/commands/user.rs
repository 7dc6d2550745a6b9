//! `makima user`

mod create;

use crate::{
    arguments::Global,
    failure::{Exit, Failure},
    printer::Printer,
};
use clap::Subcommand;

/// What can be done with a user.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    Create(create::CreateArguments),
}

/// Does it.
pub(crate) async fn user(global: &Global, command: UserCommand, printer: &Printer) -> Result<Exit, Failure> {
    match command {
        UserCommand::Create(arguments) => create::create(global, arguments, printer).await,
    }
}
