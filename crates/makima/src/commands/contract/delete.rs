//! `makima contract delete`

use crate::{
    arguments::Global,
    commands::op,
    connection::ServerChoice,
    consent::Consent,
    failure::{Exit, Failure},
    printer::Printer,
    reference::ContractRef,
};
use clap::Args;
use makima_wire::Deletion;

/// Put a contract and its tasks into the trash, or erase them
///
/// `makima undo` has them back from the trash as they were. With --purge everything of them is erased for good, also where it is in
/// the trash already; your own repository keeps what was fetched into it.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima contract delete Parser
  makima contract delete Parser --stop --yes")]
pub(crate) struct DeleteArguments {
    /// The contract: 4 or more characters of its id or short id, or its name
    contract: ContractRef,
    /// Erase it and its tasks for good: that can't be undone
    #[arg(long)]
    purge: bool,
    /// Stop agents that work on it first
    #[arg(long)]
    stop: bool,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    server: ServerChoice,
}

/// Deletes it.
pub(crate) async fn delete(
    global: &Global,
    arguments: DeleteArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let contract = match arguments.purge {
        true => arguments.contract.find_even_deleted(&client).await?,
        false => arguments.contract.find(&client).await?.id,
    };
    let what = match arguments.purge {
        true => format!("erase contract {} and its tasks for good", contract.short()),
        false => format!("put contract {} and its tasks into the trash", contract.short()),
    };
    arguments.consent.to(&what, printer).await?;
    let how = Deletion { purge: arguments.purge, stop: arguments.stop };
    let operation = client.delete_contract(contract, how).await?;
    printer.document(&operation);
    printer.line(op::outcome(&operation));
    Ok(Exit::Done)
}
