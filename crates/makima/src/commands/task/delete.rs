//! `makima task delete`

use crate::{
    arguments::Global,
    commands::op,
    connection::ServerChoice,
    consent::Consent,
    failure::{Exit, Failure},
    printer::Printer,
    reference::TaskRef,
};
use clap::Args;
use makima_wire::Deletion;

/// Put a task into the trash, or erase it
///
/// `makima undo` has it back from the trash as it was. With --purge its conversation, its checkpoints and its worktree are erased for
/// good, also where it is in the trash already; your own repository keeps what was fetched into it.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima task delete 1f2e3d4c
  makima task delete 1f2e3d4c --purge --yes")]
pub(crate) struct DeleteArguments {
    /// The task: 4 or more characters of its id or short id, or its name
    task: TaskRef,
    /// Erase it for good: that can't be undone
    #[arg(long)]
    purge: bool,
    /// Stop its agent first, where one works
    #[arg(long)]
    stop: bool,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    server: ServerChoice,
}

/// Deletes it.
pub(crate) async fn delete(
    global: &Global,
    arguments: DeleteArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let task = match arguments.purge {
        true => arguments.task.find_even_deleted(&client).await?,
        false => arguments.task.find(&client).await?.id,
    };
    let what = match arguments.purge {
        true => {
            format!("erase task {} for good, with its conversation, checkpoints and worktree", task.short())
        }
        false => format!("put task {} into the trash", task.short()),
    };
    arguments.consent.to(&what, printer).await?;
    let how = Deletion { purge: arguments.purge, stop: arguments.stop };
    let operation = client.delete_task(task, how).await?;
    printer.document(&operation);
    printer.line(op::outcome(&operation));
    Ok(Exit::Done)
}
