//! Numbers and moments in the words of a page.

use super::paper::Checkpointed;
use makima_model::{
    Message, Timestamp,
    diff::{DiffAction, FileDiff, LineKind},
};
use makima_store::Task;

/// A moment, to the second.
pub(super) fn moment(at: Timestamp) -> String {
    let text: String = at.to_string().chars().take(19).collect();
    format!("{} UTC", text.replace('T', " "))
}

/// A number with its thousands apart.
pub(super) fn number(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// What something cost, as exact as it matters.
pub(super) fn cost(usd: f64) -> String {
    if usd >= 1.0 { format!("${usd:.2}") } else { format!("${usd:.4}") }
}

/// What a message took.
pub(super) fn taken(message: &Message) -> Vec<String> {
    let mut taken = Vec::new();
    taken.extend(message.model.clone());
    taken.extend(message.token_count.map(|count| format!("{} tokens", number(count))));
    taken.extend(message.cost_usd.filter(|usd| *usd > 0.0).map(cost));
    taken
}

/// What is known of a task, each with what it is.
pub(super) fn facts(task: &Task) -> Vec<(&'static str, String)> {
    let status = match &task.status_reason {
        Some(reason) => format!("{} ({reason})", task.status),
        None => task.status.to_string(),
    };
    let mut facts =
        vec![("Task", task.id.to_string()), ("Status", status), ("Branch", task.branch_name.clone())];
    facts.extend(task.agent.clone().map(|agent| ("Agent", agent)));
    facts.push(("Begun", moment(task.started_at.unwrap_or(task.created_at))));
    facts.extend(task.completed_at.map(|at| ("Ended", moment(at))));
    facts.push(("Messages", number(task.message_count)));
    facts.push(("Checkpoints", number(task.checkpoint_count)));
    facts.push(("Tokens", number(task.total_tokens)));
    facts.push(("Cost", cost(task.total_cost)));
    facts
}

/// The first line of a text, no longer than `most` characters.
pub(super) fn first_line(text: &str, most: usize) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    if line.chars().count() <= most {
        return line.to_owned();
    }
    let cut: String = line.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

/// How much a checkpoint changed.
pub(super) fn changed(checkpoint: &Checkpointed<'_>) -> String {
    let made = checkpoint.made;
    let files = match made.files_changed.len() {
        0 => return "no file changed".to_owned(),
        1 => "1 file".to_owned(),
        files => format!("{files} files"),
    };
    format!("{files}, +{} −{}", made.lines_added, made.lines_removed)
}

/// What a page says where it has no difference.
pub(super) const NOT_KEPT: &str = "What it changed is not kept on the server.";
/// The same where it would be too long.
pub(super) const LEFT_OUT: &str = "Lines are left out: the archive has the whole patch.";
/// The same of a file without lines.
pub(super) const BINARY: &str = "A binary file.";

/// A file of a difference, and what became of it.
pub(super) fn file(file: &FileDiff) -> String {
    let action = match file.action {
        DiffAction::Added => "added",
        DiffAction::Modified => "modified",
        DiffAction::Deleted => "deleted",
        DiffAction::Renamed => "renamed",
    };
    match &file.old_path {
        Some(old) => format!("{action} {old} → {}", file.path),
        None => format!("{action} {}", file.path),
    }
}

/// The heading of a hunk.
pub(super) fn hunk(hunk: &makima_model::diff::DiffHunk) -> String {
    let header = hunk.header.as_deref().map(|header| format!(" {header}")).unwrap_or_default();
    format!("@@ -{},{} +{},{} @@{header}", hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines)
}

/// The character before a line.
pub(super) fn sign(kind: LineKind) -> char {
    match kind {
        LineKind::Context => ' ',
        LineKind::Added => '+',
        LineKind::Removed => '-',
    }
}
