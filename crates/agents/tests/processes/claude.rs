//! The real Claude Code, against a scripted model API.

use crate::host::{Ended, Host, outline};
use makima_agents::{Agent, Environment, Launch, Resume, claude::Claude};
use makima_model::{
    Answer, Clock, FailureKind, Message, MessageRole, NativeLine, PermissionMode, QuestionKind, Record,
    RunOutcome, TurnOutcome,
};
use makima_testkit::{FakeModelApi, RecordedRequest, Scenario, Step, TestRepo, claude_cli};
use serde_json::json;
use std::{fs, path::PathBuf};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A repository, a model API, and folders that are nobody else's.
struct Stage {
    repo: TestRepo,
    api: FakeModelApi,
    folder: TempDir,
    agent: Claude,
}

impl Stage {
    fn new(scenario: Scenario) -> Self {
        // The API serves on a thread of its own; only to start it takes a runtime.
        let api = Runtime::new().unwrap().block_on(FakeModelApi::start(scenario));
        let agent = Claude {
            name: "claude".to_owned(),
            command: vec![claude_cli().to_str().unwrap().to_owned()],
            // One try more is enough to see that it tries again.
            environment: [("CLAUDE_CODE_MAX_RETRIES".to_owned(), "1".to_owned())].into(),
            permission_mode: PermissionMode::Bypass,
        };
        let folder = tempfile::Builder::new().prefix("makima-agents-").tempdir().unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        Self { repo: TestRepo::new(), api, folder, agent }
    }

    fn launch(&self) -> Launch {
        let clock = Clock::system();
        let run: makima_model::RunId = clock.new_id();
        let variable = |name: &str, value: String| (name.to_owned(), value);
        Launch {
            run,
            task: clock.new_id(),
            contract: None,
            worktree: self.repo.path().to_owned(),
            folder: self.folder.path().join(run.to_string()),
            permission_mode: PermissionMode::Bypass,
            resume: None,
            trusted: false,
            root: rustix::process::geteuid().is_root(),
            instructions: None,
            environment: [
                variable("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
                variable("HOME", self.folder.path().join("home").to_str().unwrap().to_owned()),
                variable("SHELL", "/bin/sh".to_owned()),
                variable("ANTHROPIC_BASE_URL", self.api.url()),
                variable("ANTHROPIC_API_KEY", "fake".to_owned()),
                variable("DATABASE_URL", "postgres://secret".to_owned()),
            ]
            .into(),
            variables: [variable("MAKIMA_TOOL_KEY", "key".to_owned())].into(),
        }
    }

    fn start(&self) -> Host {
        Host::start(&self.agent, &self.launch())
    }

    /// Starts a run that goes on with what another said, out of its native lines or its messages alone.
    fn resume(&self, ended: &Ended, native: bool) -> Host {
        let mut launch = self.launch();
        let session_id = ended.session_id();
        let file = self.agent.session_path(&launch.folder, &session_id);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, ended.session_file(&self.agent, &launch, native)).unwrap();
        launch.resume = Some(Resume { session_id, file });
        Host::start(&self.agent, &launch)
    }

    /// The requests of the conversation, not of titles and the like.
    fn requests(&self) -> Vec<RecordedRequest> {
        self.api.requests().into_iter().filter(RecordedRequest::is_conversation).collect()
    }

    fn last_request(&self) -> RecordedRequest {
        self.requests().pop().unwrap()
    }
}

/// What the model was told, in order: role and text, without what the program adds of itself.
fn told(request: &RecordedRequest) -> Vec<String> {
    let mut told = Vec::new();
    for message in request.messages() {
        let role = message["role"].as_str().unwrap();
        let mut say = |text: &str| {
            let text = text.trim();
            if role != "system" && !text.is_empty() && !text.starts_with("<system-reminder>") {
                told.push(format!("{role}: {text}"));
            }
        };
        match &message["content"] {
            serde_json::Value::String(text) => say(text),
            blocks => {
                for block in blocks.as_array().unwrap() {
                    match block["type"].as_str().unwrap() {
                        "text" => say(block["text"].as_str().unwrap()),
                        "tool_use" => say(&format!("[{}]", block["name"].as_str().unwrap())),
                        "tool_result" => say(&format!("= {}", text_of(&block["content"]))),
                        _ => {}
                    }
                }
            }
        }
    }
    told
}

fn text_of(content: &serde_json::Value) -> String {
    match content {
        serde_json::Value::String(text) => text.clone(),
        blocks => {
            blocks.as_array().into_iter().flatten().filter_map(|block| block["text"].as_str()).collect()
        }
    }
}

fn multi() -> Scenario {
    Scenario::new()
        .script(
            "GO-MULTI",
            [
                Step::say("Writing a.sh.")
                    .tool("Write", json!({"file_path": "{{cwd}}/a.sh", "content": "echo one\n"})),
                Step::default()
                    .tool(
                        "Edit",
                        json!({"file_path": "{{cwd}}/a.sh", "old_string": "one", "new_string": "two"}),
                    )
                    .tool("Bash", json!({"command": "sh a.sh", "description": "run"})),
                Step::say("Now one that fails.").tool(
                    "Bash",
                    json!({"command": "echo out; echo err >&2; exit 3", "description": "fail"}),
                ),
                Step::say("All done.").usage("input_tokens", 500).usage("cache_read_input_tokens", 300),
            ],
        )
        .script("GO-NEXT", [Step::say("Next.")])
}

#[test]
fn several_tools_an_edit_and_a_failing_command() {
    let stage = Stage::new(multi());
    let launch = stage.launch();
    let mut host = Host::start(&stage.agent, &launch);
    host.say(&["please GO-MULTI"]);
    let turn = host.until_idle();
    let ended = host.finish();

    let messages = ended.messages();
    let roles: Vec<MessageRole> = messages.iter().map(|message| message.role).collect();
    use MessageRole::{Assistant, Tool, User};
    assert_eq!(roles, [User, Assistant, Tool, Assistant, Tool, Tool, Assistant, Tool, Assistant]);
    let outline = outline(&messages);
    assert_eq!(outline[0], "user: please GO-MULTI");
    assert_eq!(outline[1], "assistant: Writing a.sh. [Write]");
    assert_eq!(outline[3], "assistant:  [Edit, Bash]");
    assert_eq!(outline[5], "tool Bash: two");
    assert_eq!(outline[7], "tool Bash failed: Exit code 3\nout\nerr");
    assert_eq!(outline[8], "assistant: All done.");
    assert_eq!(messages[8].token_count, Some(820), "the final usage, not the first");
    assert_eq!(stage.repo.read("a.sh"), "echo two\n");

    assert_eq!(turn.outcome, TurnOutcome::Completed);
    assert_eq!(turn.usage.total(), 820 + 3 * 120);
    assert!(turn.cost_usd.is_some_and(|cost| cost > 0.0));
    assert_eq!(turn.tools["Bash"], 2);
    assert_eq!(ended.session_id(), launch.run.to_string());
    assert_eq!(ended.exit.code, Some(0));
    assert_eq!(ended.ending.end.outcome, RunOutcome::Completed);
}

#[test]
fn what_is_kept_of_the_session_is_the_programs_own_file() {
    let stage = Stage::new(multi());
    let launch = stage.launch();
    let mut host = Host::start(&stage.agent, &launch);
    host.say(&["please GO-MULTI"]);
    host.until_idle();
    host.say(&["and GO-NEXT"]);
    host.until_idle();
    let ended = host.finish();

    let name = format!("{}.jsonl", ended.session_id());
    let projects = launch.folder.join("claude/projects");
    let folders = fs::read_dir(projects).unwrap().map(|folder| folder.unwrap().path().join(&name));
    let own = folders.into_iter().find(|path| path.is_file()).expect("a session file");
    assert_eq!(
        String::from_utf8(ended.session_file(&stage.agent, &launch, true)).unwrap(),
        fs::read_to_string(own).unwrap()
    );
}

#[test]
fn the_environment_is_the_agents_own() {
    let stage = Stage::new(
        Scenario::new().script("GO", [Step::call("Bash", json!({"command": "env", "description": "look"}))]),
    );
    let launch = stage.launch();
    let mut host = Host::start(&stage.agent, &launch);
    host.say(&["GO"]);
    host.until_idle();
    let ended = host.finish();
    let env = ended.messages()[2].tool_result.clone().unwrap();
    assert!(env.contains(&format!("MAKIMA_RUN_ID={}", launch.run)), "{env}");
    assert!(env.contains("MAKIMA_TOOL_KEY=key"), "{env}");
    assert!(!env.contains("DATABASE_URL"), "{env}");
}

#[test]
fn permissions_are_asked_and_the_answers_hold() {
    let stage = Stage::new(
        Scenario::new().script(
            "GO",
            [
                Step::default()
                    .tool("Write", json!({"file_path": "{{cwd}}/yes", "content": "x"}))
                    .tool("Write", json!({"file_path": "{{cwd}}/no", "content": "x"})),
                Step::say("done"),
            ],
        ),
    );
    let launch = Launch { permission_mode: PermissionMode::Ask, ..stage.launch() };
    let mut host = Host::start(&stage.agent, &launch);
    host.say(&["GO"]);
    let yes = host.until_asked();
    assert_eq!((yes.kind, yes.tool_name.as_deref()), (QuestionKind::Permission, Some("Write")));
    assert!(yes.text.ends_with("/yes"), "{}", yes.text);
    assert!(!stage.repo.path().join("yes").exists(), "nothing is written before the answer");
    host.answer(yes.id, Answer::Allow);
    let no = host.until_asked();
    host.answer(no.id, Answer::Deny { message: Some("not that one".to_owned()) });
    assert_eq!(host.until_idle().outcome, TurnOutcome::Completed);
    host.finish();

    assert!(stage.repo.path().join("yes").exists());
    assert!(!stage.repo.path().join("no").exists());
    let results = stage.last_request().tool_results();
    assert_eq!((results[1].is_error, results[1].text.as_str()), (true, "not that one"));
}

#[test]
fn edits_are_not_asked_about_where_they_are_accepted() {
    let stage = Stage::new(Scenario::new().script(
        "GO",
        [
            Step::call("Write", json!({"file_path": "{{cwd}}/a", "content": "touch b"})),
            Step::call("Bash", json!({"command": "sh a", "description": "run it"})),
            Step::say("done"),
        ],
    ));
    let launch = Launch { permission_mode: PermissionMode::AcceptEdits, ..stage.launch() };
    let mut host = Host::start(&stage.agent, &launch);
    host.say(&["GO"]);
    let question = host.until_asked();
    assert_eq!(question.tool_name.as_deref(), Some("Bash"));
    assert!(stage.repo.path().join("a").exists());
    host.answer(question.id, Answer::Deny { message: None });
    host.until_idle();
    host.finish();
    assert!(!stage.repo.path().join("b").exists());
}

#[test]
fn questions_reach_the_owner_where_everything_is_allowed() {
    let options = json!([{"label": "red", "description": "warm"}, {"label": "blue", "description": "cold"}]);
    let ask = json!({"questions": [
        {"question": "Colour?", "header": "Colour", "options": options, "multiSelect": false},
        {"question": "Second colour?", "header": "Second", "options": options, "multiSelect": false},
    ]});
    let stage =
        Stage::new(Scenario::new().script("GO", [Step::call("AskUserQuestion", ask), Step::say("thanks")]));
    let mut host = stage.start();
    host.say(&["GO"]);
    host.until(|host| host.questions().len() == 2);
    let questions = host.questions();
    assert_eq!(questions[0].kind, QuestionKind::Question);
    assert_eq!(questions[0].choices, Some(vec!["red".to_owned(), "blue".to_owned()]));
    host.answer(questions[0].id, Answer::Text { text: "blue".to_owned() });
    host.answer(questions[1].id, Answer::Text { text: "neither".to_owned() });
    host.until_idle();
    host.finish();
    let result = &stage.last_request().tool_results()[0];
    assert!(result.text.contains("\"Colour?\"=\"blue\""), "{}", result.text);
    assert!(result.text.contains("\"Second colour?\"=\"neither\""), "{}", result.text);
}

#[test]
fn an_interrupt_in_the_middle_of_a_message_keeps_it_and_the_next_turn_goes_on() {
    let slow = Step::say("So far and no further, says the owner.").chunk(7).gate("middle", 2);
    let stage = Stage::new(multi().script("GO-SLOW", [slow]));
    let mut host = stage.start();
    host.say(&["GO-SLOW"]);
    host.until(|host| host.deltas.iter().map(|delta| delta.text.len()).sum::<usize>() == 14);
    host.interrupt();
    let turn = host.until_idle();
    assert_eq!(turn.outcome, TurnOutcome::Interrupted);
    assert!(turn.usage.total() > 0, "what was begun is counted");
    stage.api.open("middle");
    host.say(&["GO-NEXT"]);
    assert_eq!(host.until_idle().outcome, TurnOutcome::Completed);
    let ended = host.finish();
    assert_eq!(
        outline(&ended.messages()),
        [
            "user: GO-SLOW",
            "assistant (incomplete): So far and no ",
            "system: [Request interrupted by user]",
            "user: GO-NEXT",
            "assistant: Next.",
        ]
    );
}

#[test]
fn an_interrupt_ends_a_command_and_a_question() {
    let stage = Stage::new(Scenario::new().script(
        "GO",
        [Step::call("Bash", json!({"command": "touch began; sleep 1000", "description": "wait"}))],
    ));
    let mut host = stage.start();
    host.say(&["GO"]);
    host.until(|host| crate::host::messages(&host.records).len() == 2);
    while !stage.repo.path().join("began").exists() {
        std::thread::yield_now();
    }
    host.interrupt();
    assert_eq!(host.until_idle().outcome, TurnOutcome::Interrupted);
    let ended = host.finish();
    let last = outline(&ended.messages()).pop().unwrap();
    assert_eq!(last, "system: [Request interrupted by user for tool use]");
    assert_eq!(ended.ending.end.outcome, RunOutcome::Interrupted);
}

#[test]
fn a_withdrawn_question_is_told_as_such() {
    let stage = Stage::new(Scenario::new().script(
        "GO",
        [Step::call("Bash", json!({"command": "touch a", "description": "touch"})), Step::say("never said")],
    ));
    let launch = Launch { permission_mode: PermissionMode::Ask, ..stage.launch() };
    let mut host = Host::start(&stage.agent, &launch);
    host.say(&["GO"]);
    let question = host.until_asked();
    host.interrupt();
    host.until_idle();
    let ended = host.finish();
    let withdrawn = Record::Answered { question: question.id, answer: None };
    assert!(ended.records.contains(&withdrawn), "{:#?}", ended.records);
}

#[test]
fn messages_said_together_are_one_turn_and_stay_messages_of_their_own() {
    let stage = Stage::new(multi());
    let launch = stage.launch();
    let mut host = Host::start(&stage.agent, &launch);
    host.say(&["first of all", "then GO-NEXT"]);
    host.until_idle();
    let ended = host.finish();
    assert_eq!(ended.turns().len(), 1);
    assert_eq!(outline(&ended.messages()), ["user: first of all", "user: then GO-NEXT", "assistant: Next."]);
    assert_eq!(stage.requests().len(), 1);
    assert_eq!(told(&stage.last_request()), ["user: first of all", "user: then GO-NEXT"]);
}

#[test]
fn a_run_goes_on_from_native_lines_and_from_messages_alone() {
    let stage = Stage::new(multi());
    let mut host = stage.start();
    host.say(&["please GO-MULTI"]);
    let first_turn = host.until_idle();
    let first = host.finish();
    for native in [true, false] {
        let mut host = stage.resume(&first, native);
        host.say(&["and GO-NEXT"]);
        let turn = host.until_idle();
        let second = host.finish();
        assert_eq!(second.session_id(), first.session_id(), "native: {native}");
        assert_eq!(
            outline(&second.messages()),
            ["user: and GO-NEXT", "assistant: Next."],
            "native: {native}"
        );
        let told = told(&stage.last_request());
        assert_eq!(told.len(), 13, "native: {native}: {told:#?}");
        assert_eq!(told[0], "user: please GO-MULTI");
        assert_eq!(told[1], "assistant: Writing a.sh.");
        assert_eq!(told[2], "assistant: [Write]");
        assert_eq!(&told[4..6], ["assistant: [Edit]", "assistant: [Bash]"]);
        assert_eq!(told[7], "user: = two");
        assert_eq!(told[10], "user: = Exit code 3\nout\nerr");
        assert_eq!(&told[11..], ["assistant: All done.", "user: and GO-NEXT"]);
        // The first run's cost is not charged again.
        assert_eq!(turn.usage.total(), 120);
        assert!(turn.cost_usd.unwrap() < first_turn.cost_usd.unwrap());
    }
}

#[test]
fn a_run_that_was_killed_in_a_message_goes_on_with_what_it_said() {
    let slow = Step::say("Halfway there").chunk(7).gate("middle", 1);
    let stage = Stage::new(multi().script("GO-SLOW", [slow]));
    let mut host = stage.start();
    host.say(&["GO-SLOW"]);
    host.until(|host| !host.deltas.is_empty());
    host.kill();
    let first = host.finish();
    stage.api.open("middle");
    assert_eq!(first.ending.end.outcome, RunOutcome::Interrupted);
    assert_eq!(outline(&first.messages()), ["user: GO-SLOW", "assistant (incomplete): Halfway"]);

    let mut host = stage.resume(&first, true);
    host.say(&["go on: GO-NEXT"]);
    host.until_idle();
    host.finish();
    assert_eq!(told(&stage.last_request()), ["user: GO-SLOW", "assistant: Halfway", "user: go on: GO-NEXT"]);
}

#[test]
fn native_lines_and_messages_without_them_make_one_session() {
    let stage = Stage::new(multi());
    let mut host = stage.start();
    host.say(&["GO-NEXT"]);
    host.until_idle();
    let own = host.finish();
    // A conversation that another agent began, and this one went on with.
    let clock = Clock::system();
    let said = |role, text: &str| Message::said(clock.new_id(), role, text, clock.now());
    let mut launch = stage.launch();
    let session_id = own.session_id();
    let mut bytes = Vec::new();
    let mut file = stage.agent.session_file(&session_id, &launch.worktree);
    file.message(&said(MessageRole::User, "begun elsewhere"), &mut bytes);
    file.message(&said(MessageRole::Assistant, "so it is"), &mut bytes);
    let natives = own.records.iter().flat_map(|record| match record {
        Record::Native { lines, .. } => lines.clone(),
        _ => Vec::new(),
    });
    let lost = "11111111-1111-4111-8111-111111111111";
    for NativeLine { uuid, line } in natives {
        // As if it had hung on a line that is lost.
        let line = line.replacen("\"parentUuid\":null", &format!("\"parentUuid\":\"{lost}\""), 1);
        file.native(&NativeLine { uuid, line }, &mut bytes);
    }
    file.message(&said(MessageRole::User, "and a word of which no line is held"), &mut bytes);
    file.message(&said(MessageRole::Assistant, "heard"), &mut bytes);
    file.finish(&mut bytes);
    let path = stage.agent.session_path(&launch.folder, &session_id);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    launch.resume = Some(Resume { session_id, file: path });
    let mut host = Host::start(&stage.agent, &launch);
    host.say(&["at last"]);
    host.until_idle();
    host.finish();
    assert_eq!(
        told(&stage.last_request()),
        [
            "user: begun elsewhere",
            "assistant: so it is",
            "user: GO-NEXT",
            "assistant: Next.",
            "user: and a word of which no line is held",
            "assistant: heard",
            "user: at last",
        ]
    );
}

#[test]
fn a_conversation_of_another_agent_is_gone_on_with_under_a_fresh_session() {
    let stage = Stage::new(multi());
    let clock = Clock::system();
    let mut launch = stage.launch();
    let session_id = launch.run.to_string();
    let mut bytes = Vec::new();
    let mut file = stage.agent.session_file(&session_id, &launch.worktree);
    let call = makima_model::ToolCall {
        id: "call 0/1".to_owned(),
        name: "Read".to_owned(),
        input: json!({"file_path": "x"}),
    };
    let said = |role, text: &str| Message::said(clock.new_id(), role, text, clock.now());
    file.message(&said(MessageRole::User, "hello"), &mut bytes);
    let calls = Message { tool_calls: vec![call], ..said(MessageRole::Assistant, "") };
    file.message(&calls, &mut bytes);
    let result = Message {
        tool_call_id: Some("call 0/1".to_owned()),
        tool_result: Some("what it read".to_owned()),
        ..said(MessageRole::Tool, "")
    };
    file.message(&result, &mut bytes);
    file.message(&said(MessageRole::System, "API Error: 529"), &mut bytes);
    file.message(&said(MessageRole::Assistant, "read"), &mut bytes);
    file.finish(&mut bytes);
    let path = stage.agent.session_path(&launch.folder, &session_id);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    launch.resume = Some(Resume { session_id: session_id.clone(), file: path });
    let mut host = Host::start(&stage.agent, &launch);
    host.say(&["GO-NEXT"]);
    host.until_idle();
    let ended = host.finish();
    assert_eq!(ended.session_id(), session_id);
    assert_eq!(
        told(&stage.last_request()),
        ["user: hello", "assistant: [Read]", "user: = what it read", "assistant: read", "user: GO-NEXT"]
    );
}

/// A repository whose settings and tool servers leave a mark when they are started.
fn hostile(stage: &Stage) -> PathBuf {
    let marks = stage.folder.path().join("marks");
    fs::create_dir(&marks).unwrap();
    let mark = |name: &str| format!("touch '{}'", marks.join(name).display());
    let hook = |name: &str| json!([{"matcher": "", "hooks": [{"type": "command", "command": mark(name)}]}]);
    let settings = json!({
        "hooks": {
            "SessionStart": hook("session-start"),
            "UserPromptSubmit": hook("prompt"),
            "PreToolUse": hook("tool"),
            "Stop": hook("stop"),
        },
        "enableAllProjectMcpServers": true,
    });
    let server = json!({"mcpServers": {"evil": {"command": "sh", "args": ["-c", mark("server")]}}});
    stage.repo.write(".claude/settings.json", settings.to_string());
    stage.repo.write(".claude/settings.local.json", settings.to_string());
    stage.repo.write(".mcp.json", server.to_string());
    stage
        .repo
        .write(".claude/skills/evil/SKILL.md", "---\nname: evil\ndescription: EVIL-SKILL\n---\nEVIL-SKILL");
    stage.repo.write("CLAUDE.md", "REPO-SAYS: use tabs.\n");
    marks
}

fn touch() -> Scenario {
    let touch = json!({"command": "true", "description": "nothing"});
    Scenario::new().script("GO", [Step::call("Bash", touch), Step::say("done")])
}

fn marks(stage: &Stage, trusted: bool) -> Vec<String> {
    let marks = hostile(stage);
    let instructions = makima_agents::instructions(stage.repo.path(), stage.agent.instruction_files());
    let launch = Launch { trusted, instructions, ..stage.launch() };
    let mut host = Host::start(&stage.agent, &launch);
    host.say(&["GO"]);
    host.until_idle();
    host.finish();
    let mut names: Vec<String> =
        fs::read_dir(marks).unwrap().map(|mark| mark.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_repository_that_is_not_trusted_starts_nothing_and_is_still_heard() {
    let stage = Stage::new(touch());
    assert_eq!(marks(&stage, false), [""; 0]);
    let body = stage.last_request().body.to_string();
    assert_eq!(body.matches("REPO-SAYS: use tabs.").count(), 1);
    assert!(!body.contains("EVIL-SKILL"), "its skills are not offered");
}

#[test]
fn a_repository_that_is_trusted_starts_what_it_says() {
    let stage = Stage::new(touch());
    let marks = marks(&stage, true);
    assert!(marks.contains(&"prompt".to_owned()) && marks.contains(&"server".to_owned()), "{marks:?}");
    let body = stage.last_request().body.to_string();
    assert_eq!(body.matches("REPO-SAYS: use tabs.").count(), 1, "told once, by the program itself");
}

#[test]
fn what_the_repository_says_is_told_again_when_a_run_goes_on() {
    let stage = Stage::new(multi());
    let mut host = stage.start();
    host.say(&["GO-NEXT"]);
    host.until_idle();
    let first = host.finish();
    let mut launch = stage.launch();
    let session_id = first.session_id();
    let file = stage.agent.session_path(&launch.folder, &session_id);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, first.session_file(&stage.agent, &launch, true)).unwrap();
    launch.resume = Some(Resume { session_id, file });
    launch.instructions = Some("REPO-SAYS: use spaces.".to_owned());
    let mut host = Host::start(&stage.agent, &launch);
    host.say(&["again GO-NEXT"]);
    host.until_idle();
    host.finish();
    assert!(stage.last_request().body.to_string().contains("REPO-SAYS: use spaces."));
}

fn failing(status: u16, kind: &str, message: &str) -> (FailureKind, Ended) {
    let stage = Stage::new(Scenario::new().script("GO", [Step::fail(status, kind, message)]));
    let mut host = stage.start();
    host.say(&["GO"]);
    let turn = host.until_idle();
    assert_eq!(turn.outcome, TurnOutcome::Failed);
    let kind = turn.failure.unwrap().kind;
    (kind, host.finish())
}

#[test]
fn an_error_of_the_service_fails_the_turn_and_is_no_word_of_the_model() {
    let (kind, ended) = failing(529, "overloaded_error", "Overloaded");
    assert_eq!(kind, FailureKind::ServerError);
    let messages = ended.messages();
    assert_eq!((messages.len(), messages[1].role), (2, MessageRole::System));
    assert!(messages[1].content.starts_with("API Error: 529"), "{}", messages[1].content);
    let retry = |record: &Record| matches!(record, Record::Notice { failure: Some(failure), .. } if failure.kind == kind);
    assert!(ended.records.iter().any(retry), "the second try is told");
    assert_eq!(ended.ending.end.outcome, RunOutcome::Failed);
}

#[test]
fn errors_of_the_service_are_told_apart() {
    for (status, kind, message, expected) in [
        (400, "invalid_request_error", "nonsense", FailureKind::InvalidRequest),
        (401, "authentication_error", "invalid x-api-key", FailureKind::Authentication),
        (404, "not_found_error", "model: none", FailureKind::ModelNotFound),
        (429, "rate_limit_error", "slow down", FailureKind::RateLimit),
        (400, "invalid_request_error", "Your credit balance is too low", FailureKind::Billing),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 210000 tokens > 200000 maximum",
            FailureKind::PromptTooLong,
        ),
    ] {
        assert_eq!(failing(status, kind, message).0, expected, "{status} {message}");
    }
}

#[test]
fn a_connection_that_is_cut_is_made_again_and_nothing_is_doubled() {
    let cut = Step::say("said in pieces and cut").chunk(4).drop_after(2);
    let stage = Stage::new(Scenario::new().script("GO", [cut]));
    let mut host = stage.start();
    host.say(&["GO"]);
    host.until_idle();
    let ended = host.finish();
    assert_eq!(outline(&ended.messages()), ["user: GO", "assistant: said in pieces and cut"]);
}

#[test]
fn the_program_tells_its_version() {
    let stage = Stage::new(Scenario::new());
    let query = stage.agent.version_query(&Environment::new()).unwrap();
    let output =
        std::process::Command::new(&query.command[0]).args(&query.command[1..]).env_clear().output().unwrap();
    assert_eq!(stage.agent.read_version(&output.stdout).as_deref(), Some(makima_testkit::CLAUDE_VERSION));
}
