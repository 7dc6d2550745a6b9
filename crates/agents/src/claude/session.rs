//! Claude Code's session file, written out of what the server holds.

use super::{mirror::head, said::COMPACTED};
use crate::{SessionFile, lenient};
use makima_model::{Message, MessageRole, NativeLine};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use std::{collections::HashSet, path::Path};
use uuid::Uuid;

/// The result of a call that has none. Without one the program would leave out the call, and the model not know of it.
const CUT_OFF: &str = "The agent was ended before this call had a result: it may have run in part.";

/// Makes the uuid of a line of ours out of that of the line that it answers, the same each time.
const ANSWER: u128 = 0x6d61_6b69_6d61;

/// Writes the file line by line.
///
/// Each line names its parent; the program walks these links back from the last line, so a link that leads nowhere would cut off
/// everything before. Native lines are written as they are, unless their parent isn't in the file: then they hang on the line
/// before. A call that was cut off, with its agent, is given a result before anything else is said to the model.
pub(super) struct Session {
    id: String,
    worktree: String,
    written: HashSet<Uuid>,
    last: Option<String>,
    /// Calls without a result.
    open: Vec<String>,
    /// The line of the last of them, and its time.
    called: Option<(Uuid, String)>,
}

/// What a native line says of calls.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Calls {
    #[serde(rename = "type")]
    kind: String,
    uuid: Option<Uuid>,
    timestamp: String,
    is_sidechain: bool,
    is_meta: bool,
    is_compact_summary: bool,
    message: Content,
}

impl Calls {
    /// Whether somebody says something: what the program itself adds may stand between a call and its result.
    fn is_prompt(&self, blocks: &[Block]) -> bool {
        let is_user = self.kind == "user" && !self.is_sidechain && !self.is_meta;
        is_user && blocks.iter().all(|block| block.kind != "tool_result")
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Content {
    content: Option<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Block {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    tool_use_id: String,
}

impl Session {
    pub(super) fn new(id: &str, worktree: &Path) -> Self {
        let worktree = worktree.to_string_lossy().into_owned();
        Self {
            id: id.to_owned(),
            worktree,
            written: HashSet::new(),
            last: None,
            open: Vec::new(),
            called: None,
        }
    }

    fn link(&mut self, uuid: &str) {
        if let Ok(uuid) = Uuid::parse_str(uuid) {
            self.written.insert(uuid);
        }
        self.last = Some(uuid.to_owned());
    }

    fn is_written(&self, uuid: &str) -> bool {
        Uuid::parse_str(uuid).is_ok_and(|uuid| self.written.contains(&uuid))
    }

    fn write(
        &mut self,
        message: &Message,
        kind: &str,
        said: Value,
        more: &[(&str, Value)],
        out: &mut Vec<u8>,
    ) {
        let at = json!(message.timestamp);
        self.write_line(message.id.uuid(), &at, kind, said, more, out);
    }

    fn write_line(
        &mut self,
        uuid: Uuid,
        at: &Value,
        kind: &str,
        said: Value,
        more: &[(&str, Value)],
        out: &mut Vec<u8>,
    ) {
        let uuid = uuid.to_string();
        let mut line = json!({
            "parentUuid": self.last,
            "isSidechain": false,
            "userType": "external",
            "cwd": self.worktree,
            "sessionId": self.id,
            "type": kind,
            "message": said,
            "uuid": uuid,
            "timestamp": at,
        });
        for (name, value) in more {
            line[*name] = value.clone();
        }
        out.extend_from_slice(line.to_string().as_bytes());
        out.push(b'\n');
        self.link(&uuid);
    }

    fn assistant(&mut self, message: &Message, out: &mut Vec<u8>) {
        let mut content = Vec::new();
        // Thinking is left out: it is taken only with the signature that the service itself gave it.
        if !message.content.trim().is_empty() {
            content.push(json!({"type": "text", "text": message.content}));
        }
        for call in &message.tool_calls {
            let input =
                if call.input.is_object() { call.input.clone() } else { json!({"input": call.input}) };
            content.push(
                json!({"type": "tool_use", "id": tool_id(&call.id), "name": call.name, "input": input}),
            );
        }
        if content.is_empty() {
            return;
        }
        let stop = if message.tool_calls.is_empty() { "end_turn" } else { "tool_use" };
        let said = json!({
            "id": format!("msg_{}", message.id.uuid().simple()),
            "type": "message",
            "role": "assistant",
            "model": message.model.as_deref().unwrap_or("unknown"),
            "content": content,
            "stop_reason": stop,
            "stop_sequence": null,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        });
        self.write(message, "assistant", said, &[], out);
        for call in &message.tool_calls {
            self.open.push(tool_id(&call.id));
            self.called = Some((message.id.uuid(), message.timestamp.to_string()));
        }
    }

    /// Takes note of the calls and results in a native line.
    fn note(&mut self, line: &Calls, blocks: &[Block]) {
        for block in blocks {
            match (block.kind.as_str(), line.uuid) {
                ("tool_use", Some(uuid)) => {
                    self.open.push(block.id.clone());
                    self.called = Some((uuid, line.timestamp.clone()));
                }
                ("tool_result", _) => self.open.retain(|call| *call != block.tool_use_id),
                _ => {}
            }
        }
    }

    /// Gives the calls a result that have none.
    fn answer_calls(&mut self, out: &mut Vec<u8>) {
        let open = std::mem::take(&mut self.open);
        let Some((called, at)) = self.called.take().filter(|_| !open.is_empty()) else { return };
        let result =
            |call| json!({"type": "tool_result", "tool_use_id": call, "content": CUT_OFF, "is_error": true});
        let said = json!({"role": "user", "content": open.into_iter().map(result).collect::<Vec<_>>()});
        self.write_line(Uuid::from_u128(called.as_u128() ^ ANSWER), &json!(at), "user", said, &[], out);
    }
}

impl SessionFile for Session {
    fn native(&mut self, line: &NativeLine, out: &mut Vec<u8>) {
        let text = line.line.as_str();
        let calls = lenient::parsed::<Calls>(text.as_bytes()).unwrap_or_default();
        let blocks = match &calls.message.content {
            Some(content) if !calls.is_sidechain => {
                lenient::parsed(content.get().as_bytes()).unwrap_or_default()
            }
            _ => Vec::<Block>::new(),
        };
        if calls.is_compact_summary {
            self.open.clear();
        } else if calls.is_prompt(&blocks) {
            self.answer_calls(out);
        }
        let head = serde_json::from_str::<&RawValue>(text).ok().map(head);
        let (uuid, parent) = head.map_or((None, None), |head| (head.uuid, head.parent_uuid));
        match &parent {
            Some(parent) if !self.is_written(parent) => {
                let link = self.last.as_deref().map_or(json!(null), |last| json!(last));
                let (old, new) =
                    (format!("\"parentUuid\":{}", json!(parent)), format!("\"parentUuid\":{link}"));
                out.extend_from_slice(text.replacen(&old, &new, 1).as_bytes());
            }
            _ => out.extend_from_slice(text.as_bytes()),
        }
        out.push(b'\n');
        if let Some(uuid) = uuid {
            self.link(&uuid);
        }
        self.note(&calls, &blocks);
    }

    fn message(&mut self, message: &Message, out: &mut Vec<u8>) {
        match message.role {
            MessageRole::User => {
                self.answer_calls(out);
                let said = json!({"role": "user", "content": message.content});
                self.write(message, "user", said, &[], out);
            }
            MessageRole::Assistant => self.assistant(message, out),
            MessageRole::Tool => {
                let call = tool_id(message.tool_call_id.as_deref().unwrap_or_default());
                self.open.retain(|open| *open != call);
                let result = json!({
                    "type": "tool_result",
                    "tool_use_id": call,
                    "content": message.tool_result.as_deref().unwrap_or_default(),
                    "is_error": message.is_error.unwrap_or(false),
                });
                let said = json!({"role": "user", "content": [result]});
                self.write(message, "user", said, &[], out);
            }
            // The model never saw what the program said, but for what a compaction left it.
            MessageRole::System if is_summary(&message.content) => {
                self.last = None;
                self.open.clear();
                let said = json!({"role": "user", "content": message.content});
                self.write(message, "user", said, &[("isCompactSummary", json!(true))], out);
            }
            MessageRole::System => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.answer_calls(out);
    }
}

fn is_summary(content: &str) -> bool {
    content.strip_prefix(COMPACTED).is_some_and(|summary| !summary.trim().is_empty())
}

/// An id of a call as the service takes it; another agent's may be any text.
fn tool_id(id: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let fitting: String = id.chars().map(|c| if fits(c) { c } else { '_' }).take(64).collect();
    if fitting.is_empty() { "unknown".to_owned() } else { fitting }
}
