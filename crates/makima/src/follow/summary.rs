//! What is told at the end of a task.

use crate::{
    look::{duration, used},
    printer::{Line, Style, one_line},
};
use makima_model::{FileAction, FileChange, Published, TaskStatus};
use makima_wire::Task;

/// Files that are listed.
const SHOWN: usize = 20;

/// The outcome, the branch, the files where they are known, what it took, and how to go on.
pub(crate) fn summary(
    task: &Task,
    files: Option<&[FileChange]>,
    published: Option<&Published>,
    program: &str,
) -> Vec<Line> {
    let mut lines = vec![Line::default(), outcome(task)];
    lines.push(entry("branch", branch(task, published)));
    if files.is_none() {
        lines.push(entry("files", "not known: the server has gone".to_owned()));
    }
    let is_none_changed = files.is_some_and(<[FileChange]>::is_empty);
    let files = files.unwrap_or_default();
    for (n, file) in files.iter().take(SHOWN).enumerate() {
        lines.push(entry(if n == 0 { "files" } else { "" }, self::file(file)).cut());
    }
    match files.len().saturating_sub(SHOWN) {
        _ if is_none_changed => lines.push(entry("files", "none changed".to_owned())),
        0 => {}
        more => lines.push(entry("", format!("… {more} more"))),
    }
    lines.push(entry("used", used(task.total_tokens, task.total_cost)));
    match (task.status, published, &task.base_branch) {
        _ if files.is_empty() => {}
        (TaskStatus::Completed, Some(Published::Repository { .. }), Some(base)) => {
            lines.push(entry("look", format!("git diff {base}...{}", task.branch_name)));
        }
        (TaskStatus::Completed, ..) => {}
        // What the agent didn't commit comes to the branch when the task completes.
        _ => {
            let worktree = task.worktree_path.as_deref().unwrap_or("its worktree");
            let number = task.checkpoint_count;
            lines.push(entry(
                "look",
                format!("what is not committed is kept in checkpoint {number}, and lies in {worktree}"),
            ));
        }
    }
    if task.status.is_over() {
        lines.push(entry("go on", format!("{program} task send {} \"…\"", task.id.short())));
    }
    lines
}

/// How it ended, in one line.
pub(crate) fn outcome(task: &Task) -> Line {
    let style = match task.status {
        TaskStatus::Completed => Style::Good,
        TaskStatus::Failed => Style::Bad,
        _ => Style::Warn,
    };
    let took = match (task.started_at, task.completed_at) {
        (Some(from), Some(to)) if task.run_number == 1 => {
            format!(" after {}", duration(to.since(from).as_secs()))
        }
        _ => String::new(),
    };
    let reason = task.status_reason.as_deref().map(|why| format!(": {}", one_line(why))).unwrap_or_default();
    Line::styled(style, task.status.as_str())
        .plain(format!("{took}{reason}"))
        .then(Style::Faint, format!("  task {}", task.id.short()))
}

fn branch(task: &Task, published: Option<&Published>) -> String {
    let branch = &task.branch_name;
    match published {
        Some(Published::CheckedOut { worktree }) => {
            format!("{branch} (left as it was in your repository: it is checked out in {worktree})")
        }
        Some(Published::Clone) => format!("{branch} (in Makima's own clone: the repository is remote)"),
        Some(Published::Failed { message }) => {
            format!("{branch} (your repository could not take it: {})", one_line(message))
        }
        Some(Published::Repository { .. }) => branch.clone(),
        None => format!("{branch} (not in your repository yet)"),
    }
}

fn file(file: &FileChange) -> String {
    let path = match &file.old_path {
        Some(old) => format!("{} → {}", one_line(old), one_line(&file.path)),
        None => one_line(&file.path),
    };
    let size = match (file.binary, file.action) {
        (true, _) => "  binary".to_owned(),
        (_, FileAction::Added) => format!("  +{}", file.additions),
        (_, FileAction::Deleted) => format!("  −{}", file.deletions),
        _ => format!("  +{} −{}", file.additions, file.deletions),
    };
    format!("{} {path}{size}", file.action)
}

fn entry(name: &str, text: String) -> Line {
    Line::styled(Style::Faint, format!("  {name:<8}")).plain(text)
}
