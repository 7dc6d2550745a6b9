//! `makima task cancel`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    look::style_of,
    printer::{Line, Printer, Style},
    reference::TaskRef,
};
use clap::Args;

/// Stop a task for good
///
/// Its agent is stopped first, where one works. Unlike a task that was stopped, a cancelled one is never resumed by
/// itself. Everything is kept all the same.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima task cancel 1f2e3d4c")]
pub(crate) struct CancelArguments {
    /// The task: 4 or more characters of its id or short id, or its name
    task: TaskRef,
    #[command(flatten)]
    server: ServerChoice,
}

/// Cancels it.
pub(crate) async fn cancel(
    global: &Global,
    arguments: CancelArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let data = global.data()?;
    let client = arguments.server.client(&data)?;
    let task = arguments.task.find(&client).await?;
    let task = client.cancel_task(task.id).await?;
    printer.document(&task);
    printer.line(
        Line::styled(Style::Faint, "task ")
            .then(Style::Strong, task.id.short())
            .plain(" is ")
            .then(style_of(task.status), task.status.as_str()),
    );
    Ok(Exit::Done)
}
