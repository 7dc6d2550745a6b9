//! `makima contract history`

use crate::{
    arguments::Global,
    commands::timeline::{Which, show},
    connection::ServerChoice,
    failure::{Exit, Failure},
    pages::{Pages, of_timeline},
    printer::Printer,
    reference::{ContractChoice, ContractRef, contract_or_here},
};
use clap::Args;
use makima_wire::ListHistory;

/// Show what happened to a contract and its tasks, newest first
///
/// Times are written as people do: `2h ago`, `yesterday`, `2026-01-15`, `9:30`, in the zone of this machine unless they name one.
/// `makima timeline -f --contract …` goes on with what happens.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima contract history
  makima contract history Parser --phase execute --from \"2 days ago\"
  makima contract history --event-types checkpoint,phase_change --json")]
pub(crate) struct HistoryArguments {
    /// The contract, as with --contract
    #[arg(value_name = "CONTRACT")]
    named: Option<ContractRef>,
    #[command(flatten)]
    contract: ContractChoice,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    pages: Pages,
    #[command(flatten)]
    server: ServerChoice,
}

/// Shows it.
pub(crate) async fn history(
    global: &Global,
    arguments: HistoryArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let contract = match &arguments.named {
        Some(named) => contract_or_here(Some(named), &client).await?,
        None => arguments.contract.find(&client).await?,
    };
    let wanted = arguments.which.wanted();
    let ask = async |list| {
        let list = ListHistory::from(of_timeline(wanted.clone(), list));
        client.contract_history(contract.id, &list).await
    };
    let mut page = arguments.pages.walk(ask).await?;
    show(&mut page, printer);
    Ok(Exit::Done)
}
