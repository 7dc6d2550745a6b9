//! `makima task stop`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    look::style_of,
    printer::{Line, Printer, Style},
    reference::TaskRef,
};
use clap::Args;

/// Stop the agent of a task, and keep everything
///
/// The agent is interrupted and its processes end in good order; its words, files and branch are kept. `makima task send`
/// goes on with it.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima task stop 1f2e3d4c")]
pub(crate) struct StopArguments {
    /// The task: 4 or more characters of its id or short id, or its name
    task: TaskRef,
    #[command(flatten)]
    server: ServerChoice,
}

/// Stops it.
pub(crate) async fn stop(
    global: &Global,
    arguments: StopArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let data = global.data()?;
    let client = arguments.server.client(&data)?;
    let task = arguments.task.find(&client).await?;
    let task = client.stop_task(task.id).await?;
    printer.document(&task);
    printer.line(
        Line::styled(Style::Faint, "task ")
            .then(Style::Strong, task.id.short())
            .plain(" is ")
            .then(style_of(task.status), task.status.as_str()),
    );
    Ok(Exit::Done)
}
