//! Differences of code, as people read them.

use crate::printer::{Line, Printer, Style, ago};
use makima_model::{
    Timestamp,
    diff::{DiffAction, DiffHunk, FileDiff, GitDiff, LineKind},
};
use makima_wire::{CheckpointDiff, Task};

/// Shows a checkpoint of a task, and what it is told to differ in.
pub(crate) fn show_checkpoint(task: &Task, told: &CheckpointDiff, now: Timestamp, printer: &Printer) {
    let checkpoint = &told.checkpoint;
    let number = checkpoint.checkpoint_number;
    printer.line(
        Line::styled(Style::Strong, format!("checkpoint {number}"))
            .plain(format!("  {}", checkpoint.message))
            .then(Style::Faint, format!("  {}", ago(checkpoint.created_at, now))),
    );
    if told.diff.files.is_empty() {
        printer.line(Line::styled(Style::Faint, "nothing differs"));
        return;
    }
    let how_to_see = format!("makima task checkpoint-diff {} {number} --path <file>", task.id.short());
    show(&told.diff, &how_to_see, printer);
}

/// Shows what differs, file by file. `how_to_see` says how the hunks that are left out are had.
fn show(diff: &GitDiff, how_to_see: &str, printer: &Printer) {
    for file in &diff.files {
        printer.line(heading(file));
        for hunk in &file.hunks {
            show_hunk(hunk, printer);
        }
        if file.truncated {
            printer.line(Line::styled(Style::Faint, format!("  too long to be shown here: {how_to_see}")));
        }
    }
    printer.line(Line::styled(Style::Faint, summary(diff)));
}

/// How much differs.
fn summary(diff: &GitDiff) -> String {
    let stats = diff.stats;
    let files = if stats.files_changed == 1 { "file" } else { "files" };
    format!("{} {files}, +{} −{}", stats.files_changed, stats.insertions, stats.deletions)
}

fn heading(file: &FileDiff) -> Line {
    let style = match file.action {
        DiffAction::Added => Style::Good,
        DiffAction::Deleted => Style::Bad,
        DiffAction::Modified | DiffAction::Renamed => Style::Accent,
    };
    let line = Line::styled(style, file.action.as_str()).plain("  ");
    let line = match &file.old_path {
        Some(old) => line.then(Style::Strong, format!("{old} → {}", file.path)),
        None => line.then(Style::Strong, &file.path),
    };
    let line = match (&file.old_mode, &file.new_mode) {
        (Some(old), Some(new)) => line.then(Style::Faint, format!("  mode {old} → {new}")),
        _ => line,
    };
    if file.binary {
        return line.then(Style::Faint, "  binary");
    }
    line.then(Style::Faint, format!("  +{} −{}", file.additions, file.deletions))
}

fn show_hunk(hunk: &DiffHunk, printer: &Printer) {
    let place =
        format!("@@ −{},{} +{},{} @@", hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines);
    let header = hunk.header.as_ref().map(|header| format!(" {header}")).unwrap_or_default();
    printer.line(Line::styled(Style::Accent, place).then(Style::Faint, header));
    for line in &hunk.lines {
        let (style, mark) = match line.kind {
            LineKind::Context => (Style::Plain, ' '),
            LineKind::Added => (Style::Good, '+'),
            LineKind::Removed => (Style::Bad, '-'),
        };
        printer.line(Line::styled(style, format!("{mark}{}", line.text)));
        if line.no_newline {
            printer.line(Line::styled(Style::Faint, "\\ no line end at the end of the file"));
        }
    }
}
