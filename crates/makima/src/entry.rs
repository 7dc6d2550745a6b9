//! How an entry of the timeline looks, in a line.

use crate::{
    look::{duration, style_of, used},
    printer::{Line, Style, one_line},
};
use makima_model::{FileAction, FileChange, MessageRole, TaskStatus, TurnEnd, TurnOutcome};
use makima_wire::{EntryType, HistoryEntry};
use serde::de::DeserializeOwned;

/// How many files are named.
const FILES: usize = 3;
/// How much of what was said is shown.
const SAID: usize = 200;

/// The entry as `when` and what happened.
pub(crate) fn line(when: &str, entry: &HistoryEntry) -> Line {
    let whose = match (&entry.task_name, entry.entry_type) {
        (Some(name), _) => one_line(name),
        (None, EntryType::PhaseChange) => "contract".to_owned(),
        (None, EntryType::ChatMessage) => "chat".to_owned(),
        (None, _) => "task".to_owned(),
    };
    let contract = entry.contract_id.map(|id| id.short());
    let short = entry.task_id.map(|id| id.short()).or(contract).unwrap_or_default();
    let begun =
        Line::styled(Style::Faint, format!("{when:<12} {short:<8} ")).then(Style::Strong, whose).plain("  ");
    told(entry).into_iter().fold(begun, |line, (style, text)| line.then(style, text))
}

type Told = Vec<(Style, String)>;

fn plain(text: impl Into<String>) -> Told {
    vec![(Style::Plain, text.into())]
}

fn told(entry: &HistoryEntry) -> Told {
    match entry.entry_type {
        EntryType::TaskEvent => task(entry),
        EntryType::ChatMessage => {
            let who = match entry.role {
                Some(MessageRole::User) | None => "you",
                Some(role) => role.as_str(),
            };
            let said = one_line(entry.content.as_deref().unwrap_or_default());
            let more = if entry.truncated || said.chars().count() > SAID { "…" } else { "" };
            let said: String = said.chars().take(SAID).collect();
            vec![(Style::Accent, format!("{who}: ")), (Style::Plain, said + more)]
        }
        EntryType::PhaseChange => contract(entry),
        EntryType::Checkpoint => {
            let number = entry.checkpoint_number.map(|number| format!(" {number}")).unwrap_or_default();
            let commit: String = entry.commit_sha.iter().flat_map(|sha| sha.chars()).take(10).collect();
            let message = one_line(entry.message.as_deref().unwrap_or_default());
            let mut told =
                vec![(Style::Good, format!("checkpoint{number}")), (Style::Faint, format!(" {commit}"))];
            told.push((Style::Plain, format!(" {message}")));
            told.extend(changed(entry));
            told
        }
        EntryType::FileChange => {
            let files = entry.files_changed.as_deref().unwrap_or_default();
            let named: Vec<String> = files.iter().take(FILES).map(file).collect();
            let more = how_many(entry) - named.len() as u64;
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            vec![(Style::Plain, format!("{}{more}", named.join(", "))), (Style::Faint, lines(entry))]
        }
    }
}

/// What became of a task.
fn task(entry: &HistoryEntry) -> Told {
    match entry.event_type.as_str() {
        "task_created" => plain("made"),
        "task_turn" => turn(entry),
        "task_status" | "task_completed" => {
            let status = |name: &str| field::<TaskStatus>(entry, name);
            let Some(after) = status("newStatus") else { return plain("changed") };
            let mut told = vec![(style_of(after), after.to_string())];
            if let Some(reason) = field::<String>(entry, "reason") {
                told.push((Style::Plain, format!(": {}", one_line(&reason))));
            }
            told
        }
        "task_deleted" => plain("put into the trash"),
        "task_restored" => plain("taken out of the trash"),
        "task_purged" => plain("erased for good"),
        "conversation_moved" => plain("its conversation goes on from another point"),
        "checkpoint_undone" => plain("a checkpoint was put away"),
        "checkpoint_restored" => plain("a checkpoint was brought back"),
        other => plain(other.replace('_', " ")),
    }
}

/// A turn: tools, tokens, cost, time and files.
fn turn(entry: &HistoryEntry) -> Told {
    let turn = entry.event_data.clone().and_then(|data| serde_json::from_value::<TurnEnd>(data).ok());
    let Some(turn) = turn else { return plain("a turn") };
    let mut told = vec![(Style::Accent, format!("turn {}", turn.turn))];
    if turn.outcome != TurnOutcome::Completed {
        let why = turn.failure.map(|failure| format!(": {}", one_line(&failure.message))).unwrap_or_default();
        told.push((Style::Bad, format!(" {}{why}", turn.outcome)));
    }
    let mut tools: Vec<(&String, &u32)> = turn.tools.iter().collect();
    tools.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
    let mut facts: Vec<String> = tools
        .into_iter()
        .map(
            |(name, count)| {
                if *count == 1 { one_line(name) } else { format!("{count} × {}", one_line(name)) }
            },
        )
        .collect();
    facts.push(used(turn.usage.total(), turn.cost_usd.unwrap_or_default()));
    facts.push(duration(turn.duration_ms / 1000));
    told.push((Style::Plain, format!("  {}", facts.join(", "))));
    told.extend(changed(entry));
    told
}

/// What became of a contract.
fn contract(entry: &HistoryEntry) -> Told {
    let text = |name: &str| field::<String>(entry, name).map(|text| one_line(&text));
    match (entry.event_type.as_str(), entry.previous_phase, entry.new_phase) {
        ("phase_change", None, Some(phase)) => plain(format!("begun in phase {phase}")),
        ("phase_change", Some(before), Some(phase)) => {
            vec![(Style::Plain, format!("phase {before} → ")), (Style::Accent, phase.to_string())]
        }
        ("contract_deleted", ..) => plain("put into the trash, with its tasks"),
        ("contract_restored", ..) => plain("taken out of the trash"),
        ("contract_purged", ..) => plain("erased for good"),
        ("contract_updated", ..) => {
            let mut told = Vec::new();
            told.extend(text("newName").map(|name| format!("is now called {name:?}")));
            told.extend(text("newStatus").map(|status| format!("is now {status}")));
            told.extend(text("previousDescription").map(|_| "has another description".to_owned()));
            plain(told.join(", "))
        }
        (other, ..) => plain(other.replace('_', " ")),
    }
}

fn field<T: DeserializeOwned>(entry: &HistoryEntry, name: &str) -> Option<T> {
    T::deserialize(entry.event_data.as_ref()?.get(name)?).ok()
}

/// How many files and lines, where any.
fn changed(entry: &HistoryEntry) -> Option<(Style, String)> {
    let n = how_many(entry);
    (n > 0)
        .then(|| (Style::Faint, format!("  {n} {}{}", if n == 1 { "file" } else { "files" }, lines(entry))))
}

fn how_many(entry: &HistoryEntry) -> u64 {
    entry.files_changed.as_ref().map_or(0, |files| files.len() as u64)
        + entry.files_omitted.unwrap_or_default()
}

fn lines(entry: &HistoryEntry) -> String {
    match (entry.lines_added, entry.lines_removed) {
        (Some(added), Some(removed)) => format!(" +{added} −{removed}"),
        _ => String::new(),
    }
}

fn file(change: &FileChange) -> String {
    let path = one_line(&change.path);
    match change.action {
        FileAction::Renamed => {
            format!("{} → {path}", one_line(change.old_path.as_deref().unwrap_or_default()))
        }
        FileAction::Added => format!("{path} (new)"),
        FileAction::Deleted => format!("{path} (gone)"),
        FileAction::Modified => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn shown(more: Value) -> String {
        let mut entry = json!({
            "id": "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0001", "timestamp": "2026-01-15T09:30:00Z", "eventType": "x",
            "entryType": "task_event", "taskId": "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0123", "taskName": "Find\u{1b}[2J the\nrain",
        });
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let entry: HistoryEntry = serde_json::from_value(entry).unwrap();
        told(&entry).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn each_entry_is_told_in_a_line() {
        let turn = json!({
            "runNumber": 2, "turn": 3, "outcome": "completed", "durationMs": 65_000, "costUsd": 0.25, "tools": { "Bash": 2, "Write": 1, "Read": 2 },
            "usage": { "inputTokens": 1000, "outputTokens": 200, "cacheReadTokens": 30, "cacheCreationTokens": 4 },
        });
        let failed = json!({
            "turn": 1, "outcome": "failed", "durationMs": 0, "failure": { "kind": "server_error", "message": "too\nmany" },
            "usage": { "inputTokens": 0, "outputTokens": 0, "cacheReadTokens": 0, "cacheCreationTokens": 0 },
        });
        let files = json!([
            { "path": "a", "action": "A", "additions": 1, "deletions": 0 }, { "path": "b", "action": "D", "additions": 0, "deletions": 1 },
            { "path": "c", "oldPath": "d", "action": "R", "additions": 0, "deletions": 0 }, { "path": "e", "action": "M", "additions": 1, "deletions": 1 },
        ]);
        let changed = json!({ "filesChanged": files, "filesOmitted": 2, "linesAdded": 7, "linesRemoved": 5 });
        let with = |base: Value| {
            let mut all = changed.clone();
            all.as_object_mut().unwrap().extend(base.as_object().unwrap().clone());
            all
        };
        for (entry, line) in [
            (json!({ "eventType": "task_created" }), "made"),
            (
                with(json!({ "eventType": "task_turn", "eventData": turn })),
                "turn 3  2 × Bash, 2 × Read, Write, 1,234 tokens, $0.2500, 1 min 5 s  6 files +7 −5",
            ),
            (
                json!({ "eventType": "task_turn", "eventData": failed }),
                "turn 1 failed: too many  0 tokens, 0 s",
            ),
            (
                json!({ "eventType": "task_status", "eventData": { "previousStatus": "running", "newStatus": "interrupted", "reason": "lost\n" } }),
                "interrupted: lost",
            ),
            (json!({ "eventType": "task_of_the_future" }), "task of the future"),
            (
                with(
                    json!({ "entryType": "checkpoint", "checkpointNumber": 4, "commitSha": "0123456789abcdef", "message": "Four" }),
                ),
                "checkpoint 4 0123456789 Four  6 files +7 −5",
            ),
            (with(json!({ "entryType": "file_change" })), "a (new), b (gone), d → c and 3 more +7 −5"),
            (json!({ "entryType": "chat_message", "role": "user", "content": "Go\non" }), "you: Go on"),
            (
                json!({ "entryType": "chat_message", "role": "assistant", "content": "x".repeat(300) }),
                &format!("assistant: {}…", "x".repeat(200)),
            ),
            (
                json!({ "entryType": "phase_change", "eventType": "phase_change", "newPhase": "research" }),
                "begun in phase research",
            ),
            (
                json!({ "entryType": "phase_change", "eventType": "phase_change", "previousPhase": "plan", "newPhase": "execute" }),
                "phase plan → execute",
            ),
            (
                json!({ "entryType": "phase_change", "eventType": "contract_updated", "eventData": { "newName": "b", "newStatus": "archived", "previousDescription": "" } }),
                "is now called \"b\", is now archived, has another description",
            ),
        ] {
            assert_eq!(shown(entry), line);
        }
    }
}
