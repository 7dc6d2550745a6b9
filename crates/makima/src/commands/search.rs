//! `makima search`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    pages::{Pages, left_out},
    printer::{Line, Printer, Style, ago, one_line},
    reference::{ContractRef, TaskRef},
    when::When,
};
use clap::Args;
use makima_model::{
    Clock, MessageRole, Timestamp,
    search::{HitKind, MARKS},
};
use makima_wire::{List, Search, SearchHit, SearchHits, Words};

/// Find what was said and what happened: messages, what tools were called with and what they answered, checkpoints, events
///
/// All words must be there; "words in quotes" must follow each other, as must those written without a space between them
/// (src/main.rs). word* finds what begins so, and so does the last word. Each hit says where it is: `makima task history TASK --at
/// POINT` shows the conversation as it was then.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima search parse_config
  makima search src/main.rs --tool Edit --from yesterday
  makima search '\"no such file\"' --errors --task 1f2e3d4c")]
pub(crate) struct SearchArguments {
    /// What to look for
    #[arg(required = true, value_name = "WORDS")]
    words: Vec<String>,
    /// In this contract and its tasks: 4 or more characters of its id or short id, or its name
    #[arg(long, value_name = "CONTRACT")]
    contract: Option<ContractRef>,
    /// In this task: 4 or more characters of its id or short id, or its name
    #[arg(long, value_name = "TASK")]
    task: Option<TaskRef>,
    /// What user, assistant, system or tool said; several with commas
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    role: Vec<MessageRole>,
    /// What this tool was called with, or answered
    #[arg(long, value_name = "TOOL")]
    tool: Option<String>,
    /// Only what tells of an error
    #[arg(long)]
    errors: bool,
    /// What is of this moment or later; of a day: from its beginning
    #[arg(long, value_name = "WHEN")]
    from: Option<When>,
    /// What is of this moment or earlier; of a day: to its end
    #[arg(long, value_name = "WHEN")]
    to: Option<When>,
    #[command(flatten)]
    pages: Pages,
    #[command(flatten)]
    server: ServerChoice,
}

/// Shows what is found.
pub(crate) async fn search(
    global: &Global,
    arguments: SearchArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let SearchArguments { words, contract, task, role, tool, errors, from, to, pages, server } = arguments;
    let client = server.client(&global.data()?)?;
    let mut wanted = Search {
        q: words.join(" "),
        role: Words(role),
        tool,
        errors_only: errors,
        from: from.map(When::begins),
        to: to.map(When::ends),
        ..Search::default()
    };
    if let Some(contract) = &contract {
        wanted.contract_id = Some(contract.find(&client).await?.id);
    }
    if let Some(task) = &task {
        wanted.task_id = Some(task.find(&client).await?.id);
    }
    let ask = async |list: List| {
        let List { limit, cursor, order } = list;
        client.search(&Search { limit, cursor, order, ..wanted.clone() }).await
    };
    let mut page = pages.walk(ask).await?;
    show(&mut page, printer);
    Ok(Exit::Done)
}

fn show(page: &mut SearchHits, printer: &Printer) {
    printer.document(page);
    if page.hits.is_empty() {
        printer.line(Line::styled(Style::Faint, "nothing was found"));
    } else {
        printer.page();
    }
    let now = Clock::system().now();
    for hit in &page.hits {
        printer.line(heading(hit, now));
        printer.line(snippet(&hit.snippet));
    }
    left_out(page).into_iter().for_each(|line| printer.line(Line::styled(Style::Faint, line)));
    if let Some(more) = page.not_yet_indexed {
        let text = format!(
            "not everything could be looked through yet: the newest {more} events and messages are being indexed"
        );
        printer.note(Line::styled(Style::Warn, text));
    }
}

/// When it was, of which task, who said it, and its point.
fn heading(hit: &SearchHit, now: Timestamp) -> Line {
    let short = hit.task_id.map(|id| id.short()).or(hit.contract_id.map(|id| id.short())).unwrap_or_default();
    let of = hit
        .task_name
        .as_deref()
        .map_or_else(|| if hit.contract_id.is_some() { "contract" } else { "chat" }.to_owned(), one_line);
    let who = match (hit.kind, hit.role, &hit.event_type) {
        (HitKind::Checkpoint, ..) => "checkpoint",
        (_, Some(MessageRole::User), _) => "you",
        (_, Some(role), _) => role.as_str(),
        (_, None, Some(event)) => event.as_str(),
        (_, None, None) => "event",
    };
    let tool = hit.tool_name.as_deref().map(|tool| format!(" {}", one_line(tool))).unwrap_or_default();
    let style = if hit.is_error { Style::Bad } else { Style::Accent };
    Line::styled(Style::Faint, format!("{:<12} {short:<8} ", ago(hit.timestamp, now)))
        .then(Style::Strong, of)
        .then(style, format!("  {who}{tool}"))
        .then(Style::Faint, format!("  {}", hit.point))
}

/// The snippet, with what was found in it to be seen first.
fn snippet(text: &str) -> Line {
    let mut line = Line::default().plain("    ");
    for (at, piece) in text.split(MARKS).enumerate() {
        let style = if at % 2 == 1 { Style::Warn } else { Style::Plain };
        line = line.then(style, piece);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::screen::Screen;

    #[test]
    fn what_was_found_is_marked_and_nothing_is_lost() {
        let line = snippet("…let x = \u{2}parse\u{3}(\u{2}path\u{3})?;");
        assert_eq!(line.render(&Screen::plain(80)), "    …let x = parse(path)?;");
        assert_eq!(
            line,
            Line::default()
                .plain("    ")
                .plain("…let x = ")
                .then(Style::Warn, "parse")
                .plain("(")
                .then(Style::Warn, "path")
                .plain(")?;")
        );
    }
}
