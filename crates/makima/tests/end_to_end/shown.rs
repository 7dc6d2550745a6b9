//! What people see of each command that speaks to a server: on both streams, with the exit code.

use crate::lab::{Lab, bash, call, finish, say, start, until, write};
use insta::assert_snapshot;
use makima_client::Client;
use makima_model::TaskStatus;
use makima_wire::{
    Checkpoint, CheckpointList, Contract, ContractList, Conversation, CreatedKey, DaemonList, Key, KeyList,
    ListContracts, ListOperations, ListTasks, Operation, OperationList, Order, Search, SearchHits,
    SentMessage, SignInLink, SnapshotList, Task, TaskList,
};
use regex::Regex;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A lab whose daemon has a name that is the same everywhere.
fn lab() -> Lab {
    let long: Vec<String> = (1..=30).map(|n| format!("line {n}")).collect();
    let read = call("I look.", "Bash", json!({ "command": format!("printf '{}\\n'", long.join("\\n")) }));
    let ask = json!({"content": [], "ask": {"text": "Which colour?", "choices": ["red", "blue"]}});
    let mut lab = Lab::new(json!({
        "WORK": [read, write("new.txt", "one\n"), bash("echo wrong >&2; exit 3"), say("Done.")],
        "ASK": [ask, say("I take it.")],
        "MORE": [say("More.")],
    }));
    let file = lab.data().join("makima.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("[daemon]\nname = \"workshop\"\n{config}")).unwrap();
    lab.up();
    lab
}

/// Commands and what they said, one after the other.
struct Session<'a> {
    lab: &'a Lab,
    key: Option<String>,
    shown: String,
}

impl<'a> Session<'a> {
    fn new(lab: &'a Lab) -> Self {
        Self { lab, key: None, shown: String::new() }
    }

    /// The same by somebody with another key.
    fn with_key(lab: &'a Lab, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..Self::new(lab) }
    }

    fn call(&mut self, arguments: &[&str]) {
        let mut command = self.lab.makima(arguments);
        if let Some(key) = &self.key {
            command.env("MAKIMA_API_KEY", key);
        }
        let ended = finish(start(&mut command));
        let words: Vec<String> = arguments
            .iter()
            .map(|word| if word.contains(' ') { format!("{word:?}") } else { (*word).to_owned() })
            .collect();
        self.shown += &format!("$ makima {}\nexit {}\n", words.join(" "), ended.code.unwrap());
        for (name, text) in [("stdout", ended.stdout), ("stderr", ended.stderr)] {
            if !text.is_empty() {
                self.shown += &format!("--- {name}\n{text}");
            }
        }
        self.shown.push('\n');
    }

    /// All of it, with what differs from run to run named.
    async fn end(self) -> String {
        let client = self.lab.client();
        let mut text = self.shown;
        let mut named = Vec::new();
        let tasks = client.tasks(&ListTasks::default()).await.unwrap().tasks;
        named.extend(
            tasks.iter().map(|task| (task.id.to_string(), format!("task {}", task.plan.to_lowercase()))),
        );
        let contracts = client.contracts(&ListContracts::default()).await.unwrap().contracts;
        named.extend(
            contracts.iter().map(|one| (one.id.to_string(), format!("contract {}", one.name.to_lowercase()))),
        );
        let keys = client.keys().await.unwrap().keys;
        named.extend(keys.iter().map(|key| (key.id.to_string(), format!("key {}", key.name))));
        let ascending = ListOperations { order: Some(Order::Asc), ..ListOperations::default() };
        let operations = client.operations(&ascending).await.unwrap().operations;
        for (n, operation) in operations.iter().enumerate() {
            named.push((operation.id.to_string(), format!("operation {}", n + 1)));
            // What is in the trash is in no list.
            named.extend(operation.task_id.map(|task| (task.to_string(), "task".to_owned())));
            named.extend(operation.contract_id.map(|contract| (contract.to_string(), "contract".to_owned())));
            let head = operation.after.as_ref().and_then(|after| after.conversation);
            named.extend(head.map(|head| (head.branch_id.to_string(), "branch".to_owned())));
        }
        for daemon in client.daemons().await.unwrap().daemons {
            named.push((daemon.id.to_string(), "daemon".to_owned()));
            text = text.replace(&format!(" {} ", daemon.hostname), " [HOST] ");
        }
        text = text.replace(self.lab.data().to_str().unwrap(), "[DATA]");
        for (id, name) in named {
            text = text.replace(&id, &format!("[{name}]")).replace(&id[28..], &format!("[{name}]"));
        }
        text = text
            .replace(client.url(), "[URL]")
            .replace(self.lab.repo.path().to_str().unwrap(), "[REPOSITORY]")
            .replace(env!("CARGO_BIN_EXE_makima"), "makima")
            .replace(env!("CARGO_PKG_VERSION"), "[VERSION]");
        for (what, named) in [
            (r"\b(just now|\d+ (s|min) ago)", "[AGO]"),
            (r"after \d+ s", "after [TIME]"),
            (r"\bmk_[0-9a-f]{64}\b", "[KEY]"),
            (r"\bml_[0-9a-f]{64}\b", "[TOKEN]"),
            (r"\b[0-9a-f]{40}\b", "[COMMIT]"),
            (r"\b[0-9a-f]{10}\b", "[COMMIT]"),
            (r"you +\S+", "you  [LOGIN]"),
            // How wide a column is depends on what was named here.
            (r"(?m)(\S) {2,}", "$1  "),
        ] {
            text = Regex::new(what).unwrap().replace_all(&text, named).into_owned();
        }
        // A log tells the time where it changes: on a slow machine more often.
        let mut lines: Vec<&str> = text.lines().collect();
        let mut marked = "";
        lines.retain(|line| {
            let again = *line == marked;
            if line.starts_with("── ") || line.starts_with("$ ") {
                marked = line;
            }
            !again
        });
        lines.join("\n")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_empty_says_how_to_begin() {
    let lab = lab();
    let ada = lab.finish(&["user", "create", "ada", "--json"]).json()["apiKey"].as_str().unwrap().to_owned();
    let mut session = Session::with_key(&lab, &ada);
    for command in [
        &["status"][..],
        &["task", "list"],
        &["task", "list", "--status", "failed", "nothing like it"],
        &["contract", "list"],
        &["contract", "list", "--phase", "review"],
        &["contract", "show"],
        &["contract", "phase", "plan"],
        &["daemon", "list"],
    ] {
        session.call(command);
    }
    assert_snapshot!(session.end().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_says_what_it_has_done() {
    let lab = lab();
    let mut session = Session::new(&lab);
    session.call(&["contract", "create", "Parser", "--description", "Every input gives a tree."]);
    session.call(&["contract", "list"]);
    session.call(&["contract", "show"]);
    session.call(&["contract", "phase", "execute"]);
    session.call(&["contract", "phase", "execute"]);
    session.call(&["task", "create", "WORK", "--contract", "Parser", "--name", "Work"]);
    let work = lab.task().await.id;
    lab.task_when(work, "it is done", |task| task.status == TaskStatus::Completed).await;
    session.call(&["task", "logs", "Work"]);
    session.call(&["task", "logs", "-f", "Work"]);
    session.call(&["task", "logs", "--full", "Work"]);
    session.call(&["task", "history", "Work"]);
    session.call(&["task", "history", "Work", "--limit", "3", "--no-tool-calls"]);
    session.call(&["task", "history", "Work", "--no-tool-results", "--at", "~2"]);
    session.call(&["task", "history", "Work", "--at", "checkpoint:1", "--limit", "1"]);
    session.call(&["task", "history", "Work", "--at", "checkpoint:7"]);
    session.call(&["task", "history", "Work", "--at", "whenever"]);
    session.call(&["task", "show", "Work"]);
    session.call(&["task", "checkpoints", "Work"]);
    session.call(&["task", "checkpoint", "Work", "--message", "By hand"]);
    session.call(&["task", "create", "MORE", "--no-start"]);
    session.call(&["task", "history", "MORE"]);
    session.call(&["task", "send", "MORE", "MORE of it", "--no-follow"]);
    session.call(&["task", "create", "ASK", "--contract", "Parser"]);
    let client = lab.client();
    let called = async |text: &str| {
        let wanted = ListTasks { q: Some(text.to_owned()), ..ListTasks::default() };
        client.tasks(&wanted).await.unwrap().tasks[0].id
    };
    let (ask, more) = (called("ASK").await, called("MORE").await);
    lab.task_when(more, "it is done", |task| task.status == TaskStatus::Completed).await;
    lab.task_when(ask, "it asks", |task| task.pending_question.is_some()).await;
    session.call(&["task", "show", "ASK"]);
    session.call(&["status"]);
    session.call(&["task", "list"]);
    session.call(&[
        "task",
        "list",
        "--status",
        "waiting,running",
        "--contract",
        "Parser",
        "--agent",
        "scripted",
        "--daemon",
        "workshop",
    ]);
    session.call(&["task", "list", "--contract", "none"]);
    session.call(&["task", "list", "--limit", "1"]);
    session.call(&["task", "answer", "ASK", "blue"]);
    lab.task_when(ask, "it is done", |task| task.status == TaskStatus::Completed).await;
    session.call(&["task", "stop", "ASK"]);
    session.call(&["task", "cancel", "ASK"]);
    session.call(&["task", "cancel", "ASK"]);
    session.call(&["daemon", "list"]);
    session.call(&["key", "create", "laptop"]);
    session.call(&["key", "list"]);
    session.call(&["key", "revoke", "laptop"]);
    session.call(&["open", "--print"]);
    session.call(&["user", "create", "grace"]);
    // By then the scripted agent has a user of its own name nowhere, and grace no number of ours.
    let shown = session.end().await;
    let grace = Regex::new(r"grace \([0-9a-f-]{36}\)").unwrap().replace(&shown, "grace ([ID])").into_owned();
    assert_snapshot!(grace);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_history_is_asked_for_told_and_undone() {
    let lab = lab();
    let mut session = Session::new(&lab);
    session.call(&["op", "log"]);
    session.call(&["undo", "--yes"]);
    session.call(&["contract", "create", "Parser"]);
    session.call(&["task", "create", "MORE", "--contract", "Parser", "--name", "More"]);
    let task = lab.task().await.id;
    lab.task_when(task, "it is done", |task| task.status == TaskStatus::Completed).await;
    // Nobody can be asked here.
    session.call(&["task", "delete", "More"]);
    session.call(&["task", "delete", "More", "--yes"]);
    session.call(&["task", "show", &task.to_string()]);
    session.call(&["op", "log", "--task", &task.short()]);
    session.call(&["op", "show", "delete"]);
    session.call(&["undo", "--yes"]);
    session.call(&["undo", "--yes"]);
    session.call(&["task", "show", "More", "--json"]);
    session.call(&["contract", "delete", "Parser", "--yes"]);
    session.call(&["contract", "list"]);
    session.call(&["undo", "--yes"]);
    session.call(&["op", "log"]);
    session.call(&["task", "delete", "More", "--purge", "--yes"]);
    session.call(&["undo", "--yes"]);
    session.call(&["op", "log"]);
    let shown = session.end().await;
    // The whole of a task is another test's.
    let shown = Regex::new(r"(?m)^\{.*\}$").unwrap().replace_all(&shown, "{…}").into_owned();
    assert_snapshot!(shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_told_by_contract_task_type_and_time() {
    let lab = lab();
    let mut session = Session::new(&lab);
    session.call(&["timeline"]);
    session.call(&["contract", "create", "Parser"]);
    session.call(&["task", "create", "WORK", "--contract", "Parser", "--name", "Work"]);
    let work = lab.task().await.id;
    lab.task_when(work, "it is done", |task| task.status == TaskStatus::Completed).await;
    session.call(&["contract", "phase", "execute"]);
    session.call(&["contract", "history"]);
    session.call(&["contract", "history", "Parser", "--phase", "execute", "--from", "2h ago"]);
    session.call(&["contract", "history", "--contract", "Parser", "--limit", "1"]);
    session.call(&[
        "timeline",
        "--task",
        "Work",
        "--include-subtasks",
        "--event-types",
        "checkpoint,file_change",
    ]);
    session.call(&["timeline", "--to", "yesterday"]);
    session.call(&["timeline", "--from", "soon"]);
    session.call(&["timeline", "--from", "today", "--to", "yesterday"]);
    session.call(&["timeline", "--event-types", "dreams"]);
    session.call(&["timeline", "--include-subtasks"]);
    session.call(&["timeline", "--contract", "nosuch"]);
    session.call(&["contract", "history", "nosuch"]);
    let shown = session.end().await;
    assert_snapshot!(Regex::new(r", \d+ s\b").unwrap().replace_all(&shown, ", [TIME]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_and_done_is_found() {
    let lab = lab();
    let mut session = Session::new(&lab);
    session.call(&["search", "line"]);
    session.call(&["task", "create", "WORK", "--name", "Work"]);
    let work = lab.task().await.id;
    lab.task_when(work, "it is done", |task| task.status == TaskStatus::Completed).await;
    session.call(&["search", "new.txt"]);
    session.call(&["search", "\"exit 3\"", "--tool", "bash", "--role", "assistant", "--task", "Work"]);
    session.call(&["search", "wrong", "--errors", "--from", "today"]);
    session.call(&["search", "line", "30", "--limit", "1"]);
    session.call(&["search", "line", "--to", "yesterday"]);
    session.call(&["search", "***"]);
    session.call(&["search"]);
    session.call(&["search", "line", "--role", "nobody"]);
    session.call(&["search", "line", "--contract", "nosuch"]);
    session.call(&["search", "line", "--from", "today", "--to", "yesterday"]);
    let of_api = lab.client().search(&Search { q: "line 30".into(), ..Search::default() }).await.unwrap();
    assert_eq!(is_one::<SearchHits>(&lab, &["search", "line", "30"]), of_api);
    let shown = session.end().await;
    let shown = Regex::new("message:[0-9a-f-]{36}").unwrap().replace_all(&shown, "message:[ID]").into_owned();
    let shown = Regex::new(r"time:\S+").unwrap().replace_all(&shown, "time:[TIME]").into_owned();
    assert_snapshot!(shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    let lab = lab();
    let mut session = Session::new(&lab);
    for command in [
        &["task", "show", "nosuch"][..],
        &["task", "logs", "nosuch"],
        &["task", "history", "nosuch"],
        &["task", "stop", "nosuch"],
        &["task", "cancel", "nosuch"],
        &["task", "send", "nosuch", "more"],
        &["task", "answer", "nosuch", "allow"],
        &["task", "checkpoint", "nosuch"],
        &["task", "checkpoints", "nosuch"],
        &["task", "snapshots", "nosuch"],
        &["task", "restore", "nosuch", "nosuch", "--yes"],
        &["task", "delete", "nosuch", "--yes"],
        &["task", "delete", "nosuch", "--purge", "--yes"],
        &["contract", "delete", "nosuch", "--yes"],
        &["op", "show", "nosuch"],
        &["undo", "nosuch", "--yes"],
        &["task", "show", "01a1fb67-1b58-72b2-b33a-30ddde8c70fb"],
        &["task", "create", "plan", "--contract", "nosuch"],
        &["task", "create", "plan", "--daemon", "nosuch"],
        &["task", "list", "--contract", "nosuch"],
        &["task", "list", "--daemon", "nosuch"],
        &["contract", "show", "nosuch"],
        &["contract", "phase", "plan", "--contract", "nosuch"],
        &["key", "revoke", "nosuch"],
        &["task", "create", "plan", "--repository", "/nonexistent"],
        &["task", "create", "plan", "--agent", "nosuch"],
    ] {
        session.call(command);
    }
    assert_snapshot!(session.end().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_wrong_or_revoked_opens_nothing() {
    let lab = lab();
    let revoked =
        lab.finish(&["key", "create", "lost", "--json"]).json()["apiKey"].as_str().unwrap().to_owned();
    assert_eq!(lab.finish(&["key", "revoke", "lost"]).code, Some(0));
    let commands = [
        &["status"][..],
        &["open", "--print"],
        &["run", "plan"],
        &["task", "create", "plan"],
        &["task", "list"],
        &["task", "show", "abcd"],
        &["task", "logs", "abcd"],
        &["task", "history", "abcd"],
        &["task", "stop", "abcd"],
        &["task", "cancel", "abcd"],
        &["task", "send", "abcd", "more"],
        &["task", "answer", "abcd", "allow"],
        &["task", "checkpoint", "abcd"],
        &["task", "checkpoints", "abcd"],
        &["task", "delete", "abcd", "--yes"],
        &["op", "log"],
        &["undo", "--yes"],
        &["timeline"],
        &["search", "line"],
        &["contract", "history"],
        &["contract", "create", "name"],
        &["contract", "list"],
        &["contract", "show", "abcd"],
        &["contract", "phase", "plan"],
        &["daemon", "list"],
        &["key", "create", "name"],
        &["key", "list"],
        &["key", "revoke", "abcd"],
    ];
    let mut said = Vec::new();
    for key in ["mk_wrong", &revoked] {
        for command in commands {
            // Whoever tries many wrong keys is told to wait; that is another answer, and not the one asked for here.
            let shown = until("the key is looked at", async || {
                let mut session = Session::with_key(&lab, key);
                session.call(command);
                let (_, shown) = session.shown.split_once('\n').unwrap();
                (!shown.contains("too many requests")).then(|| shown.to_owned())
            });
            said.push(shown.await);
        }
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:#?}");
    assert_snapshot!(said[0]);
}

fn is_one<T: DeserializeOwned>(lab: &Lab, arguments: &[&str]) -> T {
    let ended = lab.finish(&[arguments, &["--json"]].concat());
    assert_eq!(ended.code, Some(0), "{arguments:?} {ended:?}");
    assert_eq!(ended.stdout.trim_end().lines().count(), 1, "{arguments:?} {ended:?}");
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {ended:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_one_document_in_the_shape_of_the_api() {
    let lab = lab();
    let contract: Contract = is_one(&lab, &["contract", "create", "Parser"]);
    let task: Task = is_one(&lab, &["task", "create", "WORK", "--contract", "Parser"]);
    lab.task_when(task.id, "it is done", |task| task.status == TaskStatus::Completed).await;
    let of_api: Task = lab.client().task(task.id).await.unwrap();
    assert_eq!(is_one::<Task>(&lab, &["task", "show", "WORK"]), of_api);
    let log: Value = is_one(&lab, &["task", "logs", "WORK"]);
    let followed: Value = is_one(&lab, &["task", "logs", "-f", "WORK"]);
    assert_eq!(log, followed);
    assert_eq!(log["totalCount"], log["events"].as_array().unwrap().len());
    let history: Conversation = is_one(&lab, &["task", "history", "WORK"]);
    assert_eq!(history, lab.client().conversation(task.id).await.unwrap());
    let middle = history.messages[4].id.to_string();
    let around: Conversation =
        is_one(&lab, &["task", "history", "WORK", "--around", &middle, "--limit", "3"]);
    assert_eq!(around.messages, history.messages[3..6]);
    let at: Conversation = is_one(&lab, &["task", "history", "WORK", "--at", &format!("message:{middle}")]);
    assert_eq!(at.messages, history.messages[..5]);
    let _: Checkpoint = is_one(&lab, &["task", "checkpoint", "WORK"]);
    let checkpoints: CheckpointList = is_one(&lab, &["task", "checkpoints", "WORK"]);
    assert_eq!(checkpoints.total_count, 2);
    let undone: Operation = is_one(&lab, &["undo", "--yes"]);
    assert_eq!(is_one::<Operation>(&lab, &["op", "show", &undone.id.to_string()]), undone);
    assert_eq!(is_one::<OperationList>(&lab, &["op", "log"]).total_count, 2);
    assert_eq!(is_one::<SnapshotList>(&lab, &["task", "snapshots", "WORK"]).total_count, 1);
    let _: SentMessage = is_one(&lab, &["task", "send", "WORK", "MORE", "--no-follow"]);
    lab.task_when(task.id, "it is done again", |task| task.run_number == 2 && task.status.is_over()).await;
    let cancelled: Task = is_one(&lab, &["task", "cancel", "WORK"]);
    assert_eq!(cancelled.status, TaskStatus::Cancelled);
    for n in 0..3 {
        let _: Task = is_one(&lab, &["task", "create", "MORE", "--no-start", "--name", &format!("{n}")]);
    }
    let first: TaskList = is_one(&lab, &["task", "list", "--limit", "3"]);
    assert_eq!((first.tasks.len(), first.total_count), (3, 4));
    let cursor = first.cursor.unwrap();
    let rest: TaskList = is_one(&lab, &["task", "list", "--limit", "3", "--cursor", &cursor]);
    assert_eq!((rest.tasks.len(), rest.cursor), (1, None));
    let all: TaskList = is_one(&lab, &["task", "list", "--all"]);
    assert_eq!((all.tasks.len(), all.cursor), (4, None));
    let contracts: ContractList = is_one(&lab, &["contract", "list"]);
    assert_eq!(contracts.contracts[0].id, contract.id);
    assert_eq!(is_one::<Contract>(&lab, &["contract", "show"]).id, contract.id);
    let _: Contract = is_one(&lab, &["contract", "phase", "plan"]);
    let _: DaemonList = is_one(&lab, &["daemon", "list"]);
    let made: CreatedKey = is_one(&lab, &["key", "create", "laptop"]);
    Client::new(lab.client().url(), Some(made.api_key)).unwrap().me().await.unwrap();
    assert_eq!(is_one::<KeyList>(&lab, &["key", "list"]).total_count, 2);
    assert!(is_one::<Key>(&lab, &["key", "revoke", "laptop"]).revoked_at.is_some());
    let link: SignInLink = is_one(&lab, &["open"]);
    assert!(link.url.ends_with(&link.token), "{}", link.url);
    let status: Value = is_one(&lab, &["status"]);
    assert_eq!(status["taskCounts"], json!({"cancelled": 1, "pending": 3}));
    assert_eq!(status["server"]["url"], lab.client().url());
    let checks: Value = is_one(&lab, &["doctor"]);
    let found: Vec<&Value> =
        checks["checks"].as_array().unwrap().iter().map(|check| &check["name"]).collect();
    assert!(found.contains(&&json!("key")) && found.contains(&&json!("clock")), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_that_is_not_named_is_the_only_active_one_of_the_repository() {
    let lab = lab();
    let create = |name: &str| assert_eq!(lab.finish(&["contract", "create", name]).code, Some(0));
    create("One");
    assert_eq!(lab.finish(&["contract", "phase", "plan"]).code, Some(0));
    // A variable stands above the repository, and a flag above both.
    create("Two");
    let told = |variable: Option<&str>, arguments: &[&str]| {
        let mut command = lab.makima(arguments);
        if let Some(variable) = variable {
            command.env("MAKIMA_CONTRACT_ID", variable);
        }
        finish(start(&mut command))
    };
    let two = told(Some("Two"), &["contract", "phase", "review", "--json"]).json();
    assert_eq!((&two["name"], &two["phase"]), (&json!("Two"), &json!("review")));
    let one = told(Some("Two"), &["contract", "phase", "review", "--contract", "One", "--json"]).json();
    assert_eq!(one["name"], "One");
    let which = told(None, &["contract", "phase", "plan"]);
    assert_eq!(which.code, Some(2), "{which:?}");
    assert!(which.stderr.contains("(One)") && which.stderr.contains("(Two)"), "{which:?}");
    // One that is put away doesn't count.
    let two = lab.client().contracts(&ListContracts::default()).await.unwrap().contracts;
    let two = two.into_iter().find(|contract| contract.name == "Two").unwrap().id;
    let away = makima_wire::ChangeContract {
        status: Some(makima_model::ContractStatus::Archived),
        ..makima_wire::ChangeContract::default()
    };
    lab.client().change_contract(two, &away).await.unwrap();
    assert_eq!(told(None, &["contract", "show", "--json"]).json()["name"], "One");
    // Elsewhere there is none.
    let mut elsewhere = lab.makima(&["contract", "show"]);
    elsewhere.current_dir(lab.data());
    let elsewhere = finish(start(&mut elsewhere));
    assert_eq!(elsewhere.code, Some(2), "{elsewhere:?}");
    assert!(elsewhere.stderr.contains("(One)"), "{elsewhere:?}");
}
