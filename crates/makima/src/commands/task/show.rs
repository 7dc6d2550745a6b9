//! `makima task show`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    follow::{how_to_answer, question_lines},
    look::{duration, fact, style_of, styled_fact, used},
    printer::{Line, Printer, Style, ago, fold, one_line},
    reference::TaskRef,
};
use clap::Args;
use makima_model::{Clock, Timestamp};
use makima_wire::Task;

/// Lines of the plan that are shown unless all are wanted.
const PLAN: usize = 12;

/// Show what is known of a task
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima task show 1f2e3d4c
  makima task show \"Fix the parser\" --json")]
pub(crate) struct ShowArguments {
    /// The task: 4 or more characters of its id or short id, or its name
    task: TaskRef,
    /// Show all of a long plan
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
    let task = arguments.task.find(&client).await?;
    printer.document(&task);
    if printer.is_json() {
        return Ok(Exit::Done);
    }
    let contract = match task.contract_id {
        Some(id) => Some(client.contract(id).await?.name),
        None => None,
    };
    let daemon = match task.daemon_id {
        Some(id) => client.daemons().await?.daemons.into_iter().find(|daemon| daemon.id == id),
        None => None,
    };
    let program = global.program(&data);
    printer.page();
    for line in lines(&task, contract, daemon.map(|daemon| daemon.name), Clock::system().now()) {
        printer.line(line);
    }
    printer.line(Line::default());
    let (plan, more) = fold(&task.plan, if arguments.full { usize::MAX } else { PLAN });
    plan.into_iter().for_each(|line| printer.line(Line::styled(Style::Accent, "> ").plain(line)));
    if more > 0 {
        printer.line(Line::styled(Style::Faint, format!("… {more} more lines (--full shows them)")));
    }
    if let Some(question) = &task.pending_question {
        printer.line(Line::default());
        let asked = question_lines(question, task.worktree_path.as_deref());
        let how = how_to_answer(question, &program, task.id);
        asked.into_iter().chain(how).for_each(|line| printer.line(line));
    }
    Ok(Exit::Done)
}

fn lines(task: &Task, contract: Option<String>, daemon: Option<String>, now: Timestamp) -> Vec<Line> {
    let mut lines =
        vec![Line::styled(Style::Strong, one_line(&task.name)).then(Style::Faint, format!("  {}", task.id))];
    let reason = task.status_reason.as_deref().map(|why| format!(": {}", one_line(why))).unwrap_or_default();
    lines.push(styled_fact("status", style_of(task.status), task.status.as_str()).plain(reason));
    let mut add = |name: &str, text: Option<String>| {
        lines.extend(text.map(|text| fact(name, one_line(&text))));
    };
    add("contract", contract);
    add("agent", task.agent.clone());
    add("may do", task.permission_mode.map(|mode| mode.as_str().to_owned()));
    add("daemon", daemon);
    add("repository", Some(task.repository.clone()));
    let base = task.base_branch.as_deref().map(|base| format!(" from {base}")).unwrap_or_default();
    let commit = task.base_commit.as_deref().map(|sha| format!(" at {}", sha.get(..10).unwrap_or(sha)));
    add("branch", Some(format!("{}{base}{}", task.branch_name, commit.unwrap_or_default())));
    add("worktree", task.worktree_path.clone());
    add("messages", Some(format!("{} in {} {}", task.message_count, task.run_number, runs(task.run_number))));
    add("used", Some(used(task.total_tokens, task.total_cost)));
    let last =
        task.checkpoint_message.as_deref().map(|message| format!(", the newest {:?}", one_line(message)));
    add("checkpoints", Some(format!("{}{}", task.checkpoint_count, last.unwrap_or_default())));
    add("made", Some(ago(task.created_at, now)));
    add("started", task.started_at.map(|at| ago(at, now)));
    if let (Some(from), Some(to), true) = (task.started_at, task.completed_at, task.status.is_over()) {
        let took = (task.run_number == 1).then(|| format!(" after {}", duration(to.since(from).as_secs())));
        add("ended", Some(format!("{}{}", ago(to, now), took.unwrap_or_default())));
    }
    lines
}

fn runs(number: i64) -> &'static str {
    if number == 1 { "run" } else { "runs" }
}
