//! The examples of the API's description: what a server answers in one story, every route at least once.
//!
//! A change here is a change of the API: look at it, then accept it with `make openapi`.

mod answers;

use crate::{diffs::keep, lab::*, runs::checkpoint};
use answers::Answers;
use makima_model::{
    CheckpointMade, Clock, FileAction, FileChange, Message, MessageRole, Question, QuestionKind, Record,
    RunOutcome, ToolCall, TurnEnd, TurnOutcome, Usage,
};
use makima_wire::frame::{Checkpointed, Command, CommandOutcome, CommandResult, StartRun};
use reqwest::Method;
use serde_json::{Value, json};

const PATCH: &str = "diff --git a/sum.sh b/sum.sh\nindex 5e2f1aa..b8c6b61 100644\n--- a/sum.sh\n+++ b/sum.sh\n\
    @@ -1,3 +1,3 @@\n total=0\n-while read -r n; do total=$((total + n)); done\n\
    +while read -r n || [ -n \"$n\" ]; do total=$((total + n)); done\n echo \"$total\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_route_has_an_example_that_a_server_answered() {
    let lab = Lab::at(Clock::standing_at("2026-01-15T09:30:00Z".parse().unwrap())).await;
    let mut answers = Answers::new(&lab);
    answers.get("/healthz").await;
    answers.get("/readyz").await;
    answers.get("/api/v1/me").await;
    let mut daemon = lab.daemon().await;
    answers.get("/api/v1/mesh/daemons").await;
    let contract = a_contract(&mut answers, &mut daemon).await;
    let (task, start) = a_task(&lab, &mut answers, &mut daemon, &contract).await;
    a_question(&lab, &mut answers, &mut daemon, &task, &start).await;
    what_it_did(&mut answers, &task).await;
    it_ends(&lab, &mut answers, &mut daemon, &task, &start).await;
    other_tasks(&mut answers, &mut daemon).await;
    chats(&mut answers, &contract).await;
    an_import(&lab, &mut answers).await;
    access(&mut answers).await;
    what_was_changed(&mut answers, &task, &contract).await;
    answers.assert_complete();
    insta::with_settings!({ snapshot_path => "../../src/routes/description/examples", prepend_module_to_snapshot => false }, {
        insta::assert_binary_snapshot!("answers.json", answers.into_file());
    });
}

async fn a_contract(answers: &mut Answers, daemon: &mut LabDaemon) -> String {
    let wanted = json!({
        "name": "Sums without surprises",
        "description": "sum.sh adds up whatever it is given.",
        "repository": "/srv/project",
    });
    let made = daemon.beside(answers.ask(Method::POST, "/api/v1/contracts", wanted)).await;
    let contract = id(&made);
    answers.get(&format!("/api/v1/contracts/{contract}")).await;
    answers
        .ask(Method::POST, &format!("/api/v1/contracts/{contract}/phase"), json!({ "phase": "execute" }))
        .await;
    answers
        .ask(Method::PATCH, &format!("/api/v1/contracts/{contract}"), json!({ "name": "Sums that add up" }))
        .await;
    answers.get("/api/v1/contracts").await;
    contract
}

/// A task whose agent has made one turn, and works on the next.
async fn a_task(
    lab: &Lab,
    answers: &mut Answers,
    daemon: &mut LabDaemon,
    contract: &str,
) -> (String, StartRun) {
    let wanted = json!({ "name": "Fix the sum", "plan": "Fix the check that fails", "contractId": contract });
    let made = daemon.beside(answers.ask(Method::POST, "/api/v1/mesh/tasks", wanted)).await;
    let task: makima_wire::Task = serde_json::from_value(made).unwrap();
    let start = daemon.start().await;
    let call = ToolCall {
        id: "toolu_01".into(),
        name: "Edit".into(),
        input: json!({ "file_path": "sum.sh", "old_string": "read -r n;", "new_string": "read -r n || [ -n \"$n\" ];" }),
    };
    let mut edits = Message::said(
        lab.clock.new_id(),
        MessageRole::Assistant,
        "The last line needs no end.",
        lab.clock.now(),
    );
    edits.tool_calls = vec![call];
    let mut result = Message::said(lab.clock.new_id(), MessageRole::Tool, "", lab.clock.now());
    (result.tool_call_id, result.tool_result) = (Some("toolu_01".into()), Some("sum.sh was changed".into()));
    let usage = Usage { input_tokens: 14_000, output_tokens: 720, ..Usage::default() };
    let end = TurnEnd {
        turn: 1,
        outcome: TurnOutcome::Completed,
        usage,
        cost_usd: Some(0.0124),
        duration_ms: 4200,
        tools: [("Edit".to_owned(), 1)].into(),
        failure: None,
    };
    let mut made = CheckpointMade {
        branch_name: task.branch_name.clone(),
        message: "Fix the sum (turn 1)".into(),
        patch: Some(keep(lab, PATCH).await),
        ..checkpoint(lab, 1, Some(1))
    };
    made.files_changed = vec![FileChange {
        path: "sum.sh".into(),
        path_bytes: None,
        action: FileAction::Modified,
        old_path: None,
        additions: 1,
        deletions: 1,
        binary: false,
    }];
    (made.lines_added, made.lines_removed) = (1, 1);
    let mut records = begun(&task);
    records.extend([
        heard(start.inputs[0].id, lab.clock.now(), "Fix the check that fails"),
        Record::Message { message: edits },
        Record::Message { message: result },
        said(&lab.clock, MessageRole::Assistant, "All checks pass now."),
        Record::TurnEnded(end),
        Record::Checkpoint(made),
    ]);
    daemon.tell(start.run, 1, records).await;
    (task.id.to_string(), start)
}

async fn a_question(lab: &Lab, answers: &mut Answers, daemon: &mut LabDaemon, task: &str, start: &StartRun) {
    let of_task = format!("/api/v1/mesh/tasks/{task}");
    let more = json!({ "content": "Does it hold for an empty input?" });
    let sent = daemon.beside(answers.ask(Method::POST, &format!("{of_task}/messages"), more)).await;
    let (command, Command::Input { .. }) = daemon.command().await else { panic!("no input") };
    let input = sent["messageId"].as_str().unwrap().parse().unwrap();
    let question = Question {
        id: lab.clock.new_id(),
        kind: QuestionKind::Permission,
        text: "May I run the checks?".into(),
        choices: None,
        tool_name: Some("Bash".into()),
        tool_input: Some(json!({ "command": "sh test.sh" })),
    };
    let records = vec![
        heard(input, lab.clock.now(), "Does it hold for an empty input?"),
        Record::Asked { question: question.clone() },
    ];
    daemon.tell(start.run, 10, records).await;
    daemon.finish(command, CommandOutcome::Done(CommandResult::Done)).await;
    answers.get(&of_task).await;
    let answer = json!({ "questionId": question.id, "answer": "allow" });
    let answering = async {
        let (command, Command::Answer { question, answer, .. }) = daemon.command().await else {
            panic!("no answer")
        };
        daemon.tell(start.run, 12, vec![Record::Answered { question, answer: Some(answer) }]).await;
        daemon.finish(command, CommandOutcome::Done(CommandResult::Done)).await;
    };
    let answer_path = format!("{of_task}/answer");
    tokio::join!(answers.ask(Method::POST, &answer_path, answer), answering);
    let making = async {
        let (command, Command::Checkpoint { id, .. }) = daemon.command().await else {
            panic!("no checkpoint")
        };
        let branch_name = start.branch_name.clone();
        let mut made =
            CheckpointMade { id, branch_name, files_changed: Vec::new(), ..checkpoint(lab, 2, None) };
        (made.lines_added, made.message) = (0, "Before the checks".into());
        let result = CommandResult::Checkpoint(Box::new(Checkpointed { made }));
        daemon.finish(command, CommandOutcome::Done(result)).await;
    };
    let path = format!("{of_task}/checkpoints");
    tokio::join!(answers.ask(Method::POST, &path, json!({ "message": "Before the checks" })), making);
}

async fn what_it_did(answers: &mut Answers, task: &str) {
    let of_task = format!("/api/v1/mesh/tasks/{task}");
    for what in ["conversation", "output?limit=3", "events?limit=3", "checkpoints", "checkpoints/1/diff"] {
        answers.get(&format!("{of_task}/{what}")).await;
    }
    answers.get("/api/v1/mesh/tasks").await;
    answers.feed(&format!("/api/v1/events?task_id={task}")).await;
}

async fn it_ends(lab: &Lab, answers: &mut Answers, daemon: &mut LabDaemon, task: &str, start: &StartRun) {
    let of_task = format!("/api/v1/mesh/tasks/{task}");
    let why = json!({ "metadata": { "why": "before the checks" } });
    let taken = id(&answers.ask(Method::POST, &format!("{of_task}/snapshots"), why).await);
    daemon
        .tell(start.run, 13, vec![said(&lab.clock, MessageRole::Assistant, "It prints 0, as it should.")])
        .await;
    let ending = async {
        let (command, Command::Stop { run, .. }) = daemon.command().await else { panic!("no stop") };
        daemon.tell(run, 14, vec![ended(RunOutcome::Interrupted)]).await;
        daemon.finish(command, CommandOutcome::Done(CommandResult::Done)).await;
    };
    let stop = format!("{of_task}/stop");
    tokio::join!(answers.ask(Method::POST, &stop, Value::Null), ending);
    answers.get(&format!("{of_task}/snapshots")).await;
    answers.get(&format!("{of_task}/snapshots/{taken}")).await;
    answers.ask(Method::POST, &format!("{of_task}/snapshots/{taken}/restore"), json!({})).await;
    answers.get(&format!("{of_task}/conversation/branches")).await;
}

async fn other_tasks(answers: &mut Answers, daemon: &mut LabDaemon) {
    let wanted = json!({ "plan": "Add an option --average", "repository": "/srv/project", "start": false });
    let make = async |answers: &Answers, daemon: &mut LabDaemon| {
        id(&daemon.beside(answers.quietly(Method::POST, "/api/v1/mesh/tasks", &wanted)).await)
    };
    let cancelled = make(answers, daemon).await;
    answers.ask(Method::POST, &format!("/api/v1/mesh/tasks/{cancelled}/cancel"), Value::Null).await;
    let given = make(answers, daemon).await;
    let to = json!({ "targetDaemonId": daemon.id });
    let path = format!("/api/v1/mesh/tasks/{given}/reassign");
    daemon.beside(answers.ask(Method::POST, &path, to)).await;
}

async fn chats(answers: &mut Answers, contract: &str) {
    for chat in [format!("/api/v1/contracts/{contract}/chat"), "/api/v1/mesh/chat".to_owned()] {
        let say = json!({ "content": "Which checks fail?" });
        let first =
            answers.ask(Method::POST, &chat, say).await["conversationId"].as_str().unwrap().to_owned();
        let conversations = format!("{chat}/conversations");
        answers.ask(Method::POST, &conversations, json!({ "name": "Later" })).await;
        let rename = json!({ "name": "Checks" });
        answers.ask(Method::PATCH, &format!("{conversations}/{first}"), rename).await;
        answers.ask(Method::POST, &format!("{conversations}/{first}/activate"), Value::Null).await;
        answers.get(&conversations).await;
        answers.get(&chat).await;
    }
}

async fn an_import(lab: &Lab, answers: &mut Answers) {
    let session = json!({
        "source": "claude-code",
        "sessionId": "5b1f0c1e-6d0c-4f5e-9a3e-0d8f3f6f2a11",
        "copy": 0,
        "plan": "Find the slow query",
        "repository": "/srv/shop",
        "startedAt": "2025-11-03T14:05:00Z",
    });
    let import = id(&answers.ask(Method::POST, "/api/v1/imports", session).await);
    let part = json!({ "bytes": 512, "digest": "5".repeat(64) });
    let message = json!({
        "id": lab.clock.new_id::<makima_model::MessageId>(),
        "role": "user",
        "content": "Find the slow query",
        "timestamp": "2025-11-03T14:05:00Z",
    });
    let more = json!({
        "from": 0,
        "reached": part,
        "isEnd": true,
        "entries": [{ "type": "message", "message": message }],
    });
    answers.ask(Method::POST, &format!("/api/v1/imports/{import}/entries"), more).await;
    let end = json!({ "bytes": 512, "interrupted": false, "endedAt": "2025-11-03T14:20:00Z" });
    answers.ask(Method::POST, &format!("/api/v1/imports/{import}/finish"), end).await;
    answers.get("/api/v1/imports").await;
}

async fn access(answers: &mut Answers) {
    let key = id(&answers.ask(Method::POST, "/api/v1/keys", json!({ "name": "laptop" })).await);
    answers.ask(Method::POST, &format!("/api/v1/keys/{key}/revoke"), Value::Null).await;
    answers.get("/api/v1/keys").await;
    let link = answers.ask(Method::POST, "/api/v1/sign-in-links", Value::Null).await;
    answers.ask(Method::POST, "/api/v1/session", json!({ "token": link["token"] })).await;
}

async fn what_was_changed(answers: &mut Answers, task: &str, contract: &str) {
    answers.get(&format!("/api/v1/contracts/{contract}/history?limit=3")).await;
    answers.get("/api/v1/timeline?event_types=checkpoint,file_change").await;
    let deleted = id(&answers.ask(Method::DELETE, &format!("/api/v1/mesh/tasks/{task}"), Value::Null).await);
    answers.ask(Method::POST, &format!("/api/v1/operations/{deleted}/undo"), json!({})).await;
    answers.get(&format!("/api/v1/operations/{deleted}")).await;
    answers.get("/api/v1/operations").await;
    answers.ask(Method::DELETE, &format!("/api/v1/contracts/{contract}"), Value::Null).await;
}

/// The id of what was made.
fn id(made: &Value) -> String {
    made["id"].as_str().unwrap_or_else(|| panic!("no id in {made:#}")).to_owned()
}
