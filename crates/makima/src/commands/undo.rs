//! `makima undo`

use crate::{
    arguments::Global,
    commands::op,
    connection::ServerChoice,
    consent::Consent,
    failure::{Exit, Failure},
    printer::Printer,
    reference::OperationRef,
};
use clap::Args;
use makima_client::Client;
use makima_model::{OperationKind, OperationState, Origin};
use makima_wire::{ListOperations, Operation, UndoOperation, Words};

/// Undo a change of history, your last one unless told which
///
/// Called again and again it goes back step by step: each time to your last change that is still in force. An undo is a change too:
/// `makima undo` with its id has the undone change again. What was erased for good can't be had again. A change that waits for a daemon
/// which is away is given up.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima undo
  makima undo 1f2e3d4c --yes")]
pub(crate) struct UndoArguments {
    /// The operation, as `makima op log` shows it: 4 or more characters of its id or short id
    operation: Option<OperationRef>,
    /// Undo it though things went on since; what came after is kept
    #[arg(long)]
    keep_newer: bool,
    /// Stop an agent that works first
    #[arg(long)]
    stop: bool,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    server: ServerChoice,
}

/// Undoes it.
pub(crate) async fn undo(
    global: &Global,
    arguments: UndoArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let undone = match &arguments.operation {
        Some(operation) => operation.find(&client).await?,
        None => last(&client).await?,
    };
    let what = format!("undo the {} of {}", undone.kind, op::object(&undone));
    arguments.consent.to(&what, printer).await?;
    let how = UndoOperation { keep_newer: arguments.keep_newer, stop: arguments.stop };
    let operation = client.undo_operation(undone.id, how).await?;
    printer.document(&operation);
    printer.line(op::outcome(&operation));
    Ok(Exit::Done)
}

/// The caller's last change that is in force.
async fn last(client: &Client) -> Result<Operation, Failure> {
    let me = client.me().await?.principal_id;
    let mut cursor = None;
    loop {
        let done = ListOperations {
            state: Words(vec![OperationState::Done]),
            cursor: cursor.take(),
            ..ListOperations::default()
        };
        let page = client.operations(&done).await?;
        for operation in page.operations {
            let is_own =
                operation.principal == me && !matches!(operation.origin, Origin::Agent | Origin::Server);
            if is_own && operation.undone_by.is_none() && is_change(client, &operation).await? {
                return Ok(operation);
            }
        }
        match page.cursor {
            Some(next) => cursor = Some(next),
            None => return Err(Failure::not_found("there is no change of yours to undo")),
        }
    }
}

/// Whether an operation changed something that isn't undone by it: what undoes doesn't, what undoes an undo does again. What was
/// erased is passed over.
async fn is_change(client: &Client, operation: &Operation) -> Result<bool, Failure> {
    let erased = operation.after.as_ref().is_none_or(|after| *after == Default::default());
    if operation.kind == OperationKind::Purge || erased {
        return Ok(false);
    }
    let (mut is_change, mut undoes) = (true, operation.undoes);
    while let Some(id) = undoes {
        is_change = !is_change;
        undoes = client.operation(id).await?.undoes;
    }
    Ok(is_change)
}
