//! Recorded transcripts of Claude Code, and what becomes of them.

// Helpers of tests: what fails in them fails the test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use makima_agents::{
    Act, Agent, Delta, DeltaKind, Dialogue, Environment, Exit, Input, Launch, claude::Claude,
};
use makima_model::{
    Clock, Message, MessageId, MessageRole, NativeLine, PermissionMode, Record, ToolCall, TurnOutcome,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/claude")
}

fn lines(fixture: &str) -> Vec<Vec<u8>> {
    let bytes = fs::read(folder().join(fixture)).unwrap();
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

fn agent() -> Claude {
    Claude {
        name: "claude".to_owned(),
        command: vec!["claude".to_owned()],
        environment: Environment::new(),
        permission_mode: PermissionMode::Bypass,
    }
}

fn dialogue() -> Box<dyn Dialogue> {
    let clock = Clock::standing_at("2026-01-15T09:30:00Z".parse().unwrap());
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
    agent().dialogue(&launch, clock)
}

/// The ids of what was said to Claude Code in a transcript: it queues each, and keeps its uuid unless it is a command.
fn said_in(lines: &[Vec<u8>]) -> Vec<MessageId> {
    let readable = |line: &Vec<u8>| String::from_utf8_lossy(line).replace("\\ud800", "");
    let mirrored = lines.iter().filter_map(|line| serde_json::from_str::<Value>(&readable(line)).ok());
    let entries: Vec<Value> =
        mirrored.flat_map(|line| line["entries"].as_array().cloned().unwrap_or_default()).collect();
    let queued = entries.iter().filter(|entry| entry["operation"] == "enqueue");
    let mut kept = entries.iter().filter(|entry| entry["type"] == "user" && entry["isSidechain"] != true);
    let mut said = Vec::new();
    for (n, queued) in queued.enumerate() {
        let mut rest = kept.clone();
        let found = rest.find(|entry| entry["message"]["content"] == queued["content"]);
        said.push(match found.and_then(|entry| entry["uuid"].as_str()?.parse().ok()) {
            Some(id) => {
                kept = rest;
                id
            }
            None => format!("00000000-0000-4000-9000-{n:012}").parse().unwrap(),
        });
    }
    said
}

/// Feeds a transcript to a dialogue as a run host would, saying something whenever a turn may begin; `inputs` at once at first.
fn played(lines: &[Vec<u8>], inputs: usize) -> (Vec<Act>, Vec<Record>) {
    let made_up = (0..).map(|n| format!("00000000-0000-4000-8000-{n:012}").parse().unwrap());
    let mut ids = said_in(lines).into_iter().chain(made_up);
    let mut next = || {
        let id = ids.next().unwrap();
        Input { id, content: "(said)".to_owned() }
    };
    let mut dialogue = dialogue();
    let mut acts = dialogue.open();
    let first: Vec<Input> = (0..inputs).map(|_| next()).collect();
    acts.extend(dialogue.say(&first));
    for line in lines {
        let begins = String::from_utf8_lossy(line).contains(r#"{"type":"system","subtype":"init""#);
        if begins && dialogue.is_idle() {
            acts.extend(dialogue.say(&[next()]));
        }
        acts.extend(dialogue.read(line));
    }
    let ending = dialogue.ended(&Exit { code: Some(0), ..Exit::default() });
    (acts, ending.records)
}

fn records(acts: Vec<Act>, last: Vec<Record>) -> Vec<Record> {
    let of = |act| match act {
        Act::Record(record) => Some(record),
        Act::Write(_) | Act::Delta(_) => None,
    };
    acts.into_iter().filter_map(of).chain(last).collect()
}

fn recorded(fixture: &str) -> Vec<Record> {
    let (acts, last) = played(&lines(fixture), 1);
    records(acts, last)
}

/// Our own ids as their place of appearance, long texts cut, native lines as what they are.
fn shown(fixture: &str, inputs: usize) -> String {
    let (acts, last) = played(&lines(fixture), inputs);
    let mut ids: Vec<String> = Vec::new();
    let mut out: Vec<String> = Vec::new();
    let mut streamed: Option<(Delta, usize)> = None;
    let acts = acts.into_iter().chain(last.into_iter().map(Act::Record));
    for act in acts {
        if !matches!(act, Act::Delta(_))
            && let Some((Delta { message, kind, text }, pieces)) = streamed.take()
        {
            let line = json!({"message": message, "kind": kind, "pieces": pieces, "text": cut(json!(text))});
            out.push(format!("streamed {line}"));
        }
        match act {
            Act::Write(bytes) => out.push(format!("write {}", String::from_utf8(bytes).unwrap().trim_end())),
            Act::Delta(delta) => match &mut streamed {
                Some((before, pieces)) if (before.message, before.kind) == (delta.message, delta.kind) => {
                    before.text.push_str(&delta.text);
                    *pieces += 1;
                }
                _ => {
                    ids.push(delta.message.to_string());
                    streamed = Some((delta, 1));
                }
            },
            Act::Record(record) => {
                match &record {
                    Record::Message { message } => ids.push(message.id.to_string()),
                    Record::Asked { question } => ids.push(question.id.to_string()),
                    _ => {}
                }
                out.push(match record {
                    Record::Native { message, file, lines } => {
                        let lines: Vec<String> = lines.iter().map(kind_of).collect();
                        format!("native {} {file:?} {}", json!(message), lines.join(" "))
                    }
                    record => cut(serde_json::to_value(record).unwrap()).to_string(),
                });
            }
        }
    }
    let mut text = out.join("\n");
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    for (place, id) in ids.iter().enumerate() {
        text = text.replace(id.as_str(), &format!("#{place}"));
    }
    text
}

fn kind_of(line: &NativeLine) -> String {
    let entry: Value = serde_json::from_str(&line.line).unwrap_or_default();
    entry["type"].as_str().unwrap_or("?").to_owned()
}

fn cut(value: Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > 160 => {
            json!(format!("{}… ({} bytes)", text.chars().take(100).collect::<String>(), text.len()))
        }
        Value::Array(values) => values.into_iter().map(cut).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, cut(value))).collect())
        }
        other => other,
    }
}

macro_rules! transcripts {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                let inputs = if stringify!($name) == "cc197_two_inputs" { 2 } else { 1 };
                insta::assert_snapshot!(stringify!($name), shown(&fixture(stringify!($name)), inputs));
            }
        )*

        #[test]
        fn every_transcript_is_shown() {
            let mut shown: Vec<String> = [$(stringify!($name)),*].map(fixture).to_vec();
            let files = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
            let mut there: Vec<String> = files.filter(|name| name.ends_with(".stdout.jsonl")).collect();
            shown.sort();
            there.sort();
            assert_eq!(shown, there);
        }

        const ALL: &[&str] = &[$(stringify!($name)),*];
    };
}

/// A test's name can't have the hyphens of the recordings.
fn fixture(name: &str) -> String {
    let name = match name {
        "cc_go_err400" => "cc_go-err400",
        "cc_go_err529" => "cc_go-err529",
        "cc_m3_ask2" => "cc_m3-ask2",
        "cc_m4_sdkhook" => "cc_m4-sdkhook",
        "cc_err_429_retry_after_3" => "cc_err_429_retry-after_3",
        name => name,
    };
    format!("{name}.stdout.jsonl")
}

transcripts! {
    cc197_ask,
    cc197_err_529,
    cc197_err_billing,
    cc197_err_drop_stream,
    cc197_interrupt,
    cc197_interrupt_tool,
    cc197_lone_surrogate,
    cc197_multi,
    cc197_permission,
    cc197_resume,
    cc197_slash_commands,
    cc197_two_inputs,
    cc_checkpoint,
    cc_control,
    cc_err_400_prompt_too_long,
    cc_err_401,
    cc_err_429_retry_after_3,
    cc_err_429_unified_subscription,
    cc_err_529,
    cc_err_drop_stream,
    cc_fork,
    cc_go_err400,
    cc_go_err529,
    cc_interrupt,
    cc_kill9_midstream,
    cc_kill9_midstream_resumed,
    cc_m3_ask2,
    cc_m4_sdkhook,
    cc_mirror,
    cc_multi,
    cc_partial_replay,
    cc_permission_allow,
    cc_resume,
    cc_sdk3,
    cc_simple,
    cc_sub,
    cc_sub197,
    cc_synth_resume,
    cc_thinking,
}

/// The session file as the server would have it written: of each message its native lines, in order.
fn session(records: &[Record]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut file = agent().session_file("s", Path::new("/w"));
    for record in records {
        let Record::Message { message } = record else { continue };
        for line in native_of(records, message.id) {
            file.native(line, &mut out);
        }
    }
    file.finish(&mut out);
    out
}

fn native_of(records: &[Record], of: MessageId) -> impl Iterator<Item = &NativeLine> {
    records.iter().flat_map(move |record| match record {
        Record::Native { message, file, lines } if *message == Some(of) && file.is_empty() => {
            lines.as_slice()
        }
        _ => &[],
    })
}

/// The lines of the main session file that a transcript's mirror holds, as they stand there.
fn mirrored(fixture: &str) -> Vec<String> {
    let mut all = Vec::new();
    for line in lines(fixture) {
        let text = String::from_utf8(line).unwrap();
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Mirror {
            file_path: String,
            entries: Vec<Box<serde_json::value::RawValue>>,
        }
        // No other line has these two.
        let Ok(Mirror { file_path, entries }) = serde_json::from_str(&text) else { continue };
        if !file_path.contains("/subagents/") {
            all.extend(entries.iter().map(|entry| entry.get().to_owned()));
        }
    }
    all
}

#[test]
fn a_session_built_from_the_mirror_is_the_programs_own_file() {
    let records = recorded("cc197_multi.stdout.jsonl");
    let own = fs::read(folder().join("cc197_multi.session.jsonl")).unwrap();
    assert_eq!(String::from_utf8(session(&records)).unwrap(), String::from_utf8(own).unwrap());
}

#[test]
fn no_mirrored_line_is_lost_doubled_or_moved() {
    for name in ALL {
        let inputs = if *name == "cc197_two_inputs" { 2 } else { 1 };
        let mirrored = mirrored(&fixture(name));
        let (acts, last) = played(&lines(&fixture(name)), inputs);
        let records = records(acts, last);
        let kept: Vec<&str> = records
            .iter()
            .filter_map(|record| match record {
                Record::Message { message } => Some(message.id),
                _ => None,
            })
            .flat_map(|message| native_of(&records, message))
            .map(|line| line.line.as_str())
            .collect();
        assert_eq!(kept, mirrored, "{name}");
    }
}

#[test]
fn a_native_line_comes_after_the_message_that_it_belongs_to() {
    for name in ALL {
        let mut told: Vec<MessageId> = Vec::new();
        for record in recorded(&fixture(name)) {
            match record {
                Record::Message { message } => told.push(message.id),
                Record::Native { message: Some(message), .. } => assert!(told.contains(&message), "{name}"),
                _ => {}
            }
        }
    }
}

#[test]
fn every_turn_and_every_question_ends() {
    for name in ALL {
        let records = recorded(&fixture(name));
        let count = |of: fn(&Record) -> bool| records.iter().filter(|record| of(record)).count();
        let asked = count(|record| matches!(record, Record::Asked { .. }));
        let answered = count(|record| matches!(record, Record::Answered { .. }));
        assert_eq!(asked, answered, "{name}");
        let last = records
            .iter()
            .rev()
            .find(|record| matches!(record, Record::TurnEnded(_) | Record::Message { .. }));
        assert!(matches!(last, Some(Record::TurnEnded(_))), "{name}: {last:?}");
    }
}

#[test]
fn a_tools_result_stands_after_its_call() {
    for name in ALL {
        let mut called: Vec<String> = Vec::new();
        for record in recorded(&fixture(name)) {
            let Record::Message { message } = record else { continue };
            called.extend(message.tool_calls.iter().map(|call| call.id.clone()));
            if let Some(call) = &message.tool_call_id {
                assert!(called.contains(call), "{name}");
                assert!(message.tool_name.is_some(), "{name}");
            }
        }
    }
}

#[test]
fn a_process_that_dies_after_any_line_leaves_an_ended_turn_and_every_whole_message() {
    let all = lines("cc197_multi.stdout.jsonl");
    for count in 0..all.len() {
        let (acts, last) = played(&all[..count], 1);
        let records = records(acts, last);
        let ends = records.iter().filter(|record| matches!(record, Record::TurnEnded(_))).count();
        assert_eq!(ends, 1, "after {count} lines");
    }
}

#[test]
fn what_a_dead_process_streamed_is_kept_as_incomplete() {
    let records = recorded("cc_kill9_midstream.stdout.jsonl");
    let said: Vec<&Message> = records
        .iter()
        .filter_map(|record| match record {
            Record::Message { message } if message.role == MessageRole::Assistant => Some(message),
            _ => None,
        })
        .collect();
    let incomplete: Vec<bool> = said.iter().map(|message| message.incomplete).collect();
    assert_eq!(incomplete, [false, true]);
    assert_eq!(said[1].content, "This is a very slow answer tha");
}

#[test]
fn a_line_of_many_megabytes_is_read() {
    let text = "x\\u0000\\ud800".repeat(1_000_000);
    let line = format!(
        r#"{{"type":"assistant","uuid":"u","message":{{"id":"m","role":"assistant","content":[{{"type":"text","text":"{text}"}}]}}}}"#
    );
    let (acts, last) = played(&[line.into_bytes()], 1);
    let long = records(acts, last).into_iter().find_map(|record| match record {
        Record::Message { message } if message.role == MessageRole::Assistant => Some(message.content),
        _ => None,
    });
    assert_eq!(long.unwrap(), "x\0\u{fffd}".repeat(1_000_000));
}

#[test]
fn output_that_is_no_protocol_is_told_and_the_turn_goes_on() {
    let mut all = lines("cc197_multi.stdout.jsonl");
    all.insert(3, b"(node:1) Warning: something".to_vec());
    all.insert(9, b"\xff\xfe{\"type\"".to_vec());
    let (acts, last) = played(&all, 1);
    let records = records(acts, last);
    let notices = records.iter().filter(|record| matches!(record, Record::Notice { .. })).count();
    assert_eq!(notices, 2);
    let ended = records.iter().find_map(|record| match record {
        Record::TurnEnded(end) => Some(end.outcome),
        _ => None,
    });
    assert_eq!(ended, Some(TurnOutcome::Completed));
}

#[test]
fn live_text_is_the_text_of_the_message() {
    let (acts, _) = played(&lines("cc197_multi.stdout.jsonl"), 1);
    for act in &acts {
        let Act::Record(Record::Message { message }) = act else { continue };
        let pieces = acts.iter().filter_map(|act| match act {
            Act::Delta(delta) if delta.message == message.id && delta.kind == DeltaKind::Text => {
                Some(delta.text.as_str())
            }
            _ => None,
        });
        if message.role == MessageRole::Assistant {
            assert_eq!(pieces.collect::<String>(), message.content);
        }
    }
}

#[test]
fn a_request_that_is_not_served_is_refused_and_not_left_waiting() {
    let line = json!({"type": "control_request", "request_id": "r", "request": {"subtype": "elicitation"}});
    let acts = dialogue().read(line.to_string().as_bytes());
    let [Act::Write(written)] = &acts[..] else { panic!("{acts:?}") };
    let written: Value = serde_json::from_slice(written).unwrap();
    assert_eq!(written["response"]["subtype"], "error");
    assert_eq!(written["response"]["request_id"], "r");
}

/// Lines of transcripts, mixed, cut, and damaged.
fn damaged() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let pool: Vec<Vec<u8>> =
        ["cc197_ask", "cc_sub", "cc197_slash_commands", "cc_err_429_unified_subscription"]
            .iter()
            .flat_map(|name| lines(&fixture(name)))
            .filter(|line| line.len() < 20_000)
            .collect();
    let line = (0..pool.len(), any::<u16>(), any::<u8>(), 0..4u8).prop_map(move |(at, place, byte, how)| {
        let mut line = pool[at].clone();
        let place = usize::from(place) % line.len().max(1);
        match how {
            0 => line.truncate(place),
            1 => line[place] = byte,
            _ => {}
        }
        line
    });
    proptest::collection::vec(line, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_that_a_program_writes_is_a_panic(all in damaged()) {
        let (acts, last) = played(&all, 1);
        for record in records(acts, last) {
            let text = serde_json::to_string(&record).unwrap();
            prop_assert!(serde_json::from_str::<Record>(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn no_bytes_are_a_panic(all in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..100), 0..30)) {
        played(&all, 1);
    }
}

/// Lines of a session whose program was killed while a tool ran.
fn cut_off() -> Vec<NativeLine> {
    let line = |kind: &str, uuid: &str, parent: Option<&str>, message: Value| {
        NativeLine {
        uuid: Some(uuid.to_owned()),
        line: json!({"type": kind, "uuid": uuid, "parentUuid": parent, "timestamp": "2026-01-15T09:30:00.000Z", "message": message})
            .to_string(),
    }
    };
    let (said, called) = ("01a228e2-0000-4000-8000-000000000001", "01a228e2-0000-4000-8000-000000000002");
    let call = json!([{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "make"}}]);
    vec![
        line("user", said, None, json!({"role": "user", "content": "do it"})),
        line("assistant", called, Some(said), json!({"role": "assistant", "id": "m", "content": call})),
    ]
}

/// Fault: the agent is killed
/// Moment: while a tool runs
/// Outcome: when the task goes on the model is told that the call was cut off, each time in the same bytes
#[test]
fn a_call_that_was_cut_off_is_given_a_result_before_anything_else_is_said() {
    let written = |lines: &[NativeLine]| {
        let (mut file, mut out) = (agent().session_file("s", Path::new("/w")), Vec::new());
        lines.iter().for_each(|line| file.native(line, &mut out));
        file.finish(&mut out);
        String::from_utf8(out).unwrap()
    };
    let mut lines = cut_off();
    let first = written(&lines);
    let answer: Value = serde_json::from_str(first.lines().nth(2).unwrap()).unwrap();
    assert_eq!(first.lines().count(), 3, "{first}");
    assert_eq!(answer["parentUuid"], lines[1].uuid.clone().unwrap());
    let result = &answer["message"]["content"][0];
    assert_eq!((&result["tool_use_id"], &result["is_error"]), (&json!("toolu_1"), &json!(true)));
    // What the next run says hangs on it, and stands behind it when the task goes on once more.
    let next = json!({"type": "user", "uuid": "01a228e2-0000-4000-8000-000000000003", "parentUuid": answer["uuid"],
        "message": {"role": "user", "content": "go on"}});
    lines.push(NativeLine { uuid: None, line: next.to_string() });
    assert_eq!(written(&lines), format!("{first}{next}\n"));
}

#[test]
fn a_call_that_was_cut_off_is_given_a_result_where_there_are_messages_alone() {
    let (mut file, mut out) = (agent().session_file("s", Path::new("/w")), Vec::new());
    let clock = Clock::system();
    let call = |id: &str| ToolCall { id: id.to_owned(), name: "Bash".to_owned(), input: json!({}) };
    let calls = Message {
        tool_calls: vec![call("one"), call("two")],
        ..Message::said(clock.new_id(), MessageRole::Assistant, "I run.", clock.now())
    };
    let result = Message {
        tool_call_id: Some("one".to_owned()),
        tool_result: Some("done".to_owned()),
        ..Message::said(clock.new_id(), MessageRole::Tool, "", clock.now())
    };
    file.message(&calls, &mut out);
    file.message(&result, &mut out);
    file.message(&Message::said(clock.new_id(), MessageRole::User, "go on", clock.now()), &mut out);
    file.finish(&mut out);
    let lines: Vec<Value> =
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let results: Vec<&Value> =
        lines.iter().map(|line| &line["message"]["content"][0]["tool_use_id"]).collect();
    assert_eq!(results, [&Value::Null, &json!("one"), &json!("two"), &Value::Null], "{lines:#?}");
    for pair in lines.windows(2) {
        assert_eq!(pair[1]["parentUuid"], pair[0]["uuid"]);
    }
}
