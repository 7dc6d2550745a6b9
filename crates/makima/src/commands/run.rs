//! `makima run`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    environment,
    failure::{Exit, Failure, chain},
    follow::{Follower, Story, interrupts, unless_left},
    printer::{Line, Printer, Style},
};
use clap::Args;
use makima_git::{Environment, Git, Source, SourceError};
use makima_model::PermissionMode;
use makima_wire::CreateTask;
use std::path::PathBuf;

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

/// The repository that one is in.
struct Here {
    top: PathBuf,
    branch: Option<String>,
    uncommitted: usize,
}

/// Makes a task of the repository that one is in, and follows it.
pub(crate) async fn run(
    global: &Global,
    arguments: RunArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let here = here().await?;
    let data = global.data()?;
    let client = arguments.server.client(&data)?;
    let repository = here
        .top
        .to_str()
        .ok_or_else(|| Failure::usage(format!("the path {} is not UTF-8", here.top.display())))?;
    let task = CreateTask {
        name: arguments.name,
        plan: arguments.plan,
        agent: arguments.agent,
        permission_mode: arguments.permission_mode,
        repository: Some(repository.to_owned()),
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
    if here.uncommitted > 0 && !arguments.include_uncommitted {
        printer.note(Line::styled(Style::Warn, format!(
            "{} with uncommitted changes: not included; stop this with Ctrl-C and give --include-uncommitted to include them",
            if here.uncommitted == 1 { "1 file".to_owned() } else { format!("{} files", here.uncommitted) }
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

async fn here() -> Result<Here, Failure> {
    let folder = environment::working_folder()
        .map_err(|error| Failure::because("the folder that you are in can't be read", &error))?;
    let git = Git::find(Environment::pick(environment::all()))
        .await
        .map_err(|error| Failure::new(chain(&error)))?;
    let inspection =
        git.inspect(&Source::Local(folder.clone()), None).await.map_err(|error| match &error {
            SourceError::NotARepository { source, .. } if !source.is_dubious_ownership() => Failure::usage(
                format!("{} is not in a git repository", folder.display()),
            )
            .hint("go to the repository that the agent shall work on, or make one here with `git init`"),
            _ => Failure::new(chain(&error)),
        })?;
    let worktree = inspection.local.and_then(|local| local.worktree);
    let top = worktree.ok_or_else(|| {
        Failure::usage(format!("{} is in a git repository without a working copy", folder.display()))
            .hint("go to a clone of it")
    })?;
    let uncommitted = git.uncommitted(&top).await.map_err(|error| Failure::new(chain(&error)))?;
    // A branch without a commit is none to start from.
    let branch = inspection.head_branch.filter(|_| inspection.head_commit.is_some());
    Ok(Here { top, branch, uncommitted: uncommitted.changed + uncommitted.untracked })
}
