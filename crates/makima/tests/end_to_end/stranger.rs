//! Servers that aren't as one expects: of another version, or hostile.

use crate::lab::{Finished, finish, start};
use makima_testkit::{TestRepo, scrubbed_command};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

type Answer = dyn Fn(&str, &str) -> (u16, Value) + Send + Sync;

/// Something that speaks HTTP, and answers what it is told to.
struct Stranger {
    url: String,
}

impl Stranger {
    /// One that gives `answer` of method and path. It lives as long as its test.
    fn new(answer: impl Fn(&str, &str) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer: Arc<Answer> = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || serve(stream, &*answer));
            }
        });
        Self { url }
    }

    fn calls(&self, arguments: &[&str]) -> Finished {
        let (home, repository) = (tempfile::tempdir().unwrap(), TestRepo::new());
        let mut command = scrubbed_command(env!("CARGO_BIN_EXE_makima"));
        command.args(arguments).current_dir(repository.path()).env("HOME", home.path());
        command.env("MAKIMA_API_URL", &self.url).env("MAKIMA_API_KEY", "mk_key");
        command.stdin(std::process::Stdio::null());
        finish(start(&mut command))
    }
}

/// Answers one request, and closes. Whoever hangs up has what they wanted.
fn serve(mut stream: TcpStream, answer: &Answer) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", n)) => length = n.parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    let mut words = first.split(' ');
    let (status, body) = answer(words.next()?, words.next()?);
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).ok()
}

fn health(version: &str) -> (u16, Value) {
    (200, json!({"status": "ok", "version": version}))
}

fn refused(status: u16, code: &str, message: &str) -> (u16, Value) {
    (status, json!({"code": code, "message": message, "requestId": "r"}))
}

#[test]
fn a_server_of_another_version_that_does_not_understand_is_told_with_both_versions() {
    // An older one doesn't know the address; a newer one doesn't know the field.
    let older = Stranger::new(|_, path| match path {
        "/healthz" => health("0.0.9"),
        _ => refused(404, "NOT_FOUND", "there is nothing at this address"),
    });
    let newer = Stranger::new(|_, path| match path {
        "/healthz" => health("9.9.9"),
        "/api/v1/mesh/daemons" => (200, json!({"machines": []})),
        _ => refused(400, "BAD_REQUEST", "unknown field `includeUncommitted`"),
    });
    let own = env!("CARGO_PKG_VERSION");
    for (server, version, arguments) in [
        (&older, "0.0.9", &["key", "list"][..]),
        (&older, "0.0.9", &["status"]),
        (&newer, "9.9.9", &["task", "create", "plan"]),
        (&newer, "9.9.9", &["daemon", "list"]),
    ] {
        let called = server.calls(arguments);
        assert!(matches!(called.code, Some(1 | 3)), "{called:?}");
        let hint = format!(
            "hint: the server is makima {version}, and this program {own}: use the same version on both sides\n"
        );
        assert!(called.stderr.ends_with(&hint) && called.stderr.lines().count() == 2, "{called:?}");
    }
    let doctor = older.calls(&["doctor"]);
    assert!(doctor.stdout.contains("version 0.0.9; this program is"), "{doctor:?}");
}

#[test]
fn a_server_of_the_same_version_that_refuses_is_believed() {
    let server = Stranger::new(|_, path| match path {
        "/healthz" => health(env!("CARGO_PKG_VERSION")),
        _ => refused(422, "UNPROCESSABLE", "a name has 1 to 200 characters"),
    });
    let called = server.calls(&["key", "create", ""]);
    assert_eq!((called.code, called.stderr.as_str()), (Some(1), "error: a name has 1 to 200 characters\n"));
}

/// Fault: the server's disk is full
/// Moment: while something is asked of it on the command line
/// Outcome: what is waited for is said once, on standard error alone, and the answer comes when there is room
#[test]
fn a_server_that_has_no_room_is_waited_for_and_it_is_said_once() {
    let id = "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0123";
    for json in [&[][..], &["--json"]] {
        let asked = AtomicUsize::new(0);
        let server = Stranger::new(move |_, _| match asked.fetch_add(1, Ordering::Relaxed) {
            0..5 => refused(503, "DB_UNAVAILABLE", &format!("there is no room left {EVIL}")),
            _ => (
                200,
                json!({"id": id, "name": "desk", "principalId": id, "createdAt": "2026-01-15T09:30:00.000000Z", "apiKey": "mk_new"}),
            ),
        });
        let called = server.calls(&[&["key", "create", "desk"], json].concat());
        assert_eq!(called.code, Some(0), "{called:?}");
        assert!(called.stdout.contains("mk_new") && !called.stdout.contains("no room"), "{called:?}");
        assert!(called.stderr.starts_with("waiting: there is no room left"), "{called:?}");
        assert!(called.stderr.lines().count() == 1 && !called.stderr.contains('\u{1b}'), "{called:?}");
        if !json.is_empty() {
            assert_eq!(called.json()["apiKey"], "mk_new");
        }
    }
}

#[test]
fn an_error_that_this_version_does_not_know_is_told_with_both_versions() {
    let server = Stranger::new(|_, path| match path {
        "/healthz" => health("9.9.9"),
        _ => refused(418, "TEAPOT", "I am a teapot"),
    });
    let called = server.calls(&["key", "list"]);
    assert_eq!(called.code, Some(1), "{called:?}");
    assert!(called.stderr.contains("the server is makima 9.9.9"), "{called:?}");
}

#[test]
fn a_name_that_the_server_does_not_know_is_told_with_what_to_do() {
    let server = Stranger::new(|_, _| refused(421, "UNKNOWN_HOST", "this server isn't called that"));
    let called = server.calls(&["key", "list"]);
    assert_eq!(called.code, Some(1), "{called:?}");
    assert!(called.stderr.contains("--allowed-hosts"), "{called:?}");
}

const EVIL: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}\rx\u{8}\u{85}";

/// A server in all of whose texts stands what a terminal would obey.
fn hostile() -> Stranger {
    let id = "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0123";
    let at = "2026-01-15T09:30:00.000000Z";
    let question = json!({"id": id, "kind": "question", "text": EVIL, "choices": [EVIL], "toolName": EVIL, "toolInput": {EVIL: EVIL}});
    let task = json!({
        "id": id, "contractId": id, "name": EVIL, "plan": EVIL, "role": "worker", "status": "waiting",
        "statusReason": EVIL, "agent": EVIL, "daemonId": id, "repository": EVIL, "baseBranch": EVIL,
        "baseCommit": EVIL, "branchName": EVIL, "worktreePath": EVIL, "runNumber": 1, "messageCount": 4,
        "totalTokens": 12345, "totalCost": 0.01234, "checkpointCount": 1, "lastCheckpointSha": EVIL,
        "checkpointMessage": EVIL, "conversationState": {"branchId": id, "messageCount": 4},
        "pendingQuestion": question, "createdAt": at, "updatedAt": at, "startedAt": at, "completedAt": at,
    });
    let contract = json!({
        "id": id, "name": EVIL, "description": EVIL, "repository": EVIL, "baseBranch": EVIL, "agent": EVIL,
        "phase": "plan", "status": "active", "createdAt": at, "updatedAt": at, "taskCounts": {"running": 1},
        "checkpointCount": 1, "totalTokens": 1, "totalCost": 1.0, "lastActivityAt": at,
    });
    let daemon = json!({
        "id": id, "name": EVIL, "hostname": EVIL, "status": "online", "maxConcurrentTasks": 4, "runningTasks": 1,
        "agents": [{"name": EVIL, "version": EVIL, "default": true}], "lastHeartbeatAt": at,
        "trouble": EVIL,
    });
    let file = json!({"path": EVIL, "action": "R", "oldPath": EVIL, "additions": 1, "deletions": 1});
    let checkpoint = json!({
        "id": id, "taskId": id, "checkpointNumber": 1, "kind": "turn", "commitSha": EVIL, "branchName": EVIL,
        "message": EVIL, "filesChanged": [file], "linesAdded": 1, "linesRemoved": 1, "notHeld": [], "stored": false,
        "messageCount": 1, "createdAt": at,
    });
    let key = json!({"id": id, "name": EVIL, "principalId": id, "createdAt": at, "revokedAt": at});
    let said = |index: i64, role: &str, more: Value| {
        let mut message =
            json!({"id": id, "role": role, "content": EVIL, "timestamp": at, "index": index, "runNumber": 1});
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"id": id, "taskId": id, "seq": index, "runNumber": 1, "eventType": "output", "createdAt": at, "eventData": {"message": message}})
    };
    let call = json!([{"id": "c", "name": EVIL, "input": {"command": EVIL, EVIL: EVIL}}]);
    let output = json!({"events": [
        said(1, "user", json!({})),
        said(2, "assistant", json!({"thinking": EVIL, "toolCalls": call})),
        said(3, "tool", json!({"toolCallId": "c", "toolName": EVIL, "toolResult": EVIL, "isError": true})),
        said(4, "system", json!({})),
    ], "totalCount": 4});
    let happened = |seq: i64, kind: &str, data: Value| json!({"id": id, "taskId": id, "seq": seq, "runNumber": 1, "eventType": kind, "createdAt": at, "eventData": data});
    let events = json!({"events": [
        happened(5, "output", json!({"level": "warning", "text": EVIL})),
        happened(6, "session", json!({"sessionId": EVIL, "version": EVIL, "model": EVIL})),
        happened(7, "turn", json!({"outcome": "failed", "failure": {"message": EVIL}})),
        happened(8, "checkpoint", json!({"message": EVIL})),
    ], "totalCount": 4});
    Stranger::new(move |method, path| {
        let path = path.strip_prefix("/api/v1").unwrap_or(path);
        let path = path.split('?').next().unwrap();
        let body = match (method, path.trim_end_matches(id)) {
            (_, "/healthz") => json!({"status": EVIL, "version": EVIL}),
            (_, "/me") => {
                json!({"principalId": id, "principalName": EVIL, "ownerId": id, "ownerName": format!("{EVIL}!"), "via": "key"})
            }
            ("GET", "/mesh/tasks") => json!({"tasks": [task], "totalCount": 1}),
            ("GET", "/contracts") => json!({"contracts": [contract], "totalCount": 1}),
            (_, "/contracts" | "/contracts/") => contract.clone(),
            (_, "/mesh/daemons") => json!({"daemons": [daemon], "totalCount": 1}),
            ("GET", "/keys") => json!({"keys": [key], "totalCount": 1}),
            ("POST", "/keys") => {
                let mut made = key.clone();
                made["apiKey"] = EVIL.into();
                made
            }
            (_, "/sign-in-links") => json!({"url": EVIL, "token": EVIL, "expiresAt": at}),
            _ if path.ends_with("/revoke") => key.clone(),
            _ if path.ends_with("/phase") => contract.clone(),
            _ if path.ends_with("/output") => output.clone(),
            _ if path.ends_with("/events") && path != "/events" => events.clone(),
            ("GET", _) if path.ends_with("/checkpoints") => {
                json!({"checkpoints": [checkpoint], "totalCount": 1})
            }
            _ if path.ends_with("/checkpoints") => checkpoint.clone(),
            _ if path.ends_with("/messages") => json!({"messageId": id, "task": task}),
            _ if path.ends_with("/nonsense") => return refused(404, "NOT_FOUND", EVIL),
            _ => task.clone(),
        };
        (200, body)
    })
}

#[test]
fn no_text_of_a_server_reaches_the_terminal_as_it_is() {
    let server = hostile();
    let task = "0199aaaa";
    let mut told = 0;
    for command in [
        &["status"][..],
        &["doctor"],
        &["open", "--print"],
        &["task", "create", "plan"],
        &["task", "list"],
        &["task", "show", task],
        &["task", "logs", task],
        &["task", "logs", "--full", task],
        &["task", "stop", task],
        &["task", "cancel", task],
        &["task", "send", "--no-follow", task, "more"],
        &["task", "answer", task, "red"],
        &["task", "checkpoint", task],
        &["task", "checkpoints", task],
        &["contract", "create", "name"],
        &["contract", "list"],
        &["contract", "show", task],
        &["contract", "phase", "plan", "--contract", task],
        &["daemon", "list"],
        &["key", "create", "name"],
        &["key", "list"],
        &["key", "revoke", task],
    ] {
        for json in [&[][..], &["--json"]] {
            let called = server.calls(&[command, json].concat());
            let expected = if command == ["doctor"] { called.code } else { Some(0) };
            assert_eq!(called.code, expected, "{command:?} {called:?}");
            let shown = format!("{}{}", called.stdout, called.stderr);
            let has_texts = json.is_empty() || shown.contains("owned");
            assert!(has_texts, "{command:?} shows nothing of the server's: {called:?}");
            told += usize::from(json.is_empty() && shown.contains("owned"));
            let is_harmless = |c: char| c == '\n' || !c.is_control();
            assert!(shown.chars().all(is_harmless), "{command:?} {shown:?}");
            // In a document for programs a character is what it is; for people it must not turn the text around.
            assert!(!json.is_empty() || !shown.contains('\u{202e}'), "{command:?} {shown:?}");
        }
    }
    assert!(told >= 15, "only {told} commands show people a text of the server's");
    let failed = Stranger::new(|_, _| refused(500, "INTERNAL", EVIL)).calls(&["task", "list"]);
    assert!(failed.stderr.contains("owned"), "{failed:?}");
    assert!(failed.stderr.chars().all(|c| c == '\n' || !c.is_control()), "{failed:?}");
}
