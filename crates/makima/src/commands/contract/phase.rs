//! `makima contract phase`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    printer::{Line, Printer, Style},
    reference::ContractChoice,
};
use clap::Args;
use makima_model::Phase;

/// Say how far a contract's work has come
///
/// Any phase may follow any other, forward or back; each change is kept in the history.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima contract phase execute --contract Parser
  makima contract phase review")]
pub(crate) struct PhaseArguments {
    /// research, specify, plan, execute or review
    phase: Phase,
    #[command(flatten)]
    contract: ContractChoice,
    #[command(flatten)]
    server: ServerChoice,
}

/// Moves it there.
pub(crate) async fn phase(
    global: &Global,
    arguments: PhaseArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let contract = arguments.contract.find(&client).await?;
    let moved = client.set_phase(contract.id, arguments.phase).await?;
    printer.document(&moved);
    printer.line(
        Line::styled(Style::Faint, "contract ")
            .then(Style::Strong, moved.name.clone())
            .plain(format!(": {} → ", contract.phase))
            .then(Style::Good, moved.phase.as_str()),
    );
    Ok(Exit::Done)
}
