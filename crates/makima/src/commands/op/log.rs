//! `makima op log`

use super::{object, style_of};
use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    pages::{Pages, left_out, of_operations},
    printer::{Line, Printer, Style, Table, ago},
    reference::{ContractRef, TaskRef},
};
use clap::Args;
use makima_model::{Clock, OperationKind, OperationState};
use makima_wire::{ListOperations, Words};

/// Show the changes of history, newest first
///
/// Deletions, restored snapshots, checkpoints by hand, and the undoing of each. What was done to something that was erased since
/// is shown too, without what it was.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima op log
  makima op log --task 1f2e3d4c --kind delete,undo")]
pub(crate) struct LogArguments {
    /// Those on this task, in the trash too: 4 or more characters of its id or short id, or its name
    #[arg(long, value_name = "TASK")]
    task: Option<TaskRef>,
    /// Those on this contract and its tasks, in the trash too: 4 or more characters of its id or short id, or its name
    #[arg(long, value_name = "CONTRACT")]
    contract: Option<ContractRef>,
    /// Those of these kinds: delete, purge, restore, checkpoint, undo; several with commas
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kind: Vec<OperationKind>,
    /// Those in these states: prepared, done, failed, abandoned; several with commas
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    state: Vec<OperationState>,
    #[command(flatten)]
    pages: Pages,
    #[command(flatten)]
    server: ServerChoice,
}

/// Lists them.
pub(crate) async fn log(
    global: &Global,
    arguments: LogArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let task_id = match &arguments.task {
        Some(task) => Some(task.find_even_deleted(&client).await?),
        None => None,
    };
    let contract_id = match &arguments.contract {
        Some(contract) => Some(contract.find_even_deleted(&client).await?),
        None => None,
    };
    let wanted = ListOperations {
        task_id,
        contract_id,
        kind: Words(arguments.kind),
        state: Words(arguments.state),
        ..ListOperations::default()
    };
    let mut page = arguments
        .pages
        .walk(async |list| client.operations(&of_operations(wanted.clone(), list)).await)
        .await?;
    printer.document(&page);
    if page.operations.is_empty() {
        printer.line(Line::styled(Style::Faint, "no change of history is like that"));
        return Ok(Exit::Done);
    }
    let now = Clock::system().now();
    let mut table = Table::new(["id", "what", "on", "state", "undone", "from", "when"], "on");
    for operation in &page.operations {
        let what = match operation.undoes {
            Some(undoes) => format!("undo of {}", undoes.short()),
            None => operation.kind.as_str().to_owned(),
        };
        table.row([
            (Style::Strong, operation.id.short()),
            (Style::Plain, what),
            (Style::Plain, object(operation)),
            (style_of(operation.state), operation.state.as_str().to_owned()),
            (Style::Plain, operation.undone_by.map(|by| format!("by {}", by.short())).unwrap_or_default()),
            (Style::Plain, operation.origin.as_str().to_owned()),
            (Style::Faint, ago(operation.created_at, now)),
        ]);
    }
    printer.page();
    printer.table(&table);
    left_out(&mut page).into_iter().for_each(|line| printer.line(Line::styled(Style::Faint, line)));
    Ok(Exit::Done)
}
