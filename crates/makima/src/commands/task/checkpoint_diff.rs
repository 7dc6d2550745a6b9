//! `makima task checkpoint-diff`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    differences,
    failure::{Exit, Failure},
    printer::Printer,
    reference::TaskRef,
    when::point,
};
use clap::Args;
use makima_model::{Clock, Point};
use makima_wire::DiffQuery;

/// Show what differs between a checkpoint and the one before it, or any earlier or later moment of the task
///
/// The patch is kept with each checkpoint, so this works while its daemon is away; with other lines around, without white space, or
/// from another moment its daemon is asked.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima task checkpoint-diff 1f2e3d4c 3
  makima task checkpoint-diff 1f2e3d4c 3 --path src/lib.rs --context 20
  makima task checkpoint-diff 1f2e3d4c 3 --from checkpoint:1 --json")]
pub(crate) struct CheckpointDiffArguments {
    /// The task: 4 or more characters of its id or short id, or its name
    task: TaskRef,
    /// The checkpoint: its number, its commit (7 digits or more), or its id
    #[arg(value_parser = Point::checkpoint)]
    checkpoint: Point,
    /// What to compare it with, instead of the checkpoint before it: a point, such as checkpoint:1 or message:<id>, or a time, such as `2h ago`
    #[arg(long, value_name = "POINT", value_parser = point)]
    from: Option<Point>,
    /// This file alone, by its name now or before
    #[arg(long)]
    path: Option<String>,
    /// How many lines around a change are shown
    #[arg(long, short = 'U', value_name = "LINES", value_parser = clap::value_parser!(u32).range(..=100_000))]
    context: Option<u32>,
    /// Leave changes of white space alone out
    #[arg(long, short = 'w')]
    ignore_whitespace: bool,
    #[command(flatten)]
    server: ServerChoice,
}

/// Shows it.
pub(crate) async fn checkpoint_diff(
    global: &Global,
    arguments: CheckpointDiffArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let task = arguments.task.find(&client).await?;
    let how = DiffQuery {
        from: arguments.from,
        path: arguments.path,
        context: arguments.context,
        ignore_whitespace: arguments.ignore_whitespace.then_some(true),
    };
    let told = client.checkpoint_diff(task.id, &arguments.checkpoint, &how).await?;
    printer.document(&told);
    printer.page();
    differences::show_checkpoint(&task, &told, Clock::system().now(), printer);
    Ok(Exit::Done)
}
