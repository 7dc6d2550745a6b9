//! `makima contract`

mod create;
mod delete;
mod history;
mod list;
mod phase;
mod show;

use crate::{
    arguments::Global,
    failure::{Exit, Failure},
    look::{counts, fact, used},
    printer::{Line, Printer, Style, ago, one_line},
};
use clap::Subcommand;
use makima_model::Timestamp;
use makima_wire::Contract;

/// What can be done with a contract.
#[derive(Debug, Subcommand)]
pub(crate) enum ContractCommand {
    Create(create::CreateArguments),
    List(list::ListArguments),
    Show(show::ShowArguments),
    History(history::HistoryArguments),
    Phase(phase::PhaseArguments),
    Delete(delete::DeleteArguments),
}

/// Does it.
pub(crate) async fn contract(
    global: &Global,
    command: ContractCommand,
    printer: &Printer,
) -> Result<Exit, Failure> {
    match command {
        ContractCommand::Create(arguments) => create::create(global, arguments, printer).await,
        ContractCommand::List(arguments) => list::list(global, arguments, printer).await,
        ContractCommand::Show(arguments) => show::show(global, arguments, printer).await,
        ContractCommand::History(arguments) => history::history(global, arguments, printer).await,
        ContractCommand::Phase(arguments) => phase::phase(global, arguments, printer).await,
        ContractCommand::Delete(arguments) => delete::delete(global, arguments, printer).await,
    }
}

/// What is known of one.
fn facts(contract: &Contract, now: Timestamp) -> Vec<Line> {
    let mut lines = vec![
        Line::styled(Style::Strong, one_line(&contract.name))
            .then(Style::Faint, format!("  {}", contract.id)),
        fact("phase", contract.phase.as_str()),
        fact("status", contract.status.as_str()),
    ];
    let mut add =
        |name: &str, text: Option<String>| lines.extend(text.map(|text| fact(name, one_line(&text))));
    add("repository", Some(contract.repository.clone()));
    add("base branch", contract.base_branch.clone());
    add("agent", contract.agent.clone());
    add("tasks", Some(counts(&contract.task_counts)));
    add("used", Some(used(contract.total_tokens, contract.total_cost)));
    add("checkpoints", Some(contract.checkpoint_count.to_string()));
    add("made", Some(ago(contract.created_at, now)));
    add("changed", Some(ago(contract.last_activity_at, now)));
    lines
}
