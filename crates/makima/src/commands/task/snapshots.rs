//! `makima task snapshots`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    pages::{Pages, left_out},
    printer::{Line, Printer, Style, Table, ago},
    reference::TaskRef,
};
use clap::Args;
use makima_model::Clock;

/// Show the snapshots of a task's conversation, newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima task snapshots 1f2e3d4c")]
pub(crate) struct SnapshotsArguments {
    /// The task: 4 or more characters of its id or short id, or its name
    task: TaskRef,
    #[command(flatten)]
    pages: Pages,
    #[command(flatten)]
    server: ServerChoice,
}

/// Lists them.
pub(crate) async fn snapshots(
    global: &Global,
    arguments: SnapshotsArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let task = arguments.task.find(&client).await?;
    let mut page = arguments.pages.walk(async |list| client.snapshots(task.id, &list).await).await?;
    printer.document(&page);
    if page.snapshots.is_empty() {
        let text = format!("task {} has no snapshots yet: one is taken after each turn", task.id.short());
        printer.line(Line::styled(Style::Faint, text));
        return Ok(Exit::Done);
    }
    let now = Clock::system().now();
    let mut table = Table::new(["id", "type", "messages", "taken"], "taken");
    for snapshot in &page.snapshots {
        table.row([
            (Style::Strong, snapshot.id.short()),
            (Style::Plain, snapshot.snapshot_type.as_str().to_owned()),
            (Style::Plain, snapshot.message_count.to_string()),
            (Style::Faint, ago(snapshot.created_at, now)),
        ]);
    }
    printer.page();
    printer.table(&table);
    left_out(&mut page).into_iter().for_each(|line| printer.line(Line::styled(Style::Faint, line)));
    Ok(Exit::Done)
}
