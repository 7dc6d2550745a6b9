//! The real Claude Code, started by the built program's daemon, against a model API that plays a script: what the API
//! stored, and what the model was sent.

use crate::lab::{Lab, PATIENCE, until};
use futures::StreamExt;
use makima_client::Client;
use makima_model::{MessageRole, PermissionMode, QuestionKind, TaskStatus};
use makima_testkit::{Block, FakeModelApi, Scenario, Step, TestDatabase, claude_cli};
use makima_wire::{AnswerQuestion, Code, Conversation, ConversationMessage, CreateTask, Delta, List, Task};
use serde_json::{Value, json};

/// A lab whose `claude` is the real one, with nobody to talk to but the script.
async fn lab_with(scenario: Scenario, database: Option<&TestDatabase>) -> (Lab, FakeModelApi) {
    lab_of("ANTHROPIC_API_KEY", scenario, database).await
}

/// The same with the account that this variable tells: a key, or a subscription.
async fn lab_of(account: &str, scenario: Scenario, database: Option<&TestDatabase>) -> (Lab, FakeModelApi) {
    let api = FakeModelApi::start(scenario).await;
    let mut lab = configured(&api, account);
    if let Some(database) = database {
        lab = lab.on_database(&database.url());
    }
    lab.up();
    (lab, api)
}

/// A lab whose `claude` is the real one, with nothing started yet.
pub(crate) fn configured(api: &FakeModelApi, account: &str) -> Lab {
    let lab = Lab::new(json!({}));
    let config = format!(
        "[agents.claude]\ncommand = [{:?}]\n[agents.claude.env]\nANTHROPIC_BASE_URL = {:?}\n\
         {account} = \"fake\"\nCLAUDE_CODE_MAX_RETRIES = \"1\"\n",
        claude_cli(),
        api.url(),
    );
    std::fs::write(lab.data().join("makima.toml"), config).unwrap();
    lab
}

async fn task(lab: &Lab, plan: &str, mode: Option<PermissionMode>) -> Task {
    let task = CreateTask {
        plan: plan.into(),
        repository: Some(lab.repo.path().to_str().unwrap().into()),
        permission_mode: mode,
        ..CreateTask::default()
    };
    lab.client().create_task(&task).await.unwrap()
}

async fn over(client: &Client, task: &Task) -> Task {
    until("the task has ended", async || {
        let now = client.task(task.id).await.unwrap();
        now.status.is_over().then_some(now)
    })
    .await
}

async fn asked(client: &Client, task: &Task) -> Task {
    until("the task waits for an answer", async || {
        let now = client.task(task.id).await.unwrap();
        assert!(!now.status.is_over(), "{now:?}");
        (now.status == TaskStatus::Waiting).then_some(now)
    })
    .await
}

fn tools(conversation: &Conversation) -> Vec<(&str, bool)> {
    let of = |message: &ConversationMessage| message.role == MessageRole::Tool;
    conversation
        .messages
        .iter()
        .filter(|message| of(message))
        .map(|message| (message.tool_name.as_deref().unwrap(), message.is_error.unwrap()))
        .collect()
}

fn texts(conversation: &Conversation, role: MessageRole) -> Vec<&str> {
    let said = conversation.messages.iter().filter(|message| message.role == role);
    said.map(|message| message.content.as_str()).collect()
}

fn tool(name: &str, input: Value) -> Step {
    Step::call(name, input)
}

fn bash(command: &str) -> Step {
    tool("Bash", json!({ "command": command, "description": "run" }))
}

/// Several tools, an edit, a command that fails; a follow-up within a turn, and one after the end.
async fn work(database: Option<TestDatabase>) {
    let write = tool("Write", json!({ "file_path": "{{cwd}}/a.py", "content": "print('one')\n" }));
    let thinking =
        Block::Thinking { thinking: "Plan: write, edit, run.".into(), signature: "c2lnbmF0dXJl".into() };
    let scenario = Scenario::new()
        .script(
            "GO-WORK",
            [
                Step {
                    content: [vec![thinking], write.text("Writing a.py.").content].concat(),
                    ..Step::default()
                },
                tool(
                    "Edit",
                    json!({ "file_path": "{{cwd}}/a.py", "old_string": "one", "new_string": "two" }),
                )
                .tool("Bash", json!({ "command": "python3 a.py || cat a.py", "description": "run" })),
                bash("echo out; echo err >&2; exit 3"),
                Step::say("It failed with 3, as it should.")
                    .usage("output_tokens", 77)
                    .gate("end-of-turn", 1),
            ],
        )
        .script("GO-NEXT", [Step::say("Next: {{n}} messages.")]);
    let (lab, api) = lab_with(scenario, database.as_ref()).await;
    let client = lab.client();
    let task = task(&lab, "GO-WORK in this repository", None).await;
    api.until_at_gate("end-of-turn").await;
    client.send_message(task.id, "GO-NEXT within the turn").await.unwrap();
    api.open("end-of-turn");
    let done = over(&client, &task).await;

    assert_eq!((done.status, done.agent.as_deref()), (TaskStatus::Completed, Some("claude")), "{done:?}");
    let conversation = client.conversation(task.id).await.unwrap();
    assert_eq!(
        tools(&conversation),
        [("Write", false), ("Edit", false), ("Bash", false), ("Bash", true)],
        "{conversation:#?}"
    );
    assert_eq!(
        texts(&conversation, MessageRole::User),
        ["GO-WORK in this repository", "GO-NEXT within the turn"]
    );
    let said = texts(&conversation, MessageRole::Assistant);
    assert_eq!((said[0], said[3]), ("Writing a.py.", "It failed with 3, as it should."), "{said:?}");
    let thought = conversation.messages.iter().find_map(|message| message.thinking.as_deref());
    assert_eq!(thought, Some("Plan: write, edit, run."));
    let failed = conversation.messages.iter().rfind(|message| message.role == MessageRole::Tool).unwrap();
    let result = failed.tool_result.as_deref().unwrap();
    assert!(result.contains("out") && result.contains("err"), "{result}");
    assert_eq!(failed.tool_input.as_ref().unwrap()["command"], "echo out; echo err >&2; exit 3");
    assert!(done.total_tokens > 0 && done.total_cost > 0.0, "{done:?}");
    assert!(conversation.messages.iter().any(|message| message.cost_usd.is_some_and(|cost| cost > 0.0)));
    // One checkpoint: the second turn changed no file.
    let checkpoints = client.checkpoints(task.id, &List::default()).await.unwrap().checkpoints;
    assert_eq!(checkpoints.len(), 1, "{checkpoints:#?}");
    assert_eq!(checkpoints[0].files_changed[0].path, "a.py");
    assert_eq!(lab.committed(&task.branch_name, "a.py"), "print('two')");
    // What the model was sent: our words, and its own tools' results.
    let requests: Vec<_> = api.requests().into_iter().filter(|request| request.is_conversation()).collect();
    let results = requests.iter().rfind(|request| request.picked.as_deref() == Some("GO-WORK[3]")).unwrap();
    let failures: Vec<bool> = results.tool_results().iter().map(|result| result.is_error).collect();
    assert_eq!(failures, [false, false, false, true]);
    assert_eq!(requests.last().unwrap().picked.as_deref(), Some("GO-NEXT[0]"));

    // After the end: a new run, which the model is sent the whole conversation of.
    let before = api.requests().len();
    client.send_message(task.id, "GO-NEXT after the end").await.unwrap();
    let again = over(&client, &task).await;
    assert_eq!((again.status, again.run_number), (TaskStatus::Completed, 2), "{again:?}");
    let resumed = client.conversation(task.id).await.unwrap();
    assert_eq!(resumed.messages[..conversation.messages.len()], conversation.messages[..]);
    assert_eq!(resumed.messages.last().unwrap().run_number, 2);
    assert!(again.total_cost > done.total_cost && again.total_cost < done.total_cost * 3.0, "{again:?}");
    let sent = api.requests().split_off(before);
    let sent = sent.iter().rfind(|request| request.picked.as_deref() == Some("GO-NEXT[0]")).unwrap();
    let users = sent.texts("user").join("\n");
    for words in ["GO-WORK in this repository", "GO-NEXT within the turn", "GO-NEXT after the end"] {
        assert!(users.contains(words), "{words} is missing: {users}");
    }
    assert_eq!(sent.tool_results().len(), 4);
    assert!(sent.texts("assistant").iter().any(|text| text.contains("It failed with 3")));
}

/// Permissions: one allowed, one denied, both through the API.
async fn permissions(database: Option<TestDatabase>) {
    let scenario = Scenario::new().script(
        "GO-ASK",
        [
            tool("Write", json!({ "file_path": "{{cwd}}/b.txt", "content": "b\n" })),
            bash("rm b.txt"),
            Step::say("So it stays."),
        ],
    );
    let (lab, api) = lab_with(scenario, database.as_ref()).await;
    let client = lab.client();
    let task = task(&lab, "GO-ASK", Some(PermissionMode::Ask)).await;
    for (tool, answer, message) in [("Write", "allow", None), ("Bash", "deny", Some("Leave it there."))] {
        let waiting = asked(&client, &task).await;
        let question = waiting.pending_question.unwrap();
        assert_eq!((question.kind, question.tool_name.as_deref()), (QuestionKind::Permission, Some(tool)));
        let answer = AnswerQuestion {
            question_id: question.id,
            answer: answer.into(),
            message: message.map(str::to_owned),
        };
        client.answer(task.id, &answer).await.unwrap();
        assert_eq!(client.answer(task.id, &answer).await.unwrap_err().code(), Some(Code::Conflict));
    }
    let done = over(&client, &task).await;
    assert_eq!(done.status, TaskStatus::Completed, "{done:?}");
    let conversation = client.conversation(task.id).await.unwrap();
    assert_eq!(tools(&conversation), [("Write", false), ("Bash", true)]);
    assert_eq!(lab.committed(&task.branch_name, "b.txt"), "b");
    let requests = api.requests();
    let last = requests.iter().rfind(|request| request.picked.as_deref() == Some("GO-ASK[2]")).unwrap();
    assert!(last.tool_results()[1].text.contains("Leave it there."), "{:?}", last.tool_results());
}

/// A stop in the middle of an answer: what was streamed is kept, and the task goes on from there.
async fn interrupt(database: Option<TestDatabase>) {
    let scenario = Scenario::new()
        .script(
            "GO-SLOW",
            [
                tool("Write", json!({ "file_path": "{{cwd}}/slow.txt", "content": "slow\n" })),
                Step::say("This answer will never come to its end.").chunk(10).gate("never", 2),
            ],
        )
        .script("GO-NEXT", [Step::say("On it.")]);
    let (lab, api) = lab_with(scenario, database.as_ref()).await;
    let client = lab.client();
    let mut feed = Box::pin(client.feed(None, None).await.unwrap());
    let task = task(&lab, "GO-SLOW", None).await;
    api.until_at_gate("never").await;
    // What was sent is still on its way: first to the agent, then through its host and daemon.
    let mut streamed = String::new();
    while !streamed.ends_with("This answer will nev") {
        let event = tokio::time::timeout(PATIENCE, feed.next()).await.expect("more of it").unwrap().unwrap();
        if event.event == "delta" {
            let delta: Delta = serde_json::from_str(&event.data).unwrap();
            streamed.push_str(&delta.text);
        }
    }
    let stopped = client.stop_task(task.id).await.unwrap();
    assert_eq!(stopped.status, TaskStatus::Interrupted, "{stopped:?}");
    assert!(stopped.status_reason.is_some());
    let conversation = client.conversation(task.id).await.unwrap();
    let cut = conversation.messages.iter().rfind(|message| message.role == MessageRole::Assistant).unwrap();
    assert_eq!(cut.content, "This answer will nev", "{conversation:#?}");
    assert!(cut.incomplete, "{cut:?}");
    let checkpoints = client.checkpoints(task.id, &List::default()).await.unwrap().checkpoints;
    assert_eq!(checkpoints[0].files_changed[0].path, "slow.txt");

    client.send_message(task.id, "GO-NEXT").await.unwrap();
    let done = over(&client, &task).await;
    assert_eq!((done.status, done.run_number), (TaskStatus::Completed, 2), "{done:?}");
    let sent = api.requests();
    let sent = sent.iter().rfind(|request| request.picked.as_deref() == Some("GO-NEXT[0]")).unwrap();
    assert!(sent.texts("user").join("\n").contains("GO-SLOW"));
    assert_eq!(sent.tool_results().len(), 1);
}

/// A failure of the model's service is told as such, and fails the task.
async fn failure(database: Option<TestDatabase>) {
    let refused = Step::fail(400, "invalid_request_error", "scripted bad request");
    let (lab, _api) = lab_with(Scenario::new().script("GO-ERR", [refused]), database.as_ref()).await;
    let task = task(&lab, "GO-ERR", None).await;
    let failed = over(&lab.client(), &task).await;
    assert_eq!(failed.status, TaskStatus::Failed, "{failed:?}");
    assert!(failed.status_reason.unwrap().contains("scripted bad request"));
}

/// A subscription's limit interrupts the task, and says when it goes on.
async fn usage_limit(database: Option<TestDatabase>) {
    let resets = 4_102_444_800_u64; // 2100-01-01
    let limited = Step::fail(429, "rate_limit_error", "You have reached your limit")
        .header("anthropic-ratelimit-unified-status", "rejected")
        .header("anthropic-ratelimit-unified-reset", &resets.to_string())
        .header("anthropic-ratelimit-unified-representative-claim", "five_hour");
    let scenario = Scenario::new().script("GO-LIMIT", [limited]);
    let (lab, _api) = lab_of("CLAUDE_CODE_OAUTH_TOKEN", scenario, database.as_ref()).await;
    let task = task(&lab, "GO-LIMIT", None).await;
    let stopped = over(&lab.client(), &task).await;
    assert_eq!(stopped.status, TaskStatus::Interrupted, "{stopped:?}");
    assert!(stopped.status_reason.as_ref().unwrap().contains("2100-01-01"), "{stopped:?}");
}

macro_rules! on_both {
    ($($name:ident)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                super::$name(None).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() {
                super::$name(Some(TestDatabase::create())).await;
            }
        }
    )*};
}

on_both! { work permissions interrupt failure usage_limit }
