//! Requests with an `Idempotency-Key`: each is carried out once, however often it is sent, whatever dies in between.

use crate::{lab::*, on_both};
use makima_client::Client;
use makima_model::{
    CheckpointKind, CheckpointMade, Question, QuestionKind, Record, RunOutcome, TaskId, TaskStatus,
};
use makima_wire::{
    CreateContract, CreateSnapshot, CreateTask, Deletion, List, ListTasks,
    frame::{Checkpointed, Command, CommandOutcome, CommandResult},
};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A request that can be sent again and again.
#[derive(Clone)]
struct Asked {
    url: String,
    api_key: String,
    method: Method,
    path: String,
    key: String,
    if_match: Option<String>,
    body: String,
}

impl Asked {
    fn new(lab: &Lab, method: Method, path: &str, key: &str, body: Value) -> Self {
        let (url, api_key) = (lab.url(), lab.key.clone());
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Self { url, api_key, method, path: path.into(), key: key.into(), if_match: None, body }
    }

    fn post(lab: &Lab, path: &str, key: &str, body: Value) -> Self {
        Self::new(lab, Method::POST, path, key, body)
    }

    async fn answer(&self) -> Response {
        let mut request = reqwest::Client::new()
            .request(self.method.clone(), format!("{}/api/v1{}", self.url, self.path))
            .bearer_auth(&self.api_key)
            .header("idempotency-key", &self.key)
            .body(self.body.clone());
        if let Some(tag) = &self.if_match {
            request = request.header("if-match", tag);
        }
        request.send().await.unwrap()
    }

    /// Sends it: the status, the tag, and the body without what is the request's own.
    async fn send(&self) -> (StatusCode, Option<String>, Value) {
        let answer = self.answer().await;
        let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        let status = answer.status();
        let mut body: Value = answer.json().await.unwrap();
        body.as_object_mut().unwrap().remove("requestId");
        (status, tag, body)
    }

    /// Sends it until it is no longer being carried out.
    async fn settled(&self) -> (StatusCode, Value) {
        let sending = async {
            loop {
                let (status, _, body) = self.send().await;
                if body["code"] != "REQUEST_IN_PROGRESS" {
                    return (status, body);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, sending).await.expect("it is carried out")
    }
}

/// As if the server had died after the effect and before the answer, and been waited for.
async fn died_before_the_answer(lab: &Lab) {
    let sql = "UPDATE idempotency_keys SET status = NULL, etag = NULL, codec = NULL, body = NULL, \
        held_until = created_at";
    lab.execute(sql).await;
}

/// How much there is of everything that a request can make.
async fn how_much(lab: &Lab, task: TaskId) -> Vec<i64> {
    let client = &lab.client;
    let list = List::default();
    let total = |value: Value| value["totalCount"].as_i64().unwrap();
    let mut counts = vec![
        client.tasks(&ListTasks::default()).await.unwrap().total_count,
        total(client.get("/contracts").await.unwrap()),
        total(client.get("/mesh/chat").await.unwrap()),
        total(client.get("/mesh/chat/conversations").await.unwrap()),
        total(client.get("/keys").await.unwrap()),
        client.snapshots(task, &list).await.unwrap().total_count,
        client.events(task, &list).await.unwrap().total_count,
    ];
    counts.push(lab.count("SELECT COUNT(*) FROM history_events").await);
    counts.push(lab.count("SELECT COUNT(*) FROM task_inbox").await);
    counts.push(lab.count("SELECT COUNT(*) FROM daemon_commands").await);
    counts.push(lab.count("SELECT COUNT(*) FROM operations").await);
    counts.push(lab.count("SELECT COUNT(*) FROM conversation_branches").await);
    counts
}

/// Routes that take a key and are sent again in tests of their own.
const ELSEWHERE: [&str; 3] =
    ["POST /keys", "POST /mesh/tasks/{id}/answer", "POST /mesh/tasks/{id}/checkpoints"];

/// All routes that take a key, as the description has it.
fn keyed_routes() -> Vec<String> {
    let description: Value = serde_json::to_value(makima_server::openapi()).unwrap();
    let mut routes = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            if parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key") {
                let path = path.strip_prefix("/api/v1").unwrap();
                routes.push(format!(
                    "{} {}",
                    method.to_uppercase(),
                    path.replace("{cid}", "{id}").replace("{sid}", "{id}")
                ));
            }
        }
    }
    routes.sort();
    routes
}

/// A path with its ids in braces.
fn route_of(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.parse::<TaskId>().is_ok() { "{id}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn contract(name: &str) -> Value {
    json!({ "name": name, "description": "", "repository": "/srv/project" })
}

async fn made_contract(lab: &Lab) -> makima_wire::Contract {
    let wanted =
        CreateContract { name: "One".into(), repository: "/srv/project".into(), ..CreateContract::default() };
    lab.client.create_contract(&wanted).await.unwrap()
}

/// The code of an answer.
fn code(body: &Value) -> &str {
    body["code"].as_str().unwrap_or_default()
}

on_both! {
    /// Fault: the server is killed
    /// Moment: after a request's effect, before its answer, for each route that makes or changes something
    /// Outcome: the same request with the same key is answered with what was done, and nothing is done again
    async fn each_request_is_carried_out_once_whoever_dies_before_the_answer(engine) {
        let lab = Lab::new(engine).await;
        let task = lab.task("one").await;
        let waiting = lab.task("two").await;
        let made = made_contract(&lab).await;
        let key = lab.client.create_key("spare").await.unwrap().key.id;
        let said: Value = lab.client.send(Method::POST, "/mesh/chat", Some(&json!({ "content": "hello" }))).await.unwrap();
        let first = said["conversationId"].as_str().unwrap();
        let second: Value =
            lab.client.send(Method::POST, "/mesh/chat/conversations", Some(&json!({}))).await.unwrap();
        assert_ne!(second["id"], first);
        let chat = format!("/contracts/{}/chat", made.id);
        let own: Value = lab.client.send(Method::POST, &chat, Some(&json!({ "content": "hello" }))).await.unwrap();
        let own = own["conversationId"].as_str().unwrap();
        let snapshot = lab.client.create_snapshot(task.id, &CreateSnapshot::default()).await.unwrap();
        let third = lab.task("gone").await;
        let deleted = lab.client.delete_task(third.id, Deletion::default()).await.unwrap();
        let session = |id: &str| json!({
            "source": "claude-code", "sessionId": id, "plan": "one", "repository": "/srv/project",
            "startedAt": "2025-08-01T10:00:00Z",
        });
        let import: makima_wire::Import =
            lab.client.send(Method::POST, "/imports", Some(&session("one"))).await.unwrap();
        let piece = json!({ "from": 0, "reached": { "bytes": 5, "digest": "0".repeat(64) }, "entries": [] });
        let end = json!({ "bytes": 5, "interrupted": false, "endedAt": "2025-08-01T11:00:00Z" });
        let requests = [
            (Method::POST, "/imports".to_owned(), session("two")),
            (Method::POST, format!("/imports/{}/entries", import.id), piece),
            (Method::POST, format!("/imports/{}/finish", import.id), end),
            (Method::POST, format!("{chat}/conversations"), json!({ "name": "Rain" })),
            (Method::POST, format!("{chat}/conversations/{own}/activate"), Value::Null),
            (Method::PATCH, format!("{chat}/conversations/{own}"), json!({ "name": "Sun" })),
            (Method::POST, "/contracts".to_owned(), contract("Two")),
            (Method::PATCH, format!("/contracts/{}", made.id), json!({ "name": "Three" })),
            (Method::POST, format!("/contracts/{}/phase", made.id), json!({ "phase": "plan" })),
            (Method::POST, format!("/contracts/{}/chat", made.id), json!({ "content": "hello" })),
            (Method::POST, "/mesh/chat".to_owned(), json!({ "content": "hello" })),
            (Method::POST, format!("/mesh/chat/conversations/{first}/activate"), Value::Null),
            (Method::POST, "/mesh/chat/conversations".to_owned(), json!({ "name": "Rain" })),
            (Method::PATCH, format!("/mesh/chat/conversations/{first}"), json!({ "name": "Sun" })),
            (Method::POST, "/mesh/tasks".to_owned(), json!({ "plan": "three", "repository": "/srv/project" })),
            (Method::POST, format!("/mesh/tasks/{}/messages", task.id), json!({ "content": "more" })),
            (Method::POST, format!("/mesh/tasks/{}/reassign", task.id), json!({})),
            (Method::POST, format!("/mesh/tasks/{}/snapshots", task.id), json!({ "metadata": { "a": 1 } })),
            (Method::POST, format!("/mesh/tasks/{}/stop", waiting.id), Value::Null),
            (Method::POST, format!("/mesh/tasks/{}/cancel", task.id), Value::Null),
            (Method::POST, format!("/keys/{key}/revoke"), Value::Null),
            (Method::POST, format!("/mesh/tasks/{}/snapshots/{}/restore", task.id, snapshot.id), json!({})),
            (Method::POST, format!("/operations/{}/undo", deleted.id), json!({})),
            (Method::DELETE, format!("/mesh/tasks/{}", waiting.id), Value::Null),
            (Method::DELETE, format!("/contracts/{}", made.id), Value::Null),
        ];
        let mut sent = ELSEWHERE.map(str::to_owned).to_vec();
        for (method, path, body) in requests {
            sent.push(format!("{method} {}", route_of(&path)));
            let what = format!("{method} {path}");
            let asked = Asked::new(&lab, method, &path, "once", body);
            let first = asked.send().await;
            assert!(first.0.is_success(), "{what}: {first:?}");
            let there = how_much(&lab, task.id).await;
            assert_eq!(asked.send().await, first, "{what}");
            died_before_the_answer(&lab).await;
            assert_eq!(asked.send().await, first, "{what} after the server has died");
            assert_eq!(asked.send().await, first, "{what} after that");
            assert_eq!(how_much(&lab, task.id).await, there, "{what}");
        }
        assert_eq!(lab.client.task(task.id).await.unwrap().status, TaskStatus::Cancelled);
        sent.sort();
        assert_eq!(sent, keyed_routes(), "each route that takes a key is here, or in a test of its own");
    }

    async fn a_secret_is_told_once_and_kept_nowhere(engine) {
        let lab = Lab::new(engine).await;
        let asked = Asked::post(&lab, "/keys", "k", json!({ "name": "spare" }));
        let (status, _, told) = asked.send().await;
        assert_eq!(status, StatusCode::CREATED);
        assert!(told["apiKey"].as_str().unwrap().starts_with("mk_"));
        for died in [false, true, false] {
            if died {
                died_before_the_answer(&lab).await;
            }
            let (status, _, body) = asked.send().await;
            assert_eq!((status, code(&body)), (StatusCode::CONFLICT, "CONFLICT"), "{body}");
        }
        assert_eq!(lab.client.keys().await.unwrap().total_count, 2);
        assert_eq!(lab.count("SELECT COUNT(*) FROM idempotency_keys WHERE LENGTH(body) > 0").await, 0);
    }

    async fn a_key_is_for_one_request_of_one_owner(engine) {
        let lab = Lab::new(engine).await;
        let asked = Asked::post(&lab, "/contracts", "k", contract("One"));
        assert_eq!(asked.send().await.0, StatusCode::CREATED);
        let other = Asked { body: contract("Two").to_string(), ..asked.clone() };
        let (status, _, body) = other.send().await;
        assert_eq!((status, code(&body)), (StatusCode::UNPROCESSABLE_ENTITY, "UNPROCESSABLE"));
        // Another route, and another owner, have keys of their own.
        let task = json!({ "plan": "one", "repository": "/srv/project" });
        assert_eq!(Asked::post(&lab, "/mesh/tasks", "k", task).send().await.0, StatusCode::CREATED);
        let eve = lab.server.app().create_user("eve").await.unwrap().api_key;
        assert_eq!(Asked { api_key: eve, ..other.clone() }.send().await.0, StatusCode::CREATED);
        // After a day it is free.
        let old = match engine {
            Engine::Sqlite => "UPDATE idempotency_keys SET created_at = '2020-01-01T00:00:00.000000Z'",
            Engine::Postgres => "UPDATE idempotency_keys SET created_at = created_at - INTERVAL '24 hours 1 second'",
        };
        lab.execute(old).await;
        assert_eq!(other.send().await.0, StatusCode::CREATED);
        let names: Value = lab.client.get("/contracts").await.unwrap();
        assert_eq!(names["totalCount"], 2);
    }

    async fn a_key_that_is_none_is_refused_and_nothing_has_changed(engine) {
        let lab = Lab::new(engine).await;
        for bad in ["", "two words", &"k".repeat(256)] {
            let (status, _, body) = Asked::post(&lab, "/contracts", bad, contract("One")).send().await;
            assert_eq!((status, code(&body)), (StatusCode::BAD_REQUEST, "BAD_REQUEST"), "{bad:?}");
        }
        let none: Value = lab.client.get("/contracts").await.unwrap();
        assert_eq!(none["totalCount"], 0);
    }

    async fn what_was_wrong_may_be_sent_again_and_what_was_decided_stands(engine) {
        let lab = Lab::new(engine).await;
        let wrong = Asked::post(&lab, "/contracts", "k", contract(" "));
        assert_eq!(wrong.send().await.0, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(Asked { body: "{".into(), ..wrong.clone() }.send().await.0, StatusCode::BAD_REQUEST);
        let right = Asked { body: contract("One").to_string(), ..wrong };
        let made = right.send().await.2;

        let phase = format!("/contracts/{}/phase", made["id"].as_str().unwrap());
        let same = Asked::post(&lab, &phase, "same", json!({ "phase": "research" }));
        let refused = same.send().await;
        assert_eq!((refused.0, code(&refused.2)), (StatusCode::CONFLICT, "CONFLICT"));
        let other = Asked::post(&lab, &phase, "other", json!({ "phase": "plan" }));
        assert_eq!(other.send().await.0, StatusCode::OK);
        assert_eq!(same.send().await, refused, "it was decided");
        let contract: Value = lab.client.get(&format!("/contracts/{}", made["id"].as_str().unwrap())).await.unwrap();
        assert_eq!(contract["phase"], "plan");
    }

    async fn a_refused_precondition_and_a_tag_are_answered_again_as_they_were(engine) {
        let lab = Lab::new(engine).await;
        let made = made_contract(&lab).await;
        let path = format!("/contracts/{}", made.id);
        let change = Asked::new(&lab, Method::PATCH, &path, "k", json!({ "name": "Two" }));
        let change = Asked { if_match: Some("\"1\"".into()), ..change };
        let first = change.send().await;
        assert_eq!((first.0, first.1.as_deref()), (StatusCode::OK, Some("\"2\"")));
        // Its own change would stand in its way, if it were carried out again.
        assert_eq!(change.send().await, first);
        let late = Asked { key: "late".into(), ..change };
        let refused = late.send().await;
        assert_eq!((refused.0, refused.1.as_deref()), (StatusCode::PRECONDITION_FAILED, Some("\"2\"")));
        assert_eq!(late.send().await, refused);
    }

    /// Fault: a client hangs up
    /// Moment: while its request is being carried out
    /// Outcome: the request is carried out once; sent again it is told so, and then what came of it
    async fn who_hangs_up_and_asks_again_is_told_how_it_stands(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let body = json!({ "plan": "one", "repository": "/srv/project" });
        let asked = Asked::post(&lab, "/mesh/tasks", "k", body);
        let hanging_up = tokio::spawn({
            let asked = asked.clone();
            async move { asked.send().await }
        });
        // The daemon looks for the repository: meanwhile the request is in progress.
        let look = daemon.look().await;
        hanging_up.abort();
        let _ = hanging_up.await;
        let answer = asked.answer().await;
        assert_eq!(answer.headers()["retry-after"], "1");
        let (status, body) = (answer.status(), answer.json::<Value>().await.unwrap());
        assert_eq!((status, code(&body)), (StatusCode::CONFLICT, "REQUEST_IN_PROGRESS"));
        let other = Asked { body: json!({ "plan": "two", "repository": "/srv/project" }).to_string(), ..asked.clone() };
        assert_eq!(other.send().await.0, StatusCode::UNPROCESSABLE_ENTITY);

        let seen = makima_wire::frame::RepositorySeen {
            base_branch: "main".into(),
            base_commit: None,
            uncommitted_files: None,
        };
        daemon.finish(look, CommandOutcome::Done(CommandResult::Repository(seen))).await;
        let (status, made) = asked.settled().await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let tasks = lab.client.tasks(&ListTasks::default()).await.unwrap();
        assert_eq!(tasks.total_count, 1);
        assert_eq!(made["id"], tasks.tasks[0].id.to_string());
    }

    /// Fault: the server is killed
    /// Moment: while a request waits for its daemon (a checkpoint by hand, an answer, a stop)
    /// Outcome: the same request with the same key finds what came of the command; the daemon is asked once
    async fn what_waits_for_a_daemon_is_found_again_by_its_command(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        daemon.tell(start.run, 1, begun(&task)).await;
        let path = format!("/mesh/tasks/{}/checkpoints", task.id);
        let asked = Asked::post(&lab, &path, "k", json!({ "message": "by hand" }));
        let (again, asking) = (asked.clone(), tokio::spawn({
            let asked = asked.clone();
            async move { asked.send().await }
        }));
        let (command, Command::Checkpoint { id, message, .. }) = daemon.command().await else { panic!() };
        // Its server is thought dead: the first attempt no longer holds the request.
        lab.execute("UPDATE idempotency_keys SET held_until = created_at").await;
        let retrying = tokio::spawn(async move { again.send().await });
        let made = CheckpointMade { id, message, ..checkpoint(&lab) };
        daemon.finish(command, CommandOutcome::Done(CommandResult::Checkpoint(Box::new(Checkpointed { made })))).await;
        let (first, second) = (asking.await.unwrap(), daemon.beside(retrying).await.unwrap());
        assert_eq!(first.0, StatusCode::CREATED, "{first:?}");
        assert!(second == first || code(&second.2) == "REQUEST_IN_PROGRESS", "{second:?}");
        assert_eq!(asked.settled().await, (first.0, first.2.clone()));
        assert_eq!(first.2["id"], id.to_string());

        let question = Question {
            id: lab.clock.new_id(),
            kind: QuestionKind::Question,
            text: "Which one?".into(),
            choices: None,
            tool_name: None,
            tool_input: None,
        };
        daemon.tell(start.run, 4, vec![Record::Asked { question: question.clone() }]).await;
        let path = format!("/mesh/tasks/{}/answer", task.id);
        let answer = Asked::post(&lab, &path, "k", json!({ "questionId": question.id, "answer": "this" }));
        let answering = tokio::spawn({
            let answer = answer.clone();
            async move { answer.send().await }
        });
        let (command, Command::Answer { answer: told, .. }) = daemon.command().await else { panic!() };
        daemon.tell(start.run, 5, vec![Record::Answered { question: question.id, answer: Some(told) }]).await;
        daemon.finish(command, CommandOutcome::Done(CommandResult::Done)).await;
        let answered = answering.await.unwrap();
        assert_eq!((answered.0, &answered.2["status"]), (StatusCode::OK, &json!("running")));
        died_before_the_answer(&lab).await;
        assert_eq!(answer.send().await, answered);

        let stop = Asked::post(&lab, &format!("/mesh/tasks/{}/stop", task.id), "k", Value::Null);
        let stopping = tokio::spawn({
            let stop = stop.clone();
            async move { stop.send().await }
        });
        let (command, Command::Stop { .. }) = daemon.command().await else { panic!() };
        daemon.tell(start.run, 6, vec![ended(RunOutcome::Interrupted)]).await;
        daemon.finish(command, CommandOutcome::Done(CommandResult::Done)).await;
        let stopped = stopping.await.unwrap();
        assert_eq!((stopped.0, &stopped.2["status"]), (StatusCode::OK, &json!("interrupted")));
        died_before_the_answer(&lab).await;
        assert_eq!(stop.send().await, stopped);
        assert_eq!(lab.count("SELECT COUNT(*) FROM daemon_commands WHERE state <> 'done'").await, 0);
    }

    async fn an_answer_that_is_too_large_to_be_kept_is_made_anew(engine) {
        let lab = Lab::new(engine).await;
        let body = json!({ "plan": "\u{e9}".repeat(600_000), "name": "long", "repository": "/srv/project" });
        let asked = Asked::post(&lab, "/mesh/tasks", "k", body);
        let first = asked.send().await;
        assert_eq!(first.0, StatusCode::CREATED);
        assert_eq!(asked.settled().await.1["id"], first.2["id"]);
        assert_eq!(lab.client.tasks(&ListTasks::default()).await.unwrap().total_count, 1);
    }

    /// Fault: the connection is cut
    /// Moment: when a request has arrived and its answer has not
    /// Outcome: the client asks again by itself, and what was asked is done once
    async fn a_client_whose_answer_is_lost_gets_it_again(engine) {
        let lab = Lab::new(engine).await;
        let proxy = Forgetful::before(&lab, 1).await;
        let client = proxy.client(&lab);
        let task = client.create_task(&plan("one")).await.unwrap();
        proxy.forget(2);
        client.send_message(task.id, "more").await.unwrap();
        proxy.forget(1);
        assert_eq!(client.stop_task(task.id).await.unwrap().status, TaskStatus::Interrupted);
        assert_eq!(proxy.forgotten(), 4);
        let tasks = lab.client.tasks(&ListTasks::default()).await.unwrap();
        assert_eq!((tasks.total_count, tasks.tasks[0].id), (1, task.id));
        assert_eq!(lab.count("SELECT COUNT(*) FROM task_inbox").await, 2, "the plan, and what was sent");
    }
}

fn plan(plan: &str) -> CreateTask {
    CreateTask { plan: plan.into(), repository: Some("/srv/project".into()), ..CreateTask::default() }
}

fn checkpoint(lab: &Lab) -> CheckpointMade {
    CheckpointMade {
        id: lab.clock.new_id(),
        number: 1,
        kind: CheckpointKind::Manual,
        turn: None,
        at: lab.clock.now(),
        commit_sha: "1".repeat(40),
        branch_name: "makima/one".into(),
        message: String::new(),
        previous: None,
        files_changed: Vec::new(),
        lines_added: 0,
        lines_removed: 0,
        not_held: Vec::new(),
        patch: None,
    }
}

/// A proxy that lets requests pass and forgets their answers, as often as it is told to.
struct Forgetful {
    address: std::net::SocketAddr,
    to_forget: Arc<AtomicUsize>,
    forgotten: Arc<AtomicUsize>,
    serving: tokio::task::JoinHandle<()>,
}

impl Forgetful {
    async fn before(lab: &Lab, times: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (to_forget, forgotten) = (Arc::new(AtomicUsize::new(times)), Arc::new(AtomicUsize::new(0)));
        let (server, address) = (lab.server.address(), listener.local_addr().unwrap());
        let (left, done) = (to_forget.clone(), forgotten.clone());
        let serving = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(pass(
                    client,
                    TcpStream::connect(server).await.unwrap(),
                    left.clone(),
                    done.clone(),
                ));
            }
        });
        Self { address, to_forget, forgotten, serving }
    }

    fn client(&self, lab: &Lab) -> Client {
        Client::new(&format!("http://{}", self.address), Some(lab.key.clone())).unwrap()
    }

    fn forget(&self, times: usize) {
        self.to_forget.store(times, Ordering::SeqCst);
    }

    fn forgotten(&self) -> usize {
        self.forgotten.load(Ordering::SeqCst)
    }
}

impl Drop for Forgetful {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(mut client: TcpStream, mut server: TcpStream, left: Arc<AtomicUsize>, done: Arc<AtomicUsize>) {
    let (mut asked, mut told) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read {
                Ok(read @ 1..) => server.write_all(&asked[..read]).await.unwrap(),
                _ => return,
            },
            read = server.read(&mut told) => match read {
                // The answer is there, and so is all that the request has done. Nobody hears of it.
                Ok(1..) if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() => {
                    done.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                Ok(read @ 1..) => client.write_all(&told[..read]).await.unwrap(),
                _ => return,
            },
        }
    }
}
