//! `makima import claude-code`

use crate::{
    arguments::Global,
    connection::ServerChoice,
    environment,
    failure::{Exit, Failure},
    import::{Importer, Outcome, State, session_files},
    printer::{Line, Printer, Style, one_line},
};
use clap::Args;
use makima_git::{Environment, Git};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, Instant},
};

/// How often it is told how far it has come.
const OFTEN: Duration = Duration::from_millis(100);

/// Import the sessions of Claude Code that are on this machine: each becomes a task
///
/// A task has the session's conversation with its times and tokens, what was said before it was gone back in it, and, where its
/// repository is here, the commits that were made meanwhile as checkpoints. Nothing is changed but on the server, and nothing there is
/// overwritten. It can be stopped and called again at any time: what is there is not imported again, and of a session that went on
/// only what is new. `makima task send` goes on with one.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima import claude-code
  makima import claude-code ~/.claude/projects/-home-me-src-parser
  makima import claude-code --json backup/3169f589-8c23-47c8-bc5f-1f771f424e41.jsonl")]
pub(crate) struct ClaudeCodeArguments {
    /// A session file, or a folder that holds some at any depth; without it, all that Claude Code keeps: `projects` in
    /// CLAUDE_CONFIG_DIR, else in `~/.claude`
    #[arg(value_name = "FOLDER|FILE")]
    path: Option<PathBuf>,
    #[command(flatten)]
    server: ServerChoice,
}

/// Imports them.
pub(crate) async fn claude_code(
    global: &Global,
    arguments: ClaudeCodeArguments,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let client = arguments.server.client(&global.data()?)?;
    let path = match arguments.path {
        Some(path) => path,
        None => environment::claude_folder()
            .map(|folder| folder.join("projects"))
            .ok_or_else(|| Failure::usage("there is no home folder: name the folder of the sessions"))?,
    };
    let mut files: Vec<(PathBuf, u64)> = session_files(&path)?
        .into_iter()
        .map(|file| {
            let length = std::fs::metadata(&file).map_or(0, |file| file.len());
            (file, length)
        })
        .collect();
    // Of copies of one session the shorter ones first: each may go on where the one before ends.
    files.sort_by_key(|(_, length)| *length);
    // Without git there are no commits to be found, and all the rest is the same.
    let git = Git::find(Environment::pick(environment::all())).await.ok();
    let total: u64 = files.iter().map(|(_, length)| length).sum();
    let (mut before, mut outcomes) = (0, Vec::new());
    let told: Mutex<Option<Instant>> = Mutex::new(None);
    for (n, (file, length)) in files.iter().enumerate() {
        let watch = |done: u64| {
            let mut told = told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if told.is_none_or(|told| told.elapsed() >= OFTEN) {
                *told = Some(Instant::now());
                printer.progress(Some(bar(before + done, total, (n + 1, files.len()), file)));
            }
        };
        let importer = Importer { client: &client, git: git.as_ref(), watch: &watch };
        let outcome = importer.import(file).await;
        printer.progress(None);
        let outcome = outcome?;
        tell(&outcome, printer);
        outcomes.push(outcome);
        before += length;
    }
    let failed = outcomes.iter().filter(|outcome| outcome.state == State::Failed).count();
    sum_up(&path, &outcomes, printer);
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}

/// How far it has come.
fn bar(done: u64, total: u64, (file, files): (usize, usize), path: &Path) -> Line {
    const WIDTH: u64 = 20;
    let part = |of: u64| (u128::from(done) * u128::from(of)).checked_div(u128::from(total)).unwrap_or(0);
    let full = usize::try_from(part(WIDTH)).unwrap_or(0).min(20);
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Line::styled(Style::Accent, "█".repeat(full)).then(Style::Faint, "░".repeat(20 - full)).plain(format!(
        " {:>3} %  session {file} of {files}  {}",
        part(100).min(100),
        one_line(&name)
    ))
}

/// One line for each session that is new here, or that something is to be known of.
fn tell(outcome: &Outcome, printer: &Printer) {
    let line = match outcome.state {
        State::Imported => Line::styled(Style::Good, "imported   "),
        State::Continued => Line::styled(Style::Good, "continued  "),
        State::Failed => Line::styled(Style::Bad, "failed     "),
        State::InTrash => Line::styled(Style::Warn, "in trash   "),
        State::Unchanged | State::Own | State::Subagent | State::NoSession => return,
    };
    let session = outcome.session_id.clone().unwrap_or_else(|| outcome.file.clone());
    let task = outcome.task_id.map(|task| format!("  task {}", task.short())).unwrap_or_default();
    let mut line = line.plain(one_line(&session)).then(Style::Strong, task);
    if matches!(outcome.state, State::Imported | State::Continued) {
        line = line.plain(format!("  {}", counted(outcome.messages, "message")));
        if outcome.commits > 0 {
            line = line.plain(format!(", {}", counted(outcome.commits, "commit")));
        }
    }
    let mut odd = Vec::new();
    if outcome.unreadable_lines > 0 {
        odd.push(format!("{} could not be read", counted(outcome.unreadable_lines, "line")));
    }
    if outcome.torn {
        odd.push("the last line is torn".to_owned());
    }
    odd.extend(outcome.error.as_deref().map(|error| one_line(error).to_string()));
    if !odd.is_empty() {
        line = line.then(Style::Warn, format!("  ({})", odd.join("; ")));
    }
    printer.line(line);
}

fn sum_up(path: &Path, outcomes: &[Outcome], printer: &Printer) {
    let count = |state: State| outcomes.iter().filter(|outcome| outcome.state == state).count() as u64;
    let words = [
        (State::Imported, "imported"),
        (State::Continued, "continued"),
        (State::Unchanged, "unchanged"),
        (State::Own, "of tasks that ran here"),
        (State::InTrash, "in the trash"),
        (State::Subagent, "of subagents alone"),
        (State::NoSession, "no sessions"),
        (State::Failed, "failed"),
    ];
    printer.document(&json!({
        "path": path,
        "sessions": outcomes,
        "imported": count(State::Imported),
        "continued": count(State::Continued),
        "unchanged": count(State::Unchanged),
        "failed": count(State::Failed),
    }));
    if outcomes.is_empty() {
        printer.line(Line::styled(Style::Faint, format!("there is no session file in {}", path.display())));
        return;
    }
    let told: Vec<String> = words
        .iter()
        .filter(|(state, _)| count(*state) > 0)
        .map(|(state, word)| format!("{} {word}", count(*state)))
        .collect();
    let files = counted(outcomes.len() as u64, "file");
    printer.line(Line::styled(Style::Strong, format!("{files}: ")).plain(told.join(", ")));
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
