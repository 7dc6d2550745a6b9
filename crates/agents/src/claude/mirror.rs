//! The program's own record, each line with the message that it belongs to.

use crate::lenient;
use makima_model::{MessageId, NativeLine, Record};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{HashMap, HashSet, VecDeque};

/// Sorts mirrored lines to messages.
///
/// A line that holds a message, or a part of one, belongs to it, any other to the message before. Lines wait, in order, while the
/// message of the first of them isn't complete.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    /// By the model's id of a message, the id of a tool call, or the uuid of a line.
    belongs: HashMap<String, MessageId>,
    /// Messages and tool results of which lines may come before they are complete.
    expected: HashSet<String>,
    waiting: VecDeque<Line>,
    /// The message that the last line belonged to.
    at: Option<MessageId>,
    /// The first of what was said to the program last, until its own line comes.
    said: Option<MessageId>,
}

#[derive(Debug)]
struct Line {
    native: NativeLine,
    /// What of `belongs` it stands for.
    holds: Option<String>,
    /// Whether it tells that something was said, which stands before what was.
    announces: bool,
}

#[derive(Deserialize)]
struct Mirrored<'a> {
    #[serde(rename = "filePath", default)]
    file_path: String,
    #[serde(borrow, default)]
    entries: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EntryHead {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    pub(super) uuid: Option<String>,
    #[serde(default)]
    pub(super) parent_uuid: Option<String>,
    #[serde(default)]
    message: Option<EntryMessage>,
}

#[derive(Deserialize)]
struct EntryMessage {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    content: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct ResultHead {
    #[serde(default)]
    tool_use_id: Option<String>,
}

impl Mirror {
    /// Messages that are said to the program, as one turn.
    pub(super) fn says(&mut self, messages: impl Iterator<Item = MessageId>) {
        self.said = None;
        for message in messages {
            self.said.get_or_insert(message);
            self.known(&message.to_string(), message);
        }
    }

    /// A message of the conversation that is known by `name`: what waited for it may go out.
    pub(super) fn known(&mut self, name: &str, message: MessageId) {
        self.expected.remove(name);
        self.belongs.insert(name.to_owned(), message);
        // What stands before everything belongs to the first message: the program begins with what is said to it.
        self.at.get_or_insert(message);
    }

    /// A message of which lines may come before it is complete.
    pub(super) fn expect(&mut self, name: &str) {
        if !self.belongs.contains_key(name) {
            self.expected.insert(name.to_owned());
        }
    }

    /// A message that will not come after all.
    pub(super) fn forget(&mut self, name: &str) {
        self.expected.remove(name);
    }

    /// Takes a `transcript_mirror`; `None` if it is none.
    pub(super) fn read(&mut self, line: &[u8]) -> Option<Vec<Record>> {
        let text = String::from_utf8_lossy(line);
        let Mirrored { file_path, entries } = serde_json::from_str(&text).ok()?;
        let native = |entry: &RawValue, uuid| NativeLine { uuid, line: entry.get().to_owned() };
        if let Some(file) = beside(&file_path) {
            let lines = entries.iter().map(|entry| native(entry, head(entry).uuid)).collect();
            return Some(vec![Record::Native { message: self.at, file, lines }]);
        }
        for entry in entries {
            let head = head(entry);
            let holds = head.holds();
            let announces = head.kind.as_deref() == Some("queue-operation");
            let native = native(entry, head.uuid);
            self.waiting.push_back(Line { native, holds, announces });
        }
        Some(self.sorted(false))
    }

    /// The lines that wait for nothing more; with `all`, also those whose message never came.
    pub(super) fn sorted(&mut self, all: bool) -> Vec<Record> {
        let mut records: Vec<Record> = Vec::new();
        while let Some(line) = self.waiting.pop_front() {
            let own = line.native.uuid.as_ref().and_then(|uuid| self.belongs.get(uuid));
            let held = line.holds.as_ref().and_then(|holds| self.belongs.get(holds));
            let waits = own.is_none()
                && held.is_none()
                && line.holds.as_ref().is_some_and(|holds| self.expected.contains(holds));
            if waits && !all {
                self.waiting.push_front(line);
                break;
            }
            let before = self.said.filter(|_| line.announces).or(self.at);
            let to = own.or(held).copied().or(before);
            // Its own line is there: what is announced now is something else.
            self.said = self.said.filter(|said| Some(said) != own);
            self.at = to;
            match records.last_mut() {
                Some(Record::Native { message, lines, .. }) if *message == to => lines.push(line.native),
                _ => records.push(Record::Native {
                    message: to,
                    file: String::new(),
                    lines: vec![line.native],
                }),
            }
        }
        records
    }
}

impl EntryHead {
    /// The message of the model, or the call of the tool result, that the line holds.
    fn holds(&self) -> Option<String> {
        let message = self.message.as_ref()?;
        match self.kind.as_deref() {
            Some("assistant") => message.id.clone(),
            Some("user") => {
                let content = message.content.as_ref()?.get();
                let blocks: Vec<ResultHead> = lenient::parsed(content.as_bytes()).ok()?;
                blocks.into_iter().find_map(|block| block.tool_use_id)
            }
            _ => None,
        }
    }
}

/// What a line of a session file says of itself. A line that isn't understood is kept all the same.
pub(super) fn head(entry: &RawValue) -> EntryHead {
    lenient::parsed(entry.get().as_bytes()).unwrap_or(EntryHead {
        kind: None,
        uuid: None,
        parent_uuid: None,
        message: None,
    })
}

/// The name, relative to the session, of a file that isn't the main one: `<folder>/<session>/subagents/<file>`.
fn beside(path: &str) -> Option<String> {
    let (folder, name) = path.rsplit_once('/')?;
    let (_, kind) = folder.rsplit_once('/')?;
    (kind == "subagents").then(|| format!("{kind}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use makima_model::Clock;
    use serde_json::{Value, json};

    fn line(entries: &[Value]) -> Vec<u8> {
        json!({"type": "transcript_mirror", "filePath": "/p/s.jsonl", "entries": entries})
            .to_string()
            .into_bytes()
    }

    fn belongs(records: &[Record]) -> Vec<(Option<MessageId>, usize)> {
        let one = |record: &Record| match record {
            Record::Native { message, lines, .. } => (*message, lines.len()),
            other => panic!("{other:?}"),
        };
        records.iter().map(one).collect()
    }

    #[test]
    fn lines_wait_for_their_message_and_keep_their_order() {
        let clock = Clock::system();
        let (said, answer): (MessageId, MessageId) = (clock.new_id(), clock.new_id());
        let mut mirror = Mirror::default();
        mirror.says([said].into_iter());
        mirror.expect("msg_1");
        let records = mirror
            .read(&line(&[
                json!({"type": "queue-operation"}),
                json!({"type": "user", "uuid": said.to_string(), "message": {"content": "hi"}}),
                json!({"type": "attachment", "uuid": "a", "parentUuid": said.to_string()}),
                json!({"type": "assistant", "uuid": "b", "parentUuid": "a", "message": {"id": "msg_1"}}),
                json!({"type": "last-prompt"}),
            ]))
            .unwrap();
        assert_eq!(belongs(&records), [(Some(said), 3)]);
        assert_eq!(mirror.sorted(false), []);
        mirror.known("msg_1", answer);
        assert_eq!(belongs(&mirror.sorted(false)), [(Some(answer), 2)]);
    }

    #[test]
    fn a_message_that_never_comes_holds_nothing_back_for_good() {
        let clock = Clock::system();
        let said: MessageId = clock.new_id();
        let mut mirror = Mirror::default();
        mirror.known("u", said);
        mirror.expect("msg_1");
        mirror.read(&line(&[json!({"type": "assistant", "uuid": "b", "message": {"id": "msg_1"}})]));
        assert_eq!(belongs(&mirror.sorted(true)), [(Some(said), 1)]);
    }

    #[test]
    fn lines_are_kept_byte_for_byte() {
        let line = br#"{"type":"transcript_mirror","filePath":"/p/s.jsonl","entries":[{"b":1, "a" : "\ud800\u0000","n":1.10}]}"#;
        let records = Mirror::default().read(line).unwrap();
        let [Record::Native { lines, .. }] = &records[..] else { panic!("{records:?}") };
        assert_eq!(lines[0].line, r#"{"b":1, "a" : "\ud800\u0000","n":1.10}"#);
    }

    #[test]
    fn a_subagents_file_is_named_relative_to_the_session() {
        assert_eq!(
            beside("/c/projects/x/s1/subagents/agent-1.jsonl").as_deref(),
            Some("subagents/agent-1.jsonl")
        );
        assert_eq!(beside("/c/projects/x/s1.jsonl"), None);
        assert_eq!(beside("s1.jsonl"), None);
    }
}
