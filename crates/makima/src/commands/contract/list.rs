//! `makima contract list`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    look::{counts, money},
    pages::{Pages, left_out, of_contracts},
    printer::{Line, Printer, Style, Table, ago},
};
use clap::Args;
use makima_model::{Clock, ContractStatus, Phase};
use makima_wire::{ListContracts, Words};

/// List contracts, newest first
///
/// All conditions that are given hold of each contract that is shown.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima contract list
  makima contract list --status active --phase execute,review
  makima contract list \"parser\"")]
pub(crate) struct ListArguments {
    /// Those that have this text in their name or description
    text: Option<String>,
    /// Those that are active, completed or archived; several with commas
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    status: Vec<ContractStatus>,
    /// Those that have come to research, specify, plan, execute or review; several with commas
    #[arg(long, value_name = "PHASE", value_delimiter = ',')]
    phase: Vec<Phase>,
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
    let wanted = ListContracts {
        status: Words(arguments.status),
        phase: Words(arguments.phase),
        q: arguments.text,
        ..ListContracts::default()
    };
    let mut page = arguments
        .pages
        .walk(async |list| client.contracts(&of_contracts(wanted.clone(), list)).await)
        .await?;
    printer.document(&page);
    if page.contracts.is_empty() {
        printer.line(match wanted == ListContracts::default() {
            true => Line::styled(Style::Faint, "there are no contracts yet: ")
                .then(Style::Accent, format!("{} contract create \"its name\"", global.program(&data)))
                .then(Style::Faint, " makes one"),
            false => Line::styled(Style::Faint, "no contract is like that"),
        });
        return Ok(Exit::Done);
    }
    let now = Clock::system().now();
    let mut table = Table::new(["id", "name", "phase", "status", "tasks", "cost", "changed"], "name");
    for contract in &page.contracts {
        table.row([
            (Style::Strong, contract.id.short()),
            (Style::Plain, contract.name.clone()),
            (Style::Plain, contract.phase.as_str().to_owned()),
            (status(contract.status), contract.status.as_str().to_owned()),
            (Style::Plain, counts(&contract.task_counts)),
            (Style::Plain, money(contract.total_cost).unwrap_or_default()),
            (Style::Faint, ago(contract.last_activity_at, now)),
        ]);
    }
    printer.page();
    printer.table(&table);
    left_out(&mut page).into_iter().for_each(|line| printer.line(Line::styled(Style::Faint, line)));
    Ok(Exit::Done)
}

fn status(status: ContractStatus) -> Style {
    match status {
        ContractStatus::Active => Style::Accent,
        ContractStatus::Completed => Style::Good,
        ContractStatus::Archived => Style::Faint,
    }
}
