//! `makima task restore`

use crate::{
    arguments::Global,
    commands::op,
    connection::ServerChoice,
    consent::Consent,
    failure::{Exit, Failure},
    printer::Printer,
    reference::{SnapshotRef, TaskRef},
};
use clap::Args;
use makima_wire::RestoreSnapshot;

/// Have a task's conversation go on from a snapshot
///
/// Nothing is deleted: `makima undo` goes back to where the conversation stood. The files of the worktree stay as they are.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima task snapshots 1f2e3d4c
  makima task restore 1f2e3d4c 5a6b7c8d")]
pub(crate) struct RestoreArguments {
    /// The task: 4 or more characters of its id or short id, or its name
    task: TaskRef,
    /// The snapshot, as `makima task snapshots` shows it: 4 or more characters of its id or short id
    snapshot: SnapshotRef,
    /// Stop its agent first, where one works
    #[arg(long)]
    stop: bool,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    server: ServerChoice,
}

/// Restores it.
pub(crate) async fn restore(
    global: &Global,
    arguments: RestoreArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let task = arguments.task.find(&client).await?;
    let snapshot = arguments.snapshot.find(&client, task.id).await?;
    let what = format!(
        "take the conversation of task {} back to {} messages",
        task.id.short(),
        snapshot.message_count
    );
    arguments.consent.to(&what, printer).await?;
    let how = RestoreSnapshot { stop: arguments.stop };
    let operation = client.restore_snapshot(task.id, snapshot.id, how).await?;
    printer.document(&operation);
    printer.line(op::outcome(&operation));
    Ok(Exit::Done)
}
