//! `makima key list`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    printer::{Printer, Style, Table, ago},
};
use clap::Args;
use makima_model::Clock;

/// List your keys, also those that are revoked; the keys themselves are never shown again
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima key list")]
pub(crate) struct ListArguments {
    #[command(flatten)]
    server: ServerChoice,
}

/// Lists them.
pub(crate) async fn list(
    global: &Global,
    arguments: ListArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let list = client.keys().await?;
    printer.document(&list);
    let now = Clock::system().now();
    let mut table = Table::new(["id", "name", "revoked", "made"], "name");
    for key in &list.keys {
        let revoked = key.revoked_at.map_or_else(String::new, |at| ago(at, now));
        table.row([
            (Style::Strong, key.id.short()),
            (if key.revoked_at.is_some() { Style::Faint } else { Style::Plain }, key.name.clone()),
            (Style::Warn, revoked),
            (Style::Faint, ago(key.created_at, now)),
        ]);
    }
    printer.page();
    printer.table(&table);
    Ok(Exit::Done)
}
