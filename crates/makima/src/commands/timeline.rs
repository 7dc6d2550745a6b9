//! `makima timeline`

mod follow;

use crate::{
    arguments::Global,
    connection::ServerChoice,
    entry,
    failure::{Exit, Failure},
    pages::{Pages, left_out, of_timeline},
    printer::{Line, Printer, Style, ago},
    reference::{ContractRef, TaskRef},
    when::When,
};
use clap::Args;
use makima_client::Client;
use makima_model::{Clock, HistoryType, Phase};
use makima_wire::{ListTimeline, Timeline, Words};

/// Show what happened: tasks, their turns, checkpoints, chats and phases
///
/// Of everything, or of a contract or a task. Times are written as people do: `2h ago`, `yesterday`, `2026-01-15`, `9:30`, in the
/// zone of this machine unless they name one. With --follow the newest stand last and what happens next is added, also over a restart of
/// the server; Ctrl-C ends it. With --follow and --json each entry is a document of its own, one a line.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima timeline --from yesterday
  makima timeline -f --contract Parser
  makima timeline --task 1f2e3d4c --include-subtasks --event-types checkpoint,task_turn")]
pub(crate) struct TimelineArguments {
    /// Go on with what happens
    #[arg(short, long, conflicts_with_all = ["to", "cursor", "oldest_first"])]
    follow: bool,
    /// What happened to this contract: 4 or more characters of its id or short id, or its name
    #[arg(long, value_name = "CONTRACT")]
    contract: Option<ContractRef>,
    /// What happened to this task: 4 or more characters of its id or short id, or its name
    #[arg(long, value_name = "TASK")]
    task: Option<TaskRef>,
    /// And to all tasks below it, however deep
    #[arg(long, requires = "task")]
    include_subtasks: bool,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    pages: Pages,
    #[command(flatten)]
    server: ServerChoice,
}

/// Which entries.
#[derive(Debug, Clone, Args)]
pub(crate) struct Which {
    /// Those of research, specify, plan, execute or review; several with commas
    #[arg(long, value_name = "PHASE", value_delimiter = ',')]
    phase: Vec<Phase>,
    /// Those of these types: task_created, task_completed, task_turn, task_status, checkpoint, phase_change, chat, file_change;
    /// several with commas
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    event_types: Vec<HistoryType>,
    /// Those of this moment or later ones; of a day: from its beginning
    #[arg(long, value_name = "WHEN")]
    from: Option<When>,
    /// Those of this moment or earlier ones; of a day: to its end
    #[arg(long, value_name = "WHEN")]
    to: Option<When>,
}

impl Which {
    /// As the server is asked for them.
    pub(crate) fn wanted(self) -> ListTimeline {
        ListTimeline {
            phase: Words(self.phase),
            event_types: Words(self.event_types),
            from: self.from.map(When::begins),
            to: self.to.map(When::ends),
            ..ListTimeline::default()
        }
    }
}

/// Shows it.
pub(crate) async fn timeline(
    global: &Global,
    arguments: TimelineArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let mut wanted = arguments.which.wanted();
    if let Some(contract) = &arguments.contract {
        wanted.contract_id = Some(contract.find(&client).await?.id);
    }
    if let Some(task) = &arguments.task {
        wanted.task_id = Some(task.find(&client).await?.id);
        wanted.include_subtasks = arguments.include_subtasks;
    }
    if arguments.follow {
        return follow::follow(&client, wanted, &arguments.pages, printer).await;
    }
    let mut page = read(&client, &wanted, &arguments.pages).await?;
    show(&mut page, printer);
    Ok(Exit::Done)
}

async fn read(client: &Client, wanted: &ListTimeline, pages: &Pages) -> Result<Timeline, Failure> {
    Ok(pages.walk(async |list| client.timeline(&of_timeline(wanted.clone(), list)).await).await?)
}

/// Shows a page.
pub(crate) fn show(page: &mut Timeline, printer: &Printer) {
    printer.document(page);
    if page.entries.is_empty() {
        printer.line(Line::styled(Style::Faint, "nothing like that has happened"));
        return;
    }
    printer.page();
    let now = Clock::system().now();
    for entry in &page.entries {
        printer.line(entry::line(&ago(entry.timestamp, now), entry));
    }
    left_out(page).into_iter().for_each(|line| printer.line(Line::styled(Style::Faint, line)));
}
