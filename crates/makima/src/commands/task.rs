//! `makima task`

mod answer;
mod send;

use crate::{
    arguments::Global,
    failure::{Exit, Failure},
    printer::Printer,
};
use clap::Subcommand;

/// What can be done with a task.
#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    Send(send::SendArguments),
    Answer(answer::AnswerArguments),
}

/// Does it.
pub(crate) async fn task(global: &Global, command: TaskCommand, printer: &Printer) -> Result<Exit, Failure> {
    match command {
        TaskCommand::Send(arguments) => send::send(global, arguments, printer).await,
        TaskCommand::Answer(arguments) => answer::answer(global, arguments, printer).await,
    }
}
