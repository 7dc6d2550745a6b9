//! What of a message, a checkpoint or an event is looked through.

use crate::{CheckpointMade, EventKind, HistoryEvent, Message, TaskEvent, TaskEventKind};
use serde_json::Value;
use std::borrow::Cow;

/// A text to be looked through. Words of two texts never follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// Of what a tool was called with: the tool.
    pub tool: Option<&'a str>,
}

impl<'a> Text<'a> {
    fn of(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: text.into(), tool: None }
    }
}

/// All that is said in a message: its content, what the model thought, what tools were called with and what they answered.
pub fn of_message(message: &Message) -> Vec<Text<'_>> {
    let mut texts = Vec::new();
    texts.extend((!message.content.is_empty()).then(|| Text::of(message.content.as_str())));
    texts.extend(message.thinking.as_deref().map(Text::of));
    for call in &message.tool_calls {
        let mut input = Vec::new();
        values(&call.input, false, &mut input);
        texts.extend(input.into_iter().map(|text| Text { text, tool: Some(call.name.as_str()) }));
    }
    texts.extend(message.tool_result.as_deref().map(Text::of));
    texts
}

/// What a tool is called with: its values, and the names of those that are inside of others. The outermost names are the tool's own
/// and the same in each of its calls.
fn values<'a>(value: &'a Value, named: bool, out: &mut Vec<Cow<'a, str>>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => out.push(number.to_string().into()),
        Value::String(text) => out.push(text.as_str().into()),
        Value::Array(list) => list.iter().for_each(|value| values(value, true, out)),
        Value::Object(fields) => {
            for (name, value) in fields {
                if named {
                    out.push(name.as_str().into());
                }
                values(value, true, out);
            }
        }
    }
}

/// What a checkpoint is called, its commit and branch, and the files that it changed.
pub fn of_checkpoint(made: &CheckpointMade) -> Vec<Text<'_>> {
    let names = [made.message.as_str(), made.commit_sha.as_str(), made.branch_name.as_str()];
    let files = made.files_changed.iter();
    let files = files.flat_map(|file| std::iter::once(file.path.as_str()).chain(file.old_path.as_deref()));
    names.into_iter().chain(files).map(Text::of).collect()
}

/// What an entry of the timeline tells; `None` of those that nobody looks for. A checkpoint has [texts of its own](of_checkpoint), and which
/// files a turn changed is told by its checkpoint. Of what is said in a chat these are the first characters alone.
pub fn of_history_event(event: &HistoryEvent) -> Option<Vec<Text<'_>>> {
    (event.kind != EventKind::File).then(|| told(&event.data))
}

/// What an event of a task tells; `None` of those that the timeline tells too, and of those that nobody looks for.
pub fn of_task_event(event: &TaskEvent) -> Option<Vec<Text<'_>>> {
    let is_looked_for = match event.kind {
        TaskEventKind::Output
        | TaskEventKind::Question
        | TaskEventKind::Answer
        | TaskEventKind::Published => true,
        // One that could not be made.
        TaskEventKind::Checkpoint => event.data["id"].is_null(),
        TaskEventKind::StatusChange | TaskEventKind::Turn | TaskEventKind::Session => false,
    };
    is_looked_for.then(|| told(&event.data))
}

/// Fields of events that are words of ours or what was before, and what is added to an event later.
const NOT_TOLD: [&str; 11] = [
    "previousStatus",
    "previousPhase",
    "role",
    "status",
    "outcome",
    "level",
    "kind",
    "contextType",
    "filesChanged",
    "worktreePath",
    "sessionId",
];

/// The texts of an event, without ids.
fn told(data: &Value) -> Vec<Text<'_>> {
    fn collect<'a>(value: &'a Value, out: &mut Vec<Text<'a>>) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => {
                let is_id = text.len() == 36 && uuid::Uuid::try_parse(text).is_ok();
                out.extend((!is_id).then(|| Text::of(text.as_str())));
            }
            Value::Array(list) => list.iter().for_each(|value| collect(value, out)),
            Value::Object(fields) => {
                let told = fields.iter().filter(|(name, _)| !NOT_TOLD.contains(&name.as_str()));
                told.for_each(|(_, value)| collect(value, out));
            }
        }
    }
    let mut out = Vec::new();
    collect(data, &mut out);
    out
}
