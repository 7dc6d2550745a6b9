//! `makima contract show`

use super::facts;
use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    printer::{Line, Printer, Style, fold},
    reference::{ContractRef, contract_or_here},
};
use clap::Args;
use makima_model::Clock;

/// Lines of the goal that are shown unless all are wanted.
const GOAL: usize = 12;

/// Show what is known of a contract
///
/// Without a name, the only active contract of the repository that you are in.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima contract show Parser
  makima contract show --json")]
pub(crate) struct ShowArguments {
    /// The contract: 4 or more characters of its id or short id, or its name
    #[arg(env = "MAKIMA_CONTRACT_ID")]
    contract: Option<ContractRef>,
    /// Show all of a long description
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    server: ServerChoice,
}

/// Shows it.
pub(crate) async fn show(
    global: &Global,
    arguments: ShowArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let data = global.data()?;
    let client = arguments.server.client(&data)?;
    let contract = contract_or_here(arguments.contract.as_ref(), &client).await?;
    printer.document(&contract);
    printer.page();
    facts(&contract, Clock::system().now()).into_iter().for_each(|line| printer.line(line));
    let (goal, more) = fold(&contract.description, if arguments.full { usize::MAX } else { GOAL });
    if !goal.is_empty() {
        printer.line(Line::default());
    }
    goal.into_iter().for_each(|line| printer.line(Line::styled(Style::Accent, "> ").plain(line)));
    if more > 0 {
        printer.line(Line::styled(Style::Faint, format!("… {more} more lines (--full shows them)")));
    }
    printer.line(Line::default());
    printer.line(Line::styled(Style::Faint, "its tasks: ").then(
        Style::Accent,
        format!("{} task list --contract {}", global.program(&data), contract.id.short()),
    ));
    Ok(Exit::Done)
}
