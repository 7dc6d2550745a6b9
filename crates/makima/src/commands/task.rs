//! `makima task`

mod answer;
mod cancel;
mod checkpoint;
mod checkpoint_diff;
mod checkpoints;
mod create;
mod delete;
mod history;
mod list;
mod logs;
mod restore;
mod send;
mod show;
mod snapshots;
mod stop;

use crate::{
    arguments::Global,
    failure::{Exit, Failure},
    printer::Printer,
};
use clap::Subcommand;

/// What can be done with a task.
#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    Create(create::CreateArguments),
    List(list::ListArguments),
    Show(show::ShowArguments),
    Logs(logs::LogsArguments),
    History(history::HistoryArguments),
    Stop(stop::StopArguments),
    Cancel(cancel::CancelArguments),
    Send(send::SendArguments),
    Answer(answer::AnswerArguments),
    Checkpoint(checkpoint::CheckpointArguments),
    Checkpoints(checkpoints::CheckpointsArguments),
    CheckpointDiff(checkpoint_diff::CheckpointDiffArguments),
    Snapshots(snapshots::SnapshotsArguments),
    Restore(restore::RestoreArguments),
    Delete(delete::DeleteArguments),
}

/// Does it.
pub(crate) async fn task(global: &Global, command: TaskCommand, printer: &Printer) -> Result<Exit, Failure> {
    match command {
        TaskCommand::Create(arguments) => create::create(global, arguments, printer).await,
        TaskCommand::List(arguments) => list::list(global, arguments, printer).await,
        TaskCommand::Show(arguments) => show::show(global, arguments, printer).await,
        TaskCommand::Logs(arguments) => logs::logs(global, arguments, printer).await,
        TaskCommand::History(arguments) => history::history(global, arguments, printer).await,
        TaskCommand::Stop(arguments) => stop::stop(global, arguments, printer).await,
        TaskCommand::Cancel(arguments) => cancel::cancel(global, arguments, printer).await,
        TaskCommand::Send(arguments) => send::send(global, arguments, printer).await,
        TaskCommand::Answer(arguments) => answer::answer(global, arguments, printer).await,
        TaskCommand::Checkpoint(arguments) => checkpoint::checkpoint(global, arguments, printer).await,
        TaskCommand::Checkpoints(arguments) => checkpoints::checkpoints(global, arguments, printer).await,
        TaskCommand::CheckpointDiff(arguments) => {
            checkpoint_diff::checkpoint_diff(global, arguments, printer).await
        }
        TaskCommand::Snapshots(arguments) => snapshots::snapshots(global, arguments, printer).await,
        TaskCommand::Restore(arguments) => restore::restore(global, arguments, printer).await,
        TaskCommand::Delete(arguments) => delete::delete(global, arguments, printer).await,
    }
}
