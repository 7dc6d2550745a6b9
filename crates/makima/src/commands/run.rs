//! `makima run`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    follow::{Follower, Story, interrupts, unless_left},
    here::Here,
    printer::{Line, Printer, Style},
};
use clap::Args;
use makima_model::PermissionMode;
use makima_wire::CreateTask;

/// Let an agent work on the repository you are in, and watch it
///
/// The agent works in a worktree of its own, on a branch of its own; your working copy stays as it is. What it says and
/// does is shown as it happens. At the end you are told how it went, on which branch its work is, which files it changed
/// and what it cost. Ctrl-C stops the agent in good order and keeps everything.
///
/// The branch starts from the last commit of the branch you are on. Exits with 0 where the agent completed its work, else with 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima run \"Give the parser a test for empty input\"
  makima run --permission-mode ask --base-branch develop \"Tidy up the build\"")]
pub(crate) struct RunArguments {
    /// What the agent shall do
    plan: String,
    /// The agent, by its name in the configuration; without it, the daemon's default
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// The branch to start from; without it, the one you are on
    #[arg(long, value_name = "BRANCH")]
    base_branch: Option<String>,
    /// What the agent may do without asking: `bypass` (everything), `acceptEdits` (edit files) or `ask` (read);
    /// without it, what the configuration says for the agent
    #[arg(long, value_name = "MODE")]
    permission_mode: Option<PermissionMode>,
    /// Let the agent see your uncommitted changes too: they stand uncommitted in its worktree
    #[arg(long)]
    include_uncommitted: bool,
    /// What to call the task; without it, the plan's first line
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    server: ServerChoice,
}

/// Makes a task of the repository that one is in, and follows it.
pub(crate) async fn run(
    global: &Global,
    arguments: RunArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let here = Here::find().await?;
    let (repository, uncommitted) = (here.repository()?, here.uncommitted().await?);
    let data = global.data()?;
    let client = arguments.server.client(&data)?;
    let task = CreateTask {
        name: arguments.name,
        plan: arguments.plan,
        agent: arguments.agent,
        permission_mode: arguments.permission_mode,
        repository: Some(repository),
        base_branch: arguments.base_branch.or(here.branch),
        include_uncommitted: arguments.include_uncommitted,
        ..CreateTask::default()
    };
    let mut interrupts = interrupts()?;
    let task = unless_left(&mut interrupts, client.create_task(&task)).await?;
    printer.line(
        Line::styled(Style::Faint, "task ")
            .then(Style::Strong, task.id.short())
            .then(Style::Faint, " on branch ")
            .plain(task.branch_name.clone()),
    );
    if uncommitted > 0 && !arguments.include_uncommitted {
        printer.note(Line::styled(Style::Warn, format!(
            "{} with uncommitted changes: not included; stop this with Ctrl-C and give --include-uncommitted to include them",
            if uncommitted == 1 { "1 file".to_owned() } else { format!("{} files", uncommitted) }
        )));
    }
    if let Some(reason) = &task.status_reason {
        printer.line(Line::styled(Style::Warn, reason.clone()));
    }
    let story = Story::of_plan(&task.plan);
    let mut follower = Follower::new(&client, printer, interrupts, global.program(&data), task.id, story);
    let feed = follower.open(true).await?;
    follower.follow(feed).await
}
