//! `makima task list`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    look::{money, style_of},
    pages::{Pages, left_out, of_tasks},
    printer::{Line, Printer, Style, Table, ago},
    reference::{ContractRef, DaemonRef},
};
use clap::Args;
use makima_model::{Clock, TaskStatus};
use makima_wire::{ListTasks, OfContract, Words};

/// List tasks, newest first
///
/// All conditions that are given hold of each task that is shown.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima task list
  makima task list --status running,waiting
  makima task list --contract Parser --agent claude \"empty input\"")]
pub(crate) struct ListArguments {
    /// Those that have this text in their name, plan or branch
    text: Option<String>,
    /// Those that stand here: pending, starting, running, waiting, completed, failed, cancelled, interrupted; several
    /// with commas
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    status: Vec<TaskStatus>,
    /// Those of this contract: 4 or more characters of its id or short id, or its name; `none`: those without one
    #[arg(long, value_name = "CONTRACT")]
    contract: Option<ContractRef>,
    /// Those of this agent, by its name in the configuration
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Those whose newest run is on this daemon: 4 or more characters of its id or short id, or its name
    #[arg(long, value_name = "DAEMON")]
    daemon: Option<DaemonRef>,
    #[command(flatten)]
    pages: Pages,
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
    let contract_id = match &arguments.contract {
        Some(contract) if contract.is_none() => Some(OfContract::None),
        Some(contract) => Some(OfContract::One(contract.find(&client).await?.id)),
        None => None,
    };
    let daemon_id = match &arguments.daemon {
        Some(daemon) => Some(daemon.find(&client).await?.id),
        None => None,
    };
    let wanted = ListTasks {
        contract_id,
        status: Words(arguments.status),
        agent: arguments.agent,
        daemon_id,
        q: arguments.text,
        ..ListTasks::default()
    };
    let mut page =
        arguments.pages.walk(async |list| client.tasks(&of_tasks(wanted.clone(), list)).await).await?;
    printer.document(&page);
    if page.tasks.is_empty() {
        printer.line(match wanted == ListTasks::default() {
            true => Line::styled(Style::Faint, "there are no tasks yet: ")
                .then(Style::Accent, format!("{} run \"what the agent shall do\"", global.program(&data)))
                .then(Style::Faint, " makes one"),
            false => Line::styled(Style::Faint, "no task is like that"),
        });
        return Ok(Exit::Done);
    }
    let now = Clock::system().now();
    let mut table = Table::new(["id", "status", "name", "agent", "cost", "changed"], "name");
    for task in &page.tasks {
        table.row([
            (Style::Strong, task.id.short()),
            (style_of(task.status), task.status.as_str().to_owned()),
            (Style::Plain, task.name.clone()),
            (Style::Plain, task.agent.clone().unwrap_or_default()),
            (Style::Plain, money(task.total_cost).unwrap_or_default()),
            (Style::Faint, ago(task.updated_at, now)),
        ]);
    }
    printer.page();
    printer.table(&table);
    left_out(&mut page).into_iter().for_each(|line| printer.line(Line::styled(Style::Faint, line)));
    Ok(Exit::Done)
}
