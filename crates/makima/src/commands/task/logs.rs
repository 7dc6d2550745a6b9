//! `makima task logs`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    follow::{Follower, Heard, Story, Told, interrupts, outcome},
    pages::all,
    printer::{Line, Printer, Style},
    reference::TaskRef,
};
use clap::Args;
use makima_client::{Client, ClientError};
use makima_model::{Clock, TaskId};
use makima_wire::{List, Order, TaskEvent, TaskEventList};
use serde::Serialize;
use std::collections::BTreeMap;

/// Show what the agent of a task said and did
///
/// What tools put out is folded; --full shows all of it. With --follow it goes on with what happens until the task ends,
/// also over a restart of the server; Ctrl-C ends the looking and not the task.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima task logs 1f2e3d4c
  makima task logs -f 1f2e3d4c
  makima task logs --full 1f2e3d4c | grep -n error")]
pub(crate) struct LogsArguments {
    /// The task: 4 or more characters of its id or short id, or its name
    task: TaskRef,
    /// Go on with what happens, until the task ends
    #[arg(short, long)]
    follow: bool,
    /// Fold nothing: all of what tools were called with and put out, as wide as it is
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    server: ServerChoice,
}

/// What is recorded of a task.
struct Recorded {
    /// Messages and events, oldest first.
    events: Vec<TaskEvent>,
    /// How far all of it is there: what comes later is in the feed after this number.
    complete_to: i64,
}

/// All of it, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    events: Vec<TaskEvent>,
    total_count: usize,
}

/// Shows it, and goes on where that is wanted.
pub(crate) async fn logs(
    global: &Global,
    arguments: LogsArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let data = global.data()?;
    let client = arguments.server.client(&data)?;
    let mut task = arguments.task.find(&client).await?;
    let mut story = if arguments.full { Story::default().in_full() } else { Story::default() };
    let follows = arguments.follow && !task.status.is_over();
    if printer.is_json() {
        if follows {
            let program = global.program(&data);
            let mut follower = Follower::looking(&client, printer, interrupts()?, program, task.id, story);
            let feed = follower.open(true).await?;
            follower.wait(feed).await?;
        }
        let events = Recorded::read(&client, task.id).await?.events;
        printer.document(&Document { total_count: events.len(), events });
        return Ok(Exit::Done);
    }
    if !follows {
        printer.page();
    }
    // From now on, so that Ctrl-C leaves in good order also while the record is read.
    let interrupts = if follows { Some(interrupts()?) } else { None };
    // Its worktree is known by the time that its agent has said something: paths are told relative to it.
    let recorded = Recorded::read(&client, task.id).await?;
    task = client.task(task.id).await?;
    story.of_task(&task);
    let mut told = Told::new(printer, Clock::system().now());
    let complete_to = recorded.complete_to;
    for event in recorded.events {
        // What came while the rest was read comes by the feed.
        if !follows || event.seq <= complete_to {
            told.tell(&mut story, &Heard::recorded(event));
        }
    }
    if let Some(interrupts) = interrupts {
        story.interrupted();
        let program = global.program(&data);
        let mut follower = Follower::looking(&client, printer, interrupts, program, task.id, story);
        let feed = follower.open_after(complete_to).await?;
        return follower.follow(feed).await;
    }
    told.end(&mut story);
    if !told.anything() {
        let text = format!("task {} is {}; its agent has said nothing yet", task.id.short(), task.status);
        printer.line(Line::styled(Style::Faint, text));
    }
    if task.status.is_over() {
        printer.line(Line::default());
        printer.line(outcome(&task));
    }
    told.hidden(&story);
    Ok(Exit::Done)
}

impl Recorded {
    /// Reads messages and events. They are two lists of one numbering.
    async fn read(client: &Client, task: TaskId) -> Result<Self, ClientError> {
        let oldest_first = |list| List { order: Some(Order::Asc), ..list };
        let output: TaskEventList = all(async |list| client.output(task, &oldest_first(list)).await).await?;
        let happened: TaskEventList =
            all(async |list| client.events(task, &oldest_first(list)).await).await?;
        // Whoever has seen a number never misses one below it: all events up to the newest output are there.
        let complete_to = output.events.iter().map(|event| event.seq).max().unwrap_or_default();
        let events: BTreeMap<i64, TaskEvent> =
            happened.events.into_iter().chain(output.events).map(|event| (event.seq, event)).collect();
        Ok(Self { events: events.into_values().collect(), complete_to })
    }
}
