//! `makima op show`

use super::{object, style_of};
use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    look::fact,
    printer::{Line, Printer, Style, ago, one_line},
    reference::OperationRef,
};
use clap::Args;
use makima_model::{Circumstances, Clock};

/// Show one change of history: what was asked for, and how things were before and after
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima op show 1f2e3d4c")]
pub(crate) struct ShowArguments {
    /// The operation: 4 or more characters of its id or short id
    operation: OperationRef,
    #[command(flatten)]
    server: ServerChoice,
}

/// Shows it.
pub(crate) async fn show(
    global: &Global,
    arguments: ShowArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let operation = arguments.operation.find(&client).await?;
    printer.document(&operation);
    let now = Clock::system().now();
    printer.line(
        Line::styled(Style::Strong, operation.kind.as_str())
            .plain(format!(" of {}", object(&operation)))
            .then(Style::Faint, format!("  {}", operation.id)),
    );
    printer.line(
        Line::styled(Style::Faint, "state  ").then(style_of(operation.state), operation.state.as_str()),
    );
    let add = |name: &str, text: Option<String>| {
        if let Some(text) = text {
            printer.line(fact(name, one_line(&text)));
        }
    };
    add("why", operation.error.clone());
    add("asked", Some(format!("{} from {}", ago(operation.created_at, now), operation.origin)));
    add("request", Some(operation.request.to_string()).filter(|request| request != "{}"));
    add("before", told(&operation.before));
    add("after", operation.after.as_ref().and_then(told));
    add("undoes", operation.undoes.map(|id| id.short()));
    add("undone by", operation.undone_by.map(|id| id.short()));
    Ok(Exit::Done)
}

/// Circumstances, as the API has them.
fn told(circumstances: &Circumstances) -> Option<String> {
    serde_json::to_string(circumstances).ok().filter(|text| text != "{}")
}
