//! `makima op`

mod log;
mod show;

use crate::{
    arguments::Global,
    failure::{Exit, Failure},
    printer::{Line, Printer, Style},
};
use clap::Subcommand;
use makima_model::{OperationKind, OperationState};
use makima_wire::Operation;

/// What can be seen of operations.
#[derive(Debug, Subcommand)]
pub(crate) enum OpCommand {
    Log(log::LogArguments),
    Show(show::ShowArguments),
}

/// Shows it.
pub(crate) async fn op(global: &Global, command: OpCommand, printer: &Printer) -> Result<Exit, Failure> {
    match command {
        OpCommand::Log(arguments) => log::log(global, arguments, printer).await,
        OpCommand::Show(arguments) => show::show(global, arguments, printer).await,
    }
}

/// What an operation is done to.
pub(crate) fn object(operation: &Operation) -> String {
    match (operation.task_id, operation.contract_id) {
        (Some(task), _) => format!("task {}", task.short()),
        (None, Some(contract)) => format!("contract {}", contract.short()),
        (None, None) => String::new(),
    }
}

/// What came of an operation, in one line.
pub(crate) fn outcome(operation: &Operation) -> Line {
    let what = match operation.kind {
        OperationKind::Delete => "put into the trash",
        OperationKind::Purge => "erased for good",
        OperationKind::Restore => "taken back to the snapshot",
        OperationKind::Checkpoint => "given a checkpoint",
        OperationKind::Undo => "as it was before",
    };
    let line = Line::styled(Style::Strong, object(operation));
    match operation.state {
        OperationState::Prepared => line.plain(" will be ").plain(what).then(
            Style::Faint,
            format!(
                ": operation {} goes on; `makima op show {}` tells how far it is",
                operation.id.short(),
                operation.id.short()
            ),
        ),
        OperationState::Abandoned => {
            line.plain(" is as it was: operation ").plain(operation.id.short()).plain(" is given up")
        }
        OperationState::Done | OperationState::Failed => {
            line.plain(" is ").plain(what).then(Style::Faint, format!("  operation {}", operation.id.short()))
        }
    }
}

/// How to show how far an operation has come.
pub(crate) fn style_of(state: OperationState) -> Style {
    match state {
        OperationState::Prepared => Style::Warn,
        OperationState::Done => Style::Good,
        OperationState::Failed | OperationState::Abandoned => Style::Bad,
    }
}
