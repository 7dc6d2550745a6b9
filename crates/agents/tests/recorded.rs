//! Session files of Claude Code, and what becomes of them.

// Helpers of tests: what fails in them fails the test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "recorded/files.rs"]
mod files;
#[path = "recorded/live.rs"]
mod live;
#[path = "recorded/odd.rs"]
mod odd;
#[path = "recorded/properties.rs"]
mod properties;

use makima_agents::claude::recorded::{SessionReader, Survey, Told};
use makima_model::{Message, NativeLine, Timestamp, TurnEnd};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};
use uuid::Uuid;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/claude")
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(folder().join(format!("{name}.session.jsonl"))).unwrap()
}

/// A session of these lines.
fn file(lines: &[Value]) -> Vec<u8> {
    lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect()
}

/// The whole lines of a file, each with where it ends.
fn lines(file: &[u8]) -> impl Iterator<Item = (&[u8], u64)> {
    let mut end = 0;
    file.split_inclusive(|byte| *byte == b'\n').filter_map(move |line| {
        end += line.len() as u64;
        line.strip_suffix(b"\n").map(|line| (line, end))
    })
}

fn start() -> Timestamp {
    "2026-01-15T09:30:00Z".parse().unwrap()
}

fn survey(file: &[u8], cuts: &[u64]) -> Survey {
    let mut survey = Survey::default();
    for (line, end) in lines(file) {
        survey.take(line, end);
        if cuts.contains(&end) {
            survey.cut();
        }
    }
    survey
}

/// What a file tells that ended at each of `cuts` when it was read before.
fn told_in_pieces(file: &[u8], cuts: &[u64]) -> Vec<Told> {
    let mut reader = SessionReader::new(Uuid::from_u128(7), &mut survey(file, cuts), start());
    let mut told = Vec::new();
    for (line, end) in lines(file) {
        told.extend(reader.read(line, end));
        if cuts.contains(&end) {
            told.extend(reader.cut());
        }
    }
    told.extend(reader.cut());
    assert!(reader.is_quiet() || told.is_empty());
    told
}

fn told(file: &[u8]) -> Vec<Told> {
    told_in_pieces(file, &[])
}

/// The conversation as it stands at the end.
fn conversation(told: &[Told]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut all: Vec<Vec<Message>> = Vec::new();
    for one in told {
        match one {
            Told::Message(message) => messages.push(message.clone()),
            Told::Back { to: None } => all.push(std::mem::take(&mut messages)),
            Told::Back { to: Some(to) } => {
                all.push(messages.clone());
                let holds = |branch: &&Vec<Message>| branch.iter().any(|message| message.id == *to);
                messages = all.iter().rev().find(holds).unwrap().clone();
                let at = messages.iter().position(|message| message.id == *to).unwrap();
                messages.truncate(at + 1);
            }
            Told::Lines { .. } | Told::Turn { .. } => {}
        }
    }
    messages
}

fn turns(told: &[Told]) -> Vec<TurnEnd> {
    let turn = |one: &Told| match one {
        Told::Turn { end, .. } => Some(end.clone()),
        _ => None,
    };
    told.iter().filter_map(turn).collect()
}

fn native(told: &[Told]) -> Vec<NativeLine> {
    let lines = |one: &Told| match one {
        Told::Lines { lines, .. } => lines.clone(),
        _ => Vec::new(),
    };
    told.iter().flat_map(lines).collect()
}

/// Who says what.
fn texts(messages: &[Message]) -> Vec<String> {
    let text = |message: &Message| {
        let said = message.tool_result.as_deref().unwrap_or(&message.content);
        format!("{}: {said}", message.role)
    };
    messages.iter().map(text).collect()
}

/// Lines of a session that are written one after the other, each on the one before unless it says otherwise.
struct Writer {
    lines: Vec<Value>,
}

impl Writer {
    fn new() -> Self {
        Self { lines: Vec::new() }
    }

    /// The uuid of line `n`.
    fn uuid(n: usize) -> String {
        format!("00000000-0000-4000-8000-{n:012}")
    }

    fn line(&mut self, on: Option<usize>, kind: &str, more: Value) -> usize {
        let n = self.lines.len();
        let mut line = json!({
            "type": kind,
            "uuid": Self::uuid(n),
            "parentUuid": on.map(Self::uuid),
            "isSidechain": false,
            "sessionId": "5e55104e-0000-4000-8000-000000000001",
            "cwd": "/home/dev/w",
            "timestamp": format!("2026-01-15T10:{:02}:{:02}.000Z", n / 60 % 60, n % 60),
        });
        for (name, value) in more.as_object().unwrap() {
            line[name] = value.clone();
        }
        self.lines.push(line);
        n
    }

    fn user(&mut self, on: Option<usize>, said: &str) -> usize {
        self.line(on, "user", json!({"message": {"role": "user", "content": said}}))
    }

    fn says(&mut self, on: usize, id: &str, block: Value) -> usize {
        let usage = json!({"input_tokens": 10, "output_tokens": 5});
        let message = json!({"id": id, "model": "m", "role": "assistant", "content": [block],
            "stop_reason": "end_turn", "usage": usage});
        self.line(Some(on), "assistant", json!({"message": message}))
    }

    fn text(&mut self, on: usize, id: &str, said: &str) -> usize {
        self.says(on, id, json!({"type": "text", "text": said}))
    }

    fn calls(&mut self, on: usize, id: &str, call: &str) -> usize {
        self.says(on, id, json!({"type": "tool_use", "id": call, "name": "Bash", "input": {"command": call}}))
    }

    fn result(&mut self, on: usize, call: &str, said: &str) -> usize {
        let block = json!({"type": "tool_result", "tool_use_id": call, "content": said});
        self.line(Some(on), "user", json!({"message": {"role": "user", "content": [block]}}))
    }

    fn file(&self) -> Vec<u8> {
        file(&self.lines)
    }
}
