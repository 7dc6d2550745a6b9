//! The scripted agent.

use crate::host::{self, Ended, Host, outline};
use makima_agents::{
    Act, Agent, Environment, Input, Launch, Resume,
    scripted::{self, Scripted},
};
use makima_model::{
    Answer, Clock, FailureKind, PermissionMode, QuestionKind, Record, RunOutcome, TurnOutcome,
};
use serde_json::{Value, json};
use std::{
    env, fs,
    io::Cursor,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A worktree, a run's folder, and an agent that plays a scenario.
struct Stage {
    folder: TempDir,
    agent: Scripted,
}

impl Stage {
    fn new(scenario: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["worktree", "run"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let file = folder.path().join("scenario.json");
        fs::write(&file, scenario.to_string()).unwrap();
        let agent = Scripted {
            name: "scripted".to_owned(),
            command: vec![program().to_str().unwrap().to_owned()],
            environment: Environment::new(),
            permission_mode: PermissionMode::Bypass,
            scenario: file,
        };
        Self { folder, agent }
    }

    fn worktree(&self) -> PathBuf {
        self.folder.path().join("worktree")
    }

    fn launch(&self) -> Launch {
        let clock = Clock::system();
        Launch {
            run: clock.new_id(),
            task: clock.new_id(),
            contract: None,
            worktree: self.worktree(),
            folder: self.folder.path().join("run"),
            permission_mode: PermissionMode::Bypass,
            resume: None,
            trusted: false,
            root: false,
            instructions: None,
            environment: [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into(),
            variables: Environment::new(),
        }
    }

    fn start(&self) -> Host {
        Host::start(&self.agent, &self.launch())
    }

    fn start_in(&self, permission_mode: PermissionMode) -> Host {
        Host::start(&self.agent, &Launch { permission_mode, ..self.launch() })
    }
}

/// The example that cargo builds beside the tests.
fn program() -> PathBuf {
    let tests = env::current_exe().unwrap();
    let program = tests.parent().and_then(Path::parent).unwrap().join("examples/scripted_agent");
    assert!(program.is_file(), "build the example scripted_agent first: {} is not there", program.display());
    program
}

fn say(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}]})
}

fn script(steps: Value) -> Value {
    json!({"scripts": {"GO": steps}, "default": say("nothing more at {{n}}")})
}

fn asked_of_nobody(ended: &Ended) {
    let open = ended.records.iter().filter(|record| matches!(record, Record::Asked { .. })).count();
    let answered = ended.records.iter().filter(|record| matches!(record, Record::Answered { .. })).count();
    assert_eq!(open, answered, "every question has its end");
}

#[test]
fn it_writes_edits_reads_and_runs_for_real() {
    let stage = Stage::new(&script(json!([
        {"content": [
            {"type": "thinking", "thinking": "Plan."},
            {"type": "text", "text": "Writing."},
            {"type": "tool_use", "name": "Write", "input": {"file_path": "{{cwd}}/src/a.sh", "content": "echo one\n"}}]},
        {"content": [
            {"type": "tool_use", "name": "Edit", "input": {"file_path": "src/a.sh", "old_string": "one", "new_string": "two"}},
            {"type": "tool_use", "name": "Bash", "input": {"command": "sh src/a.sh; pwd >&2"}},
            {"type": "tool_use", "name": "Read", "input": {"file_path": "src/a.sh"}},
            {"type": "tool_use", "name": "Telepathy", "input": {}}],
         "usage": {"input_tokens": 500, "output_tokens": 7, "cache_read_input_tokens": 300}, "cost_usd": 0.5},
        {"content": [{"type": "tool_use", "name": "Bash", "input": {"command": "exit 3"}}]},
        {"content": [{"type": "text", "text": "Done."}], "cost_usd": 0.25}
    ])));
    let mut host = stage.start();
    host.say(&["please GO"]);
    let turn = host.until_idle();
    let streamed: String = host.deltas.iter().map(|delta| delta.text.as_str()).collect();
    let ended = host.finish();

    assert_eq!(streamed, "Plan.Writing.Done.");
    let worktree = fs::canonicalize(stage.worktree()).unwrap();
    let here = stage.worktree();
    assert_eq!(
        outline(&ended.messages()),
        [
            "user: please GO".to_owned(),
            "assistant: Writing. [Write]".to_owned(),
            format!("tool Write: Wrote {}", here.join("src/a.sh").display()),
            "assistant:  [Edit, Bash, Read, Telepathy]".to_owned(),
            format!("tool Edit: Edited {}", here.join("src/a.sh").display()),
            format!("tool Bash: two\n{}", worktree.display()),
            "tool Read: echo two\n".to_owned(),
            "tool Telepathy failed: There is no tool Telepathy".to_owned(),
            "assistant:  [Bash]".to_owned(),
            "tool Bash failed: Exit code 3\n".to_owned(),
            "assistant: Done.".to_owned(),
        ]
    );
    assert_eq!(ended.messages()[1].thinking.as_deref(), Some("Plan."));
    assert_eq!(ended.messages()[3].token_count, Some(807));
    assert_eq!(turn.outcome, TurnOutcome::Completed);
    assert_eq!(turn.usage.total(), 807 + 3 * 120);
    assert_eq!(turn.cost_usd, Some(0.75));
    assert_eq!(turn.tools["Bash"], 2);
    assert_eq!((ended.exit.code, ended.ending.end.outcome), (Some(0), RunOutcome::Completed));
}

#[test]
fn it_plays_in_the_process_of_its_caller_too() {
    let stage = Stage::new(&script(json!([say("in process")])));
    let launch = stage.launch();
    let program = stage.agent.launch(&launch).unwrap();
    fs::create_dir_all(&program.folders[1]).unwrap();
    let clock = Clock::system();
    let mut dialogue = stage.agent.dialogue(&launch, clock.clone());
    let said = dialogue.say(&[Input { id: clock.new_id(), content: "GO".to_owned() }]);
    let Some(Act::Write(line)) = said.into_iter().next_back() else { panic!("nothing is written") };

    let mut output = Vec::new();
    let code = scripted::play(Cursor::new(line), &mut output, &program.command[1..]).unwrap();

    assert_eq!(code, 0);
    let lines = output.split(|byte| *byte == b'\n');
    let records: Vec<Record> = lines
        .flat_map(|line| dialogue.read(line))
        .filter_map(|act| match act {
            Act::Record(record) => Some(record),
            Act::Write(_) | Act::Delta(_) => None,
        })
        .collect();
    assert_eq!(outline(&host::messages(&records)), ["assistant: in process"]);
    assert!(matches!(records.last(), Some(Record::TurnEnded(end)) if end.outcome == TurnOutcome::Completed));
}

#[test]
fn what_it_says_is_the_same_each_time() {
    let play = || {
        let stage = Stage::new(&script(json!([
            {"content": [{"type": "tool_use", "name": "Bash", "input": {"command": "echo x"}}], "garbage": true},
            {"content": [{"type": "text", "text": "{{n}} so far"}]}
        ])));
        let mut host = stage.start();
        host.say(&["GO"]);
        host.until_idle();
        let lines: Vec<String> =
            host.stdout.iter().skip(2).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        host.finish();
        lines
    };
    assert_eq!(play(), play());
}

#[test]
fn it_goes_on_where_its_session_ends() {
    let stage = Stage::new(&script(json!([say("one"), say("two"), say("three")])));
    let mut host = stage.start();
    host.say(&["GO", "and more"]);
    host.until_idle();
    let first = host.finish();

    for native in [true, false] {
        let mut launch = stage.launch();
        let session_id = first.session_id();
        let file =
            stage.agent.session_path(&stage.folder.path().join(format!("again-{native}")), &session_id);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, first.session_file(&stage.agent, &launch, native)).unwrap();
        launch.resume = Some(Resume { session_id: session_id.clone(), file });
        let mut host = Host::start(&stage.agent, &launch);
        host.say(&["go on"]);
        host.until_idle();
        let second = host.finish();
        assert_eq!(second.session_id(), session_id);
        assert_eq!(outline(&second.messages()), ["user: go on", "assistant: two"], "native: {native}");
    }
}

#[test]
fn each_message_has_its_line_of_the_session() {
    let stage = Stage::new(&script(json!([
        {"content": [{"type": "tool_use", "name": "Bash", "input": {"command": "true"}}]}, say("done")
    ])));
    let launch = stage.launch();
    let mut host = Host::start(&stage.agent, &launch);
    host.say(&["GO"]);
    host.until_idle();
    let ended = host.finish();
    let kept = fs::read(stage.agent.session_path(&launch.folder, &ended.session_id())).unwrap();
    assert_eq!(
        String::from_utf8(ended.session_file(&stage.agent, &launch, true)).unwrap(),
        String::from_utf8(kept).unwrap()
    );
    assert_eq!(ended.messages().len(), 4);
}

#[test]
fn an_interrupt_keeps_what_was_said_and_the_next_turn_goes_on() {
    let stage = Stage::new(&script(json!([
        {"content": [{"type": "text", "text": "never to its end"}], "endless": true}, say("after it")
    ])));
    let mut host = stage.start();
    host.say(&["GO"]);
    host.until(|host| host.deltas.iter().any(|delta| delta.text.contains("and so on")));
    host.interrupt();
    assert_eq!(host.until_idle().outcome, TurnOutcome::Interrupted);
    host.say(&["and now?"]);
    assert_eq!(host.until_idle().outcome, TurnOutcome::Completed);
    let ended = host.finish();
    assert_eq!(
        outline(&ended.messages()),
        ["user: GO", "assistant (incomplete): never to its end", "user: and now?", "assistant: after it"]
    );
    assert_eq!(ended.ending.end.outcome, RunOutcome::Completed);
}

#[test]
fn an_interrupt_kills_a_command_and_every_call_gets_a_result() {
    let stage = Stage::new(&script(json!([{"content": [
        {"type": "tool_use", "name": "Bash", "input": {"command": "touch began; sleep 1000"}},
        {"type": "tool_use", "name": "Write", "input": {"file_path": "late", "content": ""}}
    ]}])));
    let mut host = stage.start();
    host.say(&["GO"]);
    host.until(|host| host::messages(&host.records).len() == 2);
    while !stage.worktree().join("began").exists() {
        std::thread::yield_now();
    }
    host.interrupt();
    assert_eq!(host.until_idle().outcome, TurnOutcome::Interrupted);
    let ended = host.finish();
    assert_eq!(
        outline(&ended.messages())[2..],
        ["tool Bash failed: Interrupted", "tool Write failed: Interrupted"]
    );
    assert!(!stage.worktree().join("late").exists());
    assert_eq!(ended.ending.end.outcome, RunOutcome::Interrupted);
}

#[test]
fn it_asks_before_it_acts_and_takes_no_for_an_answer() {
    let stage = Stage::new(&script(json!([
        {"content": [
            {"type": "tool_use", "name": "Write", "input": {"file_path": "a", "content": "a"}},
            {"type": "tool_use", "name": "Bash", "input": {"command": "touch b"}},
            {"type": "tool_use", "name": "Read", "input": {"file_path": "a"}}]},
        say("done")
    ])));
    let mut host = stage.start_in(PermissionMode::Ask);
    host.say(&["GO"]);
    let write = host.until_asked();
    assert_eq!((write.kind, write.tool_name.as_deref()), (QuestionKind::Permission, Some("Write")));
    assert_eq!(write.tool_input, Some(json!({"file_path": "a", "content": "a"})));
    assert!(!stage.worktree().join("a").exists(), "nothing happens before the answer");
    host.answer(write.id, Answer::Allow);
    let bash = host.until_asked();
    host.answer(bash.id, Answer::Deny { message: Some("not here".to_owned()) });
    host.until_idle();
    let ended = host.finish();
    assert_eq!(outline(&ended.messages())[3..5], ["tool Bash failed: not here", "tool Read: a"]);
    assert!(!stage.worktree().join("b").exists());
    asked_of_nobody(&ended);
}

#[test]
fn it_edits_without_asking_where_edits_are_accepted() {
    let stage = Stage::new(&script(json!([
        {"content": [
            {"type": "tool_use", "name": "Write", "input": {"file_path": "a", "content": "a"}},
            {"type": "tool_use", "name": "Bash", "input": {"command": "true"}}]},
    ])));
    let mut host = stage.start_in(PermissionMode::AcceptEdits);
    host.say(&["GO"]);
    let question = host.until_asked();
    assert_eq!(question.tool_name.as_deref(), Some("Bash"));
    assert!(stage.worktree().join("a").exists());
    host.interrupt();
    host.until_idle();
    let ended = host.finish();
    let answered = |record: &Record| matches!(record, Record::Answered { question: of, answer: None } if *of == question.id);
    assert!(ended.records.iter().any(answered), "an interrupted question is withdrawn");
}

#[test]
fn a_question_is_answered_with_words_and_with_nothing_else() {
    let stage = Stage::new(&script(json!([
        {"content": [{"type": "text", "text": "I must know."}], "ask": {"text": "Which colour?", "choices": ["red", "blue"]}},
        say("thanks")
    ])));
    let mut host = stage.start();
    host.say(&["GO"]);
    let question = host.until_asked();
    assert_eq!(question.choices, Some(vec!["red".to_owned(), "blue".to_owned()]));
    host.answer(question.id, Answer::Text { text: "blue".to_owned() });
    host.until_idle();
    let ended = host.finish();
    assert_eq!(
        outline(&ended.messages())[1..],
        ["assistant: I must know. [Ask]", "tool Ask: blue", "assistant: thanks"]
    );
}

#[test]
fn garbage_is_told_and_breaks_nothing() {
    let stage =
        Stage::new(&script(json!([{"content": [{"type": "text", "text": "said"}], "garbage": true}])));
    let mut host = stage.start();
    host.say(&["GO"]);
    assert_eq!(host.until_idle().outcome, TurnOutcome::Completed);
    let ended = host.finish();
    let notices = ended.records.iter().filter(|record| matches!(record, Record::Notice { .. })).count();
    assert!(notices >= 5, "{:#?}", ended.records);
    assert_eq!(outline(&ended.messages()), ["user: GO", "assistant: said"]);
}

#[test]
fn an_error_of_the_service_fails_the_turn_and_says_why() {
    let stage = Stage::new(&script(json!([
        {"error": {"status": 529, "type": "overloaded_error", "message": "Overloaded"}, "content": []}
    ])));
    let mut host = stage.start();
    host.say(&["GO"]);
    let turn = host.until_idle();
    let failure = turn.failure.unwrap();
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::ServerError, "529 Overloaded"));
    let ended = host.finish();
    assert_eq!(ended.exit.code, Some(1));
    assert_eq!(ended.ending.end.outcome, RunOutcome::Failed);
}

#[test]
fn a_cut_connection_leaves_what_was_said_till_then() {
    let stage = Stage::new(&script(json!([
        {"content": [{"type": "text", "text": "0123456789"}], "chunk": 2, "drop_after_chunks": 3}
    ])));
    let mut host = stage.start();
    host.say(&["GO"]);
    assert_eq!(host.until_idle().outcome, TurnOutcome::Failed);
    assert_eq!(outline(&host.finish().messages()), ["user: GO", "assistant (incomplete): 012345"]);
}

#[test]
fn a_crash_in_the_middle_of_a_message_keeps_what_was_streamed() {
    let stage =
        Stage::new(&script(json!([{"content": [{"type": "text", "text": "so far"}], "crash": true}])));
    let mut host = stage.start();
    host.say(&["GO"]);
    let ended = host.finish();
    assert_eq!(ended.exit.signal, Some(9));
    assert_eq!(outline(&ended.messages()), ["user: GO", "assistant (incomplete): so far"]);
    assert_eq!(ended.turns()[0].outcome, TurnOutcome::Interrupted);
    assert_eq!(ended.ending.end.outcome, RunOutcome::Interrupted);
}

#[test]
fn an_exit_in_the_middle_is_a_failure_with_its_code() {
    let stage = Stage::new(&script(json!([{"exit": {"code": 7}}])));
    let mut host = stage.start();
    host.say(&["GO"]);
    let ended = host.finish();
    assert_eq!(ended.exit.code, Some(7));
    assert_eq!(ended.turns()[0].failure.as_ref().unwrap().kind, FailureKind::Crashed);
    assert_eq!(ended.ending.end.outcome, RunOutcome::Failed);
}

#[test]
fn a_hanging_agent_hears_nothing_and_dies_of_a_signal() {
    let stage =
        Stage::new(&script(json!([{"content": [{"type": "text", "text": "hanging"}], "hang": true}])));
    let mut host = stage.start();
    host.say(&["GO"]);
    host.until(|host| !host.deltas.is_empty());
    host.interrupt();
    host.kill();
    let ended = host.finish();
    assert_eq!(ended.exit.signal, Some(9));
    assert_eq!(ended.ending.end.outcome, RunOutcome::Interrupted);
}

#[test]
fn a_step_waits_for_its_file() {
    let stage = Stage::new(&script(json!([
        {"content": [{"type": "text", "text": "there"}], "wait_for_file": "{{cwd}}/signal"}
    ])));
    let mut host = stage.start();
    host.say(&["GO"]);
    host.until(|host| host.records.iter().any(|record| matches!(record, Record::Native { .. })));
    assert_eq!(host.deltas, [], "nothing is said before the file is there");
    fs::write(stage.worktree().join("signal"), "").unwrap();
    host.until_idle();
    assert_eq!(outline(&host.finish().messages())[1], "assistant: there");
}

#[test]
fn a_scenario_with_a_mistake_ends_it_at_once_with_the_reason() {
    let stage = Stage::new(&json!({"default": {"exot": true}}));
    let ended = stage.start().finish();
    assert_ne!(ended.exit.code, Some(0));
    assert!(ended.exit.stderr.contains("exot"), "{}", ended.exit.stderr);
    assert_eq!(ended.ending.end.outcome, RunOutcome::Failed);
}
