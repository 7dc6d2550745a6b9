//! `makima daemon list`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    printer::{Line, Printer, Style, Table, ago, one_line},
};
use clap::Args;
use makima_model::{AgentInfo, Clock, DaemonStatus};

/// List your daemons: the machines that run agents
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima daemon list")]
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
    let data = global.data()?;
    let client = arguments.server.client(&data)?;
    let list = client.daemons().await?;
    printer.document(&list);
    if list.daemons.is_empty() {
        printer.line(
            Line::styled(Style::Faint, "there are no daemons yet: on each machine that shall run agents, ")
                .then(
                    Style::Accent,
                    format!("{} daemon --server-url {}", global.program(&data), client.url()),
                ),
        );
        return Ok(Exit::Done);
    }
    let now = Clock::system().now();
    let mut table = Table::new(["id", "name", "host", "status", "running", "agents", "last heard"], "agents");
    for daemon in &list.daemons {
        table.row([
            (Style::Strong, daemon.id.short()),
            (Style::Plain, daemon.name.clone()),
            (Style::Plain, daemon.hostname.clone()),
            (style(daemon.status), daemon.status.as_str().to_owned()),
            (Style::Plain, format!("{} of {}", daemon.running_tasks, daemon.max_concurrent_tasks)),
            (Style::Plain, agents(&daemon.agents)),
            (Style::Faint, ago(daemon.last_heartbeat_at, now)),
        ]);
    }
    printer.page();
    printer.table(&table);
    for daemon in &list.daemons {
        let Some(trouble) = &daemon.trouble else { continue };
        let name = one_line(&daemon.name);
        printer.line(Line::styled(Style::Warn, format!("{name}: ")).plain(one_line(trouble)));
    }
    Ok(Exit::Done)
}

/// The style of a daemon's status.
pub(crate) fn style(status: DaemonStatus) -> Style {
    match status {
        DaemonStatus::Online => Style::Good,
        DaemonStatus::Offline => Style::Warn,
    }
}

/// The agents that a daemon has, and their versions.
pub(crate) fn agents(agents: &[AgentInfo]) -> String {
    if agents.is_empty() {
        return "no agent".to_owned();
    }
    let told = agents.iter().map(|agent| match &agent.version {
        Some(version) => format!("{} {version}", agent.name),
        None => agent.name.clone(),
    });
    told.collect::<Vec<_>>().join(", ")
}
