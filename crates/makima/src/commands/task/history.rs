//! `makima task history`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    follow::{Heard, Story, Told},
    look::used,
    printer::{Line, Printer, Style, ago},
    reference::TaskRef,
    when::point,
};
use clap::Args;
use futures::{Stream, StreamExt};
use makima_client::ClientError;
use makima_model::{Clock, MessageId, Point, Timestamp};
use makima_wire::{Conversation, ConversationMessage, Moment, ReadConversation};
use std::pin::pin;

/// How many messages are shown around one unless told.
const AROUND: u32 = 20;

/// Show the conversation of a task
///
/// All of it, oldest first, as it is now or as it was at a point: head, ~N (N messages before the head), checkpoint:N, a
/// checkpoint's id or commit, message:ID, snapshot:ID, or a time such as 2026-01-15T09:30:00Z. What was rewound away can be
/// shown too, by a message or checkpoint of it. What tools put out is folded; --full shows all of it.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima task history 1f2e3d4c
  makima task history 1f2e3d4c --limit 20 --no-tool-results
  makima task history 1f2e3d4c --at checkpoint:3")]
pub(crate) struct HistoryArguments {
    /// The task: 4 or more characters of its id or short id, or its name
    task: TaskRef,
    /// Only the last N messages, 1000 at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: Option<u32>,
    /// Leave out what tools were called with
    #[arg(long)]
    no_tool_calls: bool,
    /// Leave out what tools put out
    #[arg(long)]
    no_tool_results: bool,
    /// As it was at this point, or time, such as `2h ago`
    #[arg(long, value_name = "POINT", value_parser = point)]
    at: Option<Point>,
    /// What stands around this message, by its id: 20 messages, or as many as --limit says
    #[arg(long, value_name = "MESSAGE")]
    around: Option<MessageId>,
    /// Fold nothing: all of what tools were called with and put out, as wide as it is
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    server: ServerChoice,
}

/// Shows it, a message at a time: however long it is, it is never held.
pub(crate) async fn history(
    global: &Global,
    arguments: HistoryArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let task = arguments.task.find(&client).await?;
    let wanted = ReadConversation {
        include_tool_calls: arguments.no_tool_calls.then_some(false),
        include_tool_results: arguments.no_tool_results.then_some(false),
        limit: arguments.limit.or(arguments.around.map(|_| AROUND)),
        cursor: None,
        at: arguments.at.clone(),
        around: arguments.around,
    };
    let (head, messages) = client.stream_conversation(task.id, &wanted).await?;
    let mut messages = pin!(messages);
    if printer.is_json() {
        document(&head, messages, printer).await?;
        return Ok(Exit::Done);
    }
    printer.page();
    let now = Clock::system().now();
    if let Some(line) = before(&head, arguments.at.as_ref(), now) {
        printer.line(Line::styled(Style::Faint, line));
    }
    let mut story = if arguments.full { Story::default().in_full() } else { Story::default() };
    story.of_task(&task);
    let mut told = Told::new(printer, now);
    while let Some(message) = messages.next().await {
        told.tell(&mut story, &Heard::Message(task.id, Box::new(message?)));
    }
    told.end(&mut story);
    let is_all = wanted.limit.is_none() && wanted.at.is_none();
    if !told.anything() {
        printer.line(Line::styled(Style::Faint, "nothing was said"));
    } else if is_all {
        printer.line(Line::styled(Style::Faint, format!("── {}", used(head.total_tokens, head.total_cost))));
    }
    told.hidden(&story);
    Ok(Exit::Done)
}

/// The document as the API has it.
async fn document(
    head: &Conversation,
    mut messages: impl Stream<Item = Result<ConversationMessage, ClientError>> + Unpin,
    printer: &Printer,
) -> Result<(), Failure> {
    let mut document = printer.long_document(head);
    while let Some(message) = messages.next().await {
        document.row(&message?);
    }
    document.end();
    Ok(())
}

/// What a person is told before the messages: which moment it is, and that there is something older.
fn before(head: &Conversation, at: Option<&Point>, now: Timestamp) -> Option<String> {
    let older = head.cursor.as_ref().map(|_| "older messages are left out".to_owned());
    let moment = at.zip(head.moment.as_ref()).map(|(point, moment)| of_moment(point, moment, now));
    let told: Vec<String> = moment.into_iter().chain(older).collect();
    (!told.is_empty()).then(|| format!("({})", told.join("; ")))
}

fn of_moment(point: &Point, moment: &Moment, now: Timestamp) -> String {
    let messages = match moment.message_count {
        1 => "1 message".to_owned(),
        count => format!("{count} messages"),
    };
    let commit = moment.commit_sha.as_deref().and_then(|commit| commit.get(..10));
    let code = match (commit, moment.checkpoint_id) {
        (Some(commit), Some(_)) => format!(", its files in {commit}"),
        (Some(commit), None) => format!(", before any checkpoint, from {commit}"),
        (None, _) => String::new(),
    };
    format!("{point}, {}: {messages}{code}", ago(moment.timestamp, now))
}
