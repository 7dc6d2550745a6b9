//! `makima key create`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    printer::{Line, Printer, Style},
};
use clap::Args;

/// Make another key of yours, for another machine or program
///
/// The key is shown this once. It opens all that you own, until it is revoked.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima key create workshop")]
pub(crate) struct CreateArguments {
    /// What to call it
    name: String,
    #[command(flatten)]
    server: ServerChoice,
}

/// Makes it, and tells it.
pub(crate) async fn create(
    global: &Global,
    arguments: CreateArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let made = client.create_key(&arguments.name).await?;
    printer.document(&made);
    printer.line(Line::styled(Style::Faint, "name  ").plain(format!(
        "{} ({})",
        made.key.name,
        made.key.id.short()
    )));
    printer.line(Line::styled(Style::Faint, "key   ").then(Style::Strong, made.api_key));
    printer
        .line(Line::styled(Style::Faint, "The key is shown this once. Give it to makima as MAKIMA_API_KEY."));
    Ok(Exit::Done)
}
