//! `makima daemon`

pub(crate) mod list;

use crate::{
    arguments::Global,
    failure::{Exit, Failure},
    printer::{Line, Printer, Style},
    standing::{DaemonOptions, Ending, Signals, connected, prepare, start_daemon, without_agent},
};
use clap::{Args, Subcommand};
use makima_client::{Client, ClientError};
use makima_daemon::Daemon;
use serde::Serialize;
use std::num::NonZeroU16;

/// Run agents on this machine for a server elsewhere
///
/// Ctrl-C stops all agents in good order; SIGTERM leaves them working, and the next `makima daemon` takes them up again.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Example:
  MAKIMA_API_KEY=mk_… makima daemon --server-url https://makima.example.com --max-concurrent-tasks 8
  makima daemon list"
)]
pub(crate) struct DaemonArguments {
    #[command(subcommand)]
    command: Option<DaemonCommand>,
    #[command(flatten)]
    options: DaemonFlags,
    /// The key of the owner whose tasks it runs; better given by the variable, which others can't see
    #[arg(long, env = "MAKIMA_API_KEY", value_name = "KEY", hide_env_values = true)]
    api_key: Option<String>,
}

/// What can be done with daemons, besides being one.
#[derive(Debug, Subcommand)]
enum DaemonCommand {
    List(list::ListArguments),
}

/// What a daemon is told by flags and variables.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct DaemonFlags {
    /// The server's address
    #[arg(long, env = "MAKIMA_API_URL", value_name = "URL")]
    server_url: Option<String>,
    /// What to call it; without it, the machine's name
    #[arg(long, env = "MAKIMA_DAEMON_NAME", value_name = "NAME")]
    name: Option<String>,
    /// How many tasks it works on at once [default: 4]
    #[arg(long, env = "MAKIMA_MAX_CONCURRENT_TASKS", value_name = "N")]
    max_concurrent_tasks: Option<NonZeroU16>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ready<'a> {
    server_url: &'a str,
}

/// Runs a daemon until a signal comes.
pub(crate) async fn daemon(
    global: &Global,
    arguments: DaemonArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    if let Some(DaemonCommand::List(arguments)) = arguments.command {
        return list::list(global, arguments, printer).await;
    }
    let (data, config, mut signals) = prepare(global)?;
    let flags = arguments.options;
    let server_url = flags.server_url.or(config.daemon.server_url.clone()).ok_or_else(|| {
        Failure::usage("which server shall the daemon work for?").hint(
            "name it with --server-url, MAKIMA_API_URL, or server_url below [daemon] of the configuration",
        )
    })?;
    let api_key = arguments.api_key.ok_or_else(|| {
        Failure::usage("the daemon needs a key of the server")
            .hint("set MAKIMA_API_KEY; `makima user create` makes one")
    })?;
    let _lock = data.lock("daemon")?;
    // A server that isn't there may come; a key that it doesn't take will not become one.
    match Client::new(&server_url, Some(api_key.clone()))?.daemons().await {
        Ok(_) | Err(ClientError::Unreachable { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let options = DaemonOptions {
        server_url: server_url.clone(),
        api_key,
        name: flags.name,
        max_concurrent_tasks: flags.max_concurrent_tasks,
        agents: config.agents(),
    };
    let daemon = start_daemon(options, &config, &data).await?;
    printer.line(Line::from("Connecting to ").then(Style::Strong, server_url.clone()));
    let ending = tokio::select! {
        taken = connected(&daemon) => {
            taken?;
            printer.document(&Ready { server_url: &server_url });
            printer.line("Connected: tasks may come");
            without_agent(&daemon).into_iter().for_each(|line| printer.line(line));
            signals.next().await
        }
        ending = signals.next() => ending,
    };
    end(daemon, ending, &mut signals, printer).await?;
    Ok(Exit::Done)
}

/// Ends a daemon as it was told; a second Ctrl-C doesn't wait for agents.
pub(crate) async fn end(
    daemon: Daemon,
    ending: Ending,
    signals: &mut Signals,
    printer: &Printer,
) -> Result<(), Failure> {
    match ending {
        Ending::Detach => daemon.detach().await,
        Ending::Stop => {
            printer.line(
                "Stopping; agents end in good order, and everything is kept (Ctrl-C again leaves at once)",
            );
            tokio::select! {
                () = daemon.stop() => {}
                _ = signals.next() => return Err(Failure::new("left before all agents had ended")),
            }
        }
    }
    Ok(())
}
