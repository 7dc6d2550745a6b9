//! `makima key revoke`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    printer::{Line, Printer, Style},
    reference::KeyRef,
};
use clap::Args;

/// Revoke a key: it opens nothing any more
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima key revoke workshop")]
pub(crate) struct RevokeArguments {
    /// The key: 4 or more characters of its id or short id, or its name
    key: KeyRef,
    #[command(flatten)]
    server: ServerChoice,
}

/// Revokes it.
pub(crate) async fn revoke(
    global: &Global,
    arguments: RevokeArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let key = arguments.key.find(&client).await?;
    let key = client.revoke_key(key.id).await?;
    printer.document(&key);
    printer.line(
        Line::styled(Style::Faint, "key ")
            .then(Style::Strong, key.id.short())
            .plain(format!(" ({}) opens nothing any more", key.name)),
    );
    Ok(Exit::Done)
}
