//! `makima server`

use crate::{
    arguments::Global,
    environment,
    failure::{Exit, Failure, chain},
    printer::{Line, Printer, Style},
    standing::{ServerOptions, prepare, start_server, url_of},
};
use clap::Args;
use serde::Serialize;

/// Run the server alone, for daemons on other machines
///
/// It has no owner until `makima user create` makes one, on this machine and on the same database.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima server --listen 0.0.0.0:7447 --allowed-hosts workshop.lan
  makima server --database-url postgres://makima@localhost/makima
  makima user create ada --database-url postgres://makima@localhost/makima")]
pub(crate) struct ServerArguments {
    #[command(flatten)]
    server: ServerOptions,
}

#[derive(Serialize)]
struct Ready<'a> {
    url: &'a str,
}

/// Runs a server until a signal comes.
pub(crate) async fn server(
    global: &Global,
    arguments: ServerArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let (data, config, mut signals) = prepare(global)?;
    data.check_room()?;
    let mut lock = data.lock("server")?;
    let server = signals.unless_ended(start_server(&arguments.server, &config, &data)).await?;
    let url = url_of(server.address());
    lock.tell(Some(&url));
    printer.document(&Ready { url: &url });
    printer.line(Line::from("The server is ready at ").then(Style::Strong, url.clone()));
    let owners = server.app().owners().await.map_err(|error| Failure::new(chain(&error)))?;
    let program = environment::program_name();
    if owners.is_empty() {
        printer.line(
            Line::from("It has no owner yet. Next, with the same data directory or database: ")
                .then(Style::Accent, format!("{program} user create <name>")),
        );
    } else {
        printer.line(
            Line::from("Next, on each machine that shall run agents: ")
                .then(Style::Accent, format!("{program} daemon --server-url {url}"))
                .plain(" with MAKIMA_API_KEY set"),
        );
    }
    signals.next().await;
    server.stop().await;
    Ok(Exit::Done)
}
