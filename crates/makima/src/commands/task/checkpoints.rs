//! `makima task checkpoints`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    differences,
    failure::{Exit, Failure},
    pages::{Pages, left_out},
    printer::{Line, Printer, Style, Table, ago},
    reference::TaskRef,
};
use clap::Args;
use makima_model::{Clock, Point};
use makima_wire::DiffQuery;

/// Show the checkpoints of a task, newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima task checkpoints 1f2e3d4c
  makima task checkpoints 1f2e3d4c --all --json")]
pub(crate) struct CheckpointsArguments {
    /// The task: 4 or more characters of its id or short id, or its name
    task: TaskRef,
    /// Show what each changed, line by line; with --json `makima task checkpoint-diff` tells it
    #[arg(long)]
    with_diff: bool,
    #[command(flatten)]
    pages: Pages,
    #[command(flatten)]
    server: ServerChoice,
}

/// Lists them.
pub(crate) async fn checkpoints(
    global: &Global,
    arguments: CheckpointsArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    if arguments.with_diff && printer.is_json() {
        return Err(Failure::usage("--with-diff has no document of its own")
            .hint("`makima task checkpoint-diff <task> <number> --json` has one for each checkpoint"));
    }
    let client = arguments.server.client(&global.data()?)?;
    let task = arguments.task.find(&client).await?;
    let mut page = arguments.pages.walk(async |list| client.checkpoints(task.id, &list).await).await?;
    printer.document(&page);
    if page.checkpoints.is_empty() {
        printer.line(Line::styled(
            Style::Faint,
            format!(
                "task {} has no checkpoints yet: one is made after each turn that changes files",
                task.id.short()
            ),
        ));
        return Ok(Exit::Done);
    }
    let now = Clock::system().now();
    if arguments.with_diff {
        printer.page();
        for checkpoint in &page.checkpoints {
            let point = Point::Checkpoint(checkpoint.id);
            let told = client.checkpoint_diff(task.id, &point, &DiffQuery::default()).await?;
            differences::show_checkpoint(&task, &told, now, printer);
        }
        left_out(&mut page).into_iter().for_each(|line| printer.line(Line::styled(Style::Faint, line)));
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["no.", "commit", "kind", "files", "lines", "message", "made"], "message");
    for checkpoint in &page.checkpoints {
        table.row([
            (Style::Strong, checkpoint.checkpoint_number.to_string()),
            (Style::Plain, checkpoint.commit_sha.chars().take(10).collect()),
            (Style::Plain, checkpoint.kind.as_str().to_owned()),
            (Style::Plain, checkpoint.files_changed.len().to_string()),
            (Style::Plain, format!("+{} −{}", checkpoint.lines_added, checkpoint.lines_removed)),
            (Style::Plain, checkpoint.message.clone()),
            (Style::Faint, ago(checkpoint.created_at, now)),
        ]);
    }
    printer.page();
    printer.table(&table);
    left_out(&mut page).into_iter().for_each(|line| printer.line(Line::styled(Style::Faint, line)));
    Ok(Exit::Done)
}
