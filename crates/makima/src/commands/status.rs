//! `makima status`

use crate::{
    arguments::Global,
    commands::{
        daemon::list::{agents, style},
        doctor::not_ready,
    },
    connection::ServerChoice,
    failure::{Exit, Failure},
    look::{fact, style_of, styled_fact},
    printer::{Line, Printer, Style, one_line},
};
use clap::Args;
use futures::future::try_join_all;
use makima_client::{Client, ClientError};
use makima_model::{DaemonStatus, QuestionKind, TaskStatus};
use makima_wire::{Daemon, ListTasks, Me, Task, Words};
use serde::Serialize;
use std::collections::BTreeMap;

/// Tasks that wait, as many as are shown: the status is one screen.
const WAITING: u32 = 8;
/// Daemons, as many as are shown.
const DAEMONS: usize = 8;

/// Show how things stand: the server, your daemons, your tasks, and what waits for your answer
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima status
  watch --color makima status")]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    server: ServerChoice,
}

/// All of it, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    server: ServerStatus,
    me: Me,
    daemons: Vec<Daemon>,
    task_counts: BTreeMap<TaskStatus, i64>,
    waiting: Vec<Task>,
}

#[derive(Serialize)]
struct ServerStatus {
    url: String,
    version: String,
    /// What keeps it from working.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

/// Shows it.
pub(crate) async fn status(
    global: &Global,
    arguments: StatusArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let data = global.data()?;
    let client = arguments.server.client(&data)?;
    let status = ask(&client).await?;
    printer.document(&status);
    let program = global.program(&data);
    lines(&status, &program).into_iter().for_each(|line| printer.line(line));
    Ok(Exit::Done)
}

async fn ask(client: &Client) -> Result<Status, ClientError> {
    let health = client.health().await?;
    let me = client.me().await?;
    let daemons = client.daemons().await?.daemons;
    let counts = try_join_all(TaskStatus::ALL.iter().map(async |status| {
        let wanted = ListTasks { status: Words(vec![*status]), limit: Some(1), ..ListTasks::default() };
        Ok((*status, client.tasks(&wanted).await?.total_count))
    }));
    let task_counts = counts.await?.into_iter().filter(|(_, count)| *count > 0).collect();
    let wanted =
        ListTasks { status: Words(vec![TaskStatus::Waiting]), limit: Some(WAITING), ..ListTasks::default() };
    let waiting = client.tasks(&wanted).await?.tasks;
    let trouble = not_ready(client).await;
    let server = ServerStatus { url: client.url().to_owned(), version: health.version, trouble };
    Ok(Status { server, me, daemons, task_counts, waiting })
}

/// What keeps the server or daemon of the line above from working.
fn trouble(words: &str) -> Line {
    styled_fact("", Style::Warn, format!("  ! {}", one_line(words)))
}

fn lines(status: &Status, program: &str) -> Vec<Line> {
    let Status { server, me, daemons, task_counts, waiting } = status;
    let mut lines =
        vec![fact("server", server.url.clone()).then(Style::Faint, format!("  version {}", server.version))];
    lines.extend(server.trouble.as_deref().map(trouble));
    let owner = match me.owner_name == me.principal_name {
        true => String::new(),
        false => format!(", for {}", one_line(&me.owner_name)),
    };
    lines.push(fact("you", format!("{}{owner}", one_line(&me.principal_name))));
    for (n, daemon) in daemons.iter().take(DAEMONS).enumerate() {
        let line = fact(if n == 0 { "daemons" } else { "" }, one_line(&daemon.name));
        let running = match daemon.status {
            DaemonStatus::Online => {
                format!("  {} of {} running  ", daemon.running_tasks, daemon.max_concurrent_tasks)
            }
            DaemonStatus::Offline => "  ".to_owned(),
        };
        lines.push(
            line.plain("  ")
                .then(style(daemon.status), daemon.status.as_str())
                .plain(running)
                .then(Style::Faint, one_line(&agents(&daemon.agents)))
                .cut(),
        );
        lines.extend(daemon.trouble.as_deref().map(trouble));
    }
    match daemons.len() {
        0 => lines.push(fact("daemons", "none is connected: ").then(Style::Accent, format!("{program} up"))),
        n if n > DAEMONS => lines.push(fact("", format!("… {} more", n - DAEMONS))),
        _ => {}
    }
    let mut tasks = fact("tasks", if task_counts.is_empty() { "none yet" } else { "" });
    for (n, (status, count)) in task_counts.iter().enumerate() {
        let comma = if n == 0 { "" } else { ", " };
        tasks = tasks.plain(format!("{comma}{count} ")).then(style_of(*status), status.as_str());
    }
    lines.push(tasks);
    if !waiting.is_empty() {
        lines.push(Line::default());
        lines.push(Line::styled(Style::Strong, "Waits for your answer:"));
    }
    for task in waiting {
        lines.push(
            Line::from("  ")
                .then(Style::Strong, task.id.short())
                .plain(format!("  {}", one_line(&task.name)))
                .cut(),
        );
        let Some(question) = &task.pending_question else { continue };
        lines.push(Line::styled(Style::Warn, "    ? ").plain(one_line(&question.text)).cut());
        let answer = match question.kind {
            QuestionKind::Permission => "allow",
            QuestionKind::Question => "\"…\"",
        };
        lines.push(Line::styled(
            Style::Accent,
            format!("    {program} task answer {} {answer}", task.id.short()),
        ));
    }
    let all = task_counts.get(&TaskStatus::Waiting).copied().unwrap_or_default();
    let more = all - i64::try_from(waiting.len()).unwrap_or(all);
    if more > 0 {
        lines.push(Line::styled(
            Style::Faint,
            format!("  … {more} more: {program} task list --status waiting"),
        ));
    }
    lines
}
