//! A session is told as the same session was told live: by what the program mirrored of its file beside what it said.

use super::*;
use makima_agents::{Act, Agent, Environment, Exit, Input, Launch, claude::Claude};
use makima_model::{Clock, MessageRole, PermissionMode, Record};

fn stdout(name: &str) -> Vec<Vec<u8>> {
    let bytes = fs::read(folder().join(format!("{name}.stdout.jsonl"))).unwrap();
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

/// What the dialogue makes of it, without what was said to the program.
fn live(lines: &[Vec<u8>]) -> Vec<Message> {
    let clock = Clock::standing_at(start());
    let agent = Claude {
        name: "claude".to_owned(),
        command: vec!["claude".to_owned()],
        environment: Environment::new(),
        permission_mode: PermissionMode::Bypass,
    };
    let launch = Launch {
        run: clock.new_id(),
        task: clock.new_id(),
        contract: None,
        worktree: "/w".into(),
        folder: "/f".into(),
        permission_mode: PermissionMode::Bypass,
        resume: None,
        trusted: false,
        root: false,
        instructions: None,
        environment: Environment::new(),
        variables: Environment::new(),
    };
    let mut dialogue = agent.dialogue(&launch, clock.clone());
    let mut acts = dialogue.open();
    for line in lines {
        if String::from_utf8_lossy(line).contains(r#"{"type":"system","subtype":"init""#)
            && dialogue.is_idle()
        {
            acts.extend(dialogue.say(&[Input { id: clock.new_id(), content: "(said)".to_owned() }]));
        }
        acts.extend(dialogue.read(line));
    }
    let last = dialogue.ended(&Exit { code: Some(0), ..Exit::default() }).records;
    let records = acts.into_iter().filter_map(|act| match act {
        Act::Record(record) => Some(record),
        Act::Write(_) | Act::Delta(_) => None,
    });
    let message = |record| match record {
        Record::Message { message } => Some(message),
        _ => None,
    };
    records.chain(last).filter_map(message).filter(|message| message.role != MessageRole::User).collect()
}

/// The main session file, as far as it was mirrored.
fn mirrored(lines: &[Vec<u8>]) -> Vec<u8> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Mirror {
        file_path: String,
        entries: Vec<Box<serde_json::value::RawValue>>,
    }
    let mut file = Vec::new();
    for line in lines {
        let Ok(Mirror { file_path, entries }) = serde_json::from_slice(line) else { continue };
        if !file_path.contains("/subagents/") {
            entries.iter().for_each(|entry| file.extend(format!("{}\n", entry.get()).into_bytes()));
        }
    }
    file
}

/// What both know of a message: time and id are their own.
fn same(message: Message) -> Value {
    let mut told = json!(message);
    for own in ["id", "timestamp", "tokenCount"] {
        told.as_object_mut().unwrap().remove(own);
    }
    told
}

#[test]
fn a_session_is_told_as_it_was_told_live() {
    for name in [
        "cc197_ask",
        "cc197_err_529",
        "cc197_err_billing",
        "cc197_interrupt",
        "cc197_interrupt_tool",
        "cc197_lone_surrogate",
        "cc197_multi",
        "cc197_permission",
        "cc197_resume",
        "cc_mirror",
    ] {
        let lines = stdout(name);
        let file = mirrored(&lines);
        assert!(!file.is_empty(), "{name} has no mirror");
        let recorded: Vec<Message> = told(&file)
            .into_iter()
            .filter_map(|told| match told {
                Told::Message(message) if message.role != MessageRole::User => Some(message),
                _ => None,
            })
            .collect();
        let recorded: Vec<Value> = recorded.into_iter().map(same).collect();
        let live: Vec<Value> = live(&lines).into_iter().map(same).collect();
        assert_eq!(recorded, live, "{name}");
    }
}
