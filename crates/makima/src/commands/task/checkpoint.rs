//! `makima task checkpoint`

use crate::{
    arguments::Global,
    commands::op,
    connection::ServerChoice,
    failure::{Exit, Failure},
    printer::{Line, Printer, Style},
    reference::TaskRef,
};
use clap::Args;
use makima_client::Making;
use makima_wire::CreateCheckpoint;

/// Make a checkpoint of a task now
///
/// A checkpoint holds the files of the task's worktree as they are, uncommitted and untracked ones included, and the
/// place in the conversation. One is made after every turn anyway. Neither agent nor branch notice. `makima undo` puts it away.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima task checkpoint 1f2e3d4c --message \"Before the big change\"")]
pub(crate) struct CheckpointArguments {
    /// The task: 4 or more characters of its id or short id, or its name
    task: TaskRef,
    /// What to call it; without it, the task's name
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    #[command(flatten)]
    server: ServerChoice,
}

/// Makes it.
pub(crate) async fn checkpoint(
    global: &Global,
    arguments: CheckpointArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let task = arguments.task.find(&client).await?;
    let made = client.create_checkpoint(task.id, &CreateCheckpoint { message: arguments.message }).await?;
    let made = match made {
        Making::Made(made) => made,
        Making::GoesOn(operation) => {
            printer.document(&operation);
            printer.line(op::outcome(&operation));
            return Ok(Exit::Done);
        }
    };
    printer.document(&made);
    let files = made.files_changed.len();
    printer.line(
        Line::styled(Style::Good, "◆ ")
            .plain(format!("checkpoint {}: ", made.checkpoint_number))
            .plain(format!("{files} {}, ", if files == 1 { "file" } else { "files" }))
            .plain(format!("+{} −{}", made.lines_added, made.lines_removed))
            .then(Style::Faint, format!("  {}", made.commit_sha)),
    );
    Ok(Exit::Done)
}
