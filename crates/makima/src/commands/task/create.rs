//! `makima task create`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    failure::{Exit, Failure},
    here::Here,
    look::style_of,
    printer::{Line, Printer, Style, one_line},
    reference::{ContractRef, DaemonRef, TaskRef},
};
use clap::Args;
use makima_model::PermissionMode;
use makima_wire::CreateTask;
use std::io::Read;

/// Make a task, and let its agent work without being watched
///
/// The task's repository is the one that you are in, unless --contract or --repository says another. `makima task logs -f`
/// watches it.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima task create \"Give the parser a test for empty input\"
  makima task create --contract Parser --daemon workshop \"Write the changelog\"
  makima task create --continue-from 8e02b69a --copy .env \"Now the second half\"
  makima task create --no-start - <plan.md")]
pub(crate) struct CreateArguments {
    /// What the agent shall do; `-` reads it from standard input
    plan: String,
    /// What to call the task; without it, the plan's first line
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The contract that it belongs to: 4 or more characters of its id or short id, or its name. It gives repository,
    /// base branch and agent where they aren't given here
    #[arg(long, env = "MAKIMA_CONTRACT_ID", value_name = "CONTRACT")]
    contract: Option<ContractRef>,
    /// A local path or a git URL; without it, the contract's, else the one that you are in
    #[arg(long, value_name = "REPOSITORY")]
    repository: Option<String>,
    /// The branch to start from; without it, the contract's, else the one you are on
    #[arg(long, value_name = "BRANCH")]
    base_branch: Option<String>,
    /// The agent, by its name in the configuration; without it, the contract's, else the daemon's default
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// What the agent may do without asking: `bypass` (everything), `acceptEdits` (edit files) or `ask` (read)
    #[arg(long, value_name = "MODE")]
    permission_mode: Option<PermissionMode>,
    /// The daemon that shall run it; without it, the least loaded one that can
    #[arg(long, value_name = "DAEMON")]
    daemon: Option<DaemonRef>,
    /// The task that it is a part of
    #[arg(long, value_name = "TASK")]
    parent: Option<TaskRef>,
    /// Go on from another task's worktree as it is now; repository and branch are that task's
    #[arg(long, value_name = "TASK", conflicts_with_all = ["repository", "base_branch", "include_uncommitted"])]
    continue_from: Option<TaskRef>,
    /// The checkpoint of that task to begin with, by its commit
    #[arg(long, value_name = "SHA", requires = "continue_from")]
    checkpoint: Option<String>,
    /// A file to copy from the worktree of that task, else of the parent, also one that git ignores; several times for several
    #[arg(long = "copy", value_name = "FILE")]
    copy: Vec<String>,
    /// Let the agent see your uncommitted changes too: they stand uncommitted in its worktree
    #[arg(long)]
    include_uncommitted: bool,
    /// Leave what the agent has not committed at the end out of its branch; checkpoints have it
    #[arg(long)]
    no_commit: bool,
    /// Make it, and start it later by `makima task send`
    #[arg(long)]
    no_start: bool,
    #[command(flatten)]
    server: ServerChoice,
}

/// Makes it.
pub(crate) async fn create(
    global: &Global,
    arguments: CreateArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let data = global.data()?;
    let client = arguments.server.client(&data)?;
    let contract = match &arguments.contract {
        Some(contract) => Some(contract.find(&client).await?.id),
        None => None,
    };
    let continue_from_task_id = match &arguments.continue_from {
        Some(source) => Some(source.find(&client).await?.id),
        None => None,
    };
    let (repository, branch) = match (arguments.repository, contract, continue_from_task_id) {
        (Some(repository), ..) => (Some(repository), None),
        (None, Some(_), _) | (None, _, Some(_)) => (None, None),
        (None, None, None) => {
            let here = Here::find().await?;
            (Some(here.repository()?), here.branch)
        }
    };
    let target_daemon_id = match &arguments.daemon {
        Some(daemon) => Some(daemon.find(&client).await?.id),
        None => None,
    };
    let parent_task_id = match &arguments.parent {
        Some(parent) => Some(parent.find(&client).await?.id),
        None => None,
    };
    let task = CreateTask {
        contract_id: contract,
        parent_task_id,
        name: arguments.name,
        plan: plan(arguments.plan)?,
        agent: arguments.agent,
        permission_mode: arguments.permission_mode,
        repository,
        base_branch: arguments.base_branch.or(branch),
        target_daemon_id,
        include_uncommitted: arguments.include_uncommitted,
        commit_on_finish: arguments.no_commit.then_some(false),
        start: arguments.no_start.then_some(false),
        continue_from_task_id,
        checkpoint_sha: arguments.checkpoint,
        copy_files: (!arguments.copy.is_empty()).then_some(arguments.copy),
    };
    let task = client.create_task(&task).await?;
    printer.document(&task);
    let reason = task.status_reason.as_deref().map(|why| format!(": {}", one_line(why))).unwrap_or_default();
    printer.line(
        Line::styled(Style::Faint, "task ")
            .then(Style::Strong, task.id.short())
            .plain(" is ")
            .then(style_of(task.status), task.status.as_str())
            .plain(reason)
            .then(Style::Faint, format!(", on branch {}", task.branch_name)),
    );
    let next = if arguments.no_start { "send" } else { "logs -f" };
    let rest = if arguments.no_start { " \"…\"" } else { "" };
    printer.line(
        Line::styled(Style::Faint, if arguments.no_start { "start it: " } else { "watch it: " })
            .then(Style::Accent, format!("{} task {next} {}{rest}", global.program(&data), task.id.short())),
    );
    Ok(Exit::Done)
}

/// The plan that was told, or that comes by standard input.
fn plan(told: String) -> Result<String, Failure> {
    if told != "-" {
        return Ok(told);
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Failure::because("the plan could not be read from standard input", &error))?;
    Ok(text)
}
