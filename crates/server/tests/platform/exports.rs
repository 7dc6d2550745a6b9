//! Exports: an archive holds all that the API shows, and is whole or not there.

use crate::{
    diffs::{keep, with_two},
    lab::*,
    on_both,
    runs::checkpoint,
};
use flate2::read::GzDecoder;
use makima_client::{Client, ClientError, Export};
use makima_model::{
    BranchReason, Chat, CheckpointMade, CommandId, DaemonStatus, Message, MessageRole, NativeLine, Point,
    Record, RunOutcome, TaskId, ToolCall,
};
use makima_server::Settings;
use makima_wire::{
    Code, CreateContract, CreateSnapshot, CreateTask, Deletion, ExportQuery, ExportedFile, List, ListHistory,
    ListOperations, ListTimeline, Manifest, Order, ReadConversation, RestoreSnapshot, SayInChat, Task,
    WithoutCode, WithoutCodeReason,
    frame::{Bundled, Command, CommandOutcome, CommandResult, Refusal, WantedBundle},
};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, io::Read, time::Duration};
use tokio::task::JoinHandle;

const WITHOUT_CODE: ExportQuery = ExportQuery { format: None, code: Some(false) };
const WITH_CODE: ExportQuery = ExportQuery { format: None, code: None };

/// An archive, taken apart.
struct Unpacked {
    manifest: Manifest,
    files: BTreeMap<String, Vec<u8>>,
}

impl Unpacked {
    async fn of(mut export: Export) -> Self {
        let mut packed = Vec::new();
        while let Some(piece) = export.next().await.unwrap() {
            packed.extend_from_slice(&piece);
        }
        let mut archive = tar::Archive::new(GzDecoder::new(packed.as_slice()));
        let mut files = BTreeMap::new();
        let mut order = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_str().unwrap().to_owned();
            assert_eq!((entry.header().uid().unwrap(), entry.header().mode().unwrap()), (0, 0o644));
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            order.push(name.clone());
            assert!(files.insert(name, bytes).is_none());
        }
        let manifest: Manifest = serde_json::from_slice(&files["manifest.json"]).unwrap();
        let told: Vec<&str> = manifest.files.iter().map(|file| file.name.as_str()).collect();
        assert!(told.is_sorted(), "{told:?}");
        assert_eq!(order, [["manifest.json"].as_slice(), &told].concat());
        for ExportedFile { name, bytes, sha256, lines } in &manifest.files {
            let content = &files[name];
            let hash: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!((content.len() as u64, &hash), (*bytes, sha256), "{name}");
            let counted = content.iter().filter(|byte| **byte == b'\n').count() as u64;
            assert_eq!(*lines, name.ends_with(".jsonl").then_some(counted), "{name}");
        }
        Self { manifest, files }
    }

    /// The lines of a file.
    fn rows(&self, name: &str) -> Vec<Value> {
        let text = std::str::from_utf8(&self.files[name]).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The same without what says to what a row belongs.
    fn bare(&self, name: &str, of: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut rows: Vec<Value> = self.rows(name).into_iter().filter(of).collect();
        for row in &mut rows {
            let fields = row.as_object_mut().unwrap();
            fields.remove("branchId");
            fields.remove("taskId");
        }
        rows
    }
}

fn values<T: Serialize>(rows: Vec<T>) -> Vec<Value> {
    rows.into_iter().map(|row| serde_json::to_value(row).unwrap()).collect()
}

fn oldest() -> List {
    List { order: Some(Order::Asc), limit: Some(1000), ..List::default() }
}

async fn of_task(client: &Client, id: TaskId, how: &ExportQuery) -> Unpacked {
    Unpacked::of(client.export_task(id, how).await.unwrap()).await
}

fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> (Code, String) {
    let error = answer.unwrap_err();
    (error.code().expect("a code"), error.to_string())
}

/// Asks for all of a task.
fn ask(lab: &Lab, id: TaskId) -> JoinHandle<Result<Export, ClientError>> {
    let client = lab.client.clone();
    tokio::spawn(async move { client.export_task(id, &WITH_CODE).await })
}

/// The bundle that a daemon is asked for.
async fn wanted(daemon: &mut LabDaemon) -> (CommandId, WantedBundle) {
    match daemon.command().await {
        (command, Command::Bundle(wanted)) => (command, wanted),
        other => panic!("no bundle but {other:?}"),
    }
}

/// Sends a part of it, as whoever has this key.
async fn put(lab: &Lab, key: &str, wanted: &WantedBundle, at: u64, part: &'static str) -> u16 {
    let WantedBundle { export, number, .. } = wanted;
    let url = format!("{}/api/v1/daemons/exports/{export}/bundles/{number}?at={at}", lab.url());
    let sent = reqwest::Client::new().put(url).bearer_auth(key).body(part).send().await.unwrap();
    sent.status().as_u16()
}

/// What is gathered now, or was left.
fn gathered(lab: &Lab) -> usize {
    let Ok(owners) = std::fs::read_dir(lab.folder().join("exports")) else { return 0 };
    owners.map(|owner| std::fs::read_dir(owner.unwrap().path()).unwrap().count()).sum()
}

async fn nothing_is_left(lab: &Lab) {
    let looking = async {
        while gathered(lab) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("something of an export stays");
}

/// A contract whose task has said, called, kept and undone all sorts of things, and a second one that never ran.
async fn told(lab: &Lab, daemon: &mut LabDaemon) -> (makima_wire::Contract, Task, Task) {
    let contract = CreateContract {
        name: "Parser/../../etc, \"quoted\"".into(),
        repository: "/srv/project".into(),
        ..CreateContract::default()
    };
    let contract = daemon.beside(lab.client.create_contract(&contract)).await.unwrap();
    let wanted = CreateTask { plan: "one".into(), contract_id: Some(contract.id), ..CreateTask::default() };
    let task = daemon.beside(lab.client.create_task(&wanted)).await.unwrap();
    let start = daemon.start().await;
    let say = SayInChat { content: "How is it?".into(), ..SayInChat::default() };
    lab.client.say_in_chat(Chat::Contract(contract.id), &say).await.unwrap();
    let mut asks = Message::said(lab.clock.new_id(), MessageRole::Assistant, "I read.", lab.clock.now());
    asks.thinking = Some("Where is it?".into());
    asks.tool_calls =
        vec![ToolCall { id: "call-1".into(), name: "Read".into(), input: json!({ "path": "a" }) }];
    let mut result = Message::said(lab.clock.new_id(), MessageRole::Tool, "", lab.clock.now());
    (result.tool_call_id, result.tool_name) = (Some("call-1".into()), Some("Read".into()));
    (result.tool_result, result.is_error) = (Some("\u{1b}[31mtext\u{0}".into()), Some(false));
    let line = |line: &str| NativeLine { uuid: Some("u".into()), line: line.into() };
    let id = asks.id;
    let native = |file: &str, text: &str| Record::Native {
        message: Some(id),
        file: file.into(),
        lines: vec![line(text), line("{\"more\" : 1}")],
    };
    let mut records = begun(&task);
    records.extend([
        heard(start.inputs[0].id, lab.clock.now(), "one"),
        Record::Message { message: asks.clone() },
        native("", "{ \"as\":  \"it is\" }"),
        native("agents/side.jsonl", "torn {"),
        Record::Message { message: result },
        turn(0.5),
        Record::Checkpoint(checkpoint(lab, 1, Some(1))),
    ]);
    daemon.tell(start.run, 1, records).await;
    let more = [said(&lab.clock, MessageRole::Assistant, "Done."), ended(RunOutcome::Completed)];
    let taken = lab.client.create_snapshot(task.id, &CreateSnapshot::default()).await.unwrap();
    daemon.tell(start.run, 11, more.into()).await;
    lab.until(&task, |task| task.status.is_over()).await;
    lab.client.restore_snapshot(task.id, taken.id, RestoreSnapshot::default()).await.unwrap();
    let wanted = CreateTask { plan: "two".into(), start: Some(false), ..wanted };
    let other = daemon.beside(lab.client.create_task(&wanted)).await.unwrap();
    (contract, task, other)
}

on_both! {
    async fn an_archive_holds_all_that_the_api_shows(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (contract, task, other) = told(&lab, &mut daemon).await;
        let export = lab.client.export_contract(contract.id, &WITHOUT_CODE).await.unwrap();
        let short = contract.id.short();
        assert_eq!(export.name(), Some(format!("makima-parser-etc-quoted-{short}.tar.gz").as_str()));
        let all = Unpacked::of(export).await;
        let Manifest { version, makima, contract_id, task_id, name, .. } = &all.manifest;
        assert_eq!((*version, makima.as_str(), name), (1, "test", &contract.name));
        assert_eq!((*contract_id, *task_id), (Some(contract.id), None));

        let client = &lab.client;
        assert_eq!(all.rows("contract.jsonl"), values(vec![client.contract(contract.id).await.unwrap()]));
        let tasks = [client.task(task.id).await.unwrap(), client.task(other.id).await.unwrap()];
        assert_eq!(all.rows("tasks.jsonl"), values(tasks.to_vec()));
        let history = ListHistory { limit: Some(1000), order: Some(Order::Asc), ..ListHistory::default() };
        let entries = client.contract_history(contract.id, &history).await.unwrap().entries;
        assert_eq!(all.rows("events.jsonl"), values(entries));
        let operations = ListOperations { contract_id: Some(contract.id), order: Some(Order::Asc), ..ListOperations::default() };
        let operations = client.operations(&operations).await.unwrap().operations;
        assert_eq!(operations.len(), 1);
        assert_eq!(all.rows("operations.jsonl"), values(operations));
        let chat = Chat::Contract(contract.id);
        let conversations = client.chat_conversations(chat, &oldest()).await.unwrap().conversations;
        assert_eq!(all.rows("chat_conversations.jsonl"), values(conversations));
        let messages = client.chat_messages(chat, &oldest()).await.unwrap().messages;
        assert_eq!(messages.len(), 1);
        assert_eq!(all.rows("chat_messages.jsonl"), values(messages));
        assert_eq!(all.rows("imports.jsonl"), Vec::<Value>::new());

        for id in [task.id, other.id] {
            let is_its = |row: &Value| row["taskId"] == json!(id);
            let of_it = |name: &str| all.rows(name).into_iter().filter(is_its).collect::<Vec<_>>();
            assert_eq!(of_it("checkpoints.jsonl"), values(client.checkpoints(id, &oldest()).await.unwrap().checkpoints));
            assert_eq!(of_it("snapshots.jsonl"), values(client.snapshots(id, &oldest()).await.unwrap().snapshots));
            assert_eq!(of_it("task_events.jsonl"), values(client.events(id, &oldest()).await.unwrap().events));
            let branches = client.branches(id, &oldest()).await.unwrap().branches;
            assert_eq!(all.bare("branches.jsonl", is_its), values(branches));
        }

        // Every branch has its own messages, and together they are every conversation that there was.
        let now = client.conversation(task.id).await.unwrap().messages;
        let branches = client.branches(task.id, &oldest()).await.unwrap().branches;
        assert_eq!((branches.len(), branches[1].reason), (2, BranchReason::Restored));
        let rows = all.rows("messages.jsonl");
        let last: Point = format!("message:{}", rows.last().unwrap()["id"].as_str().unwrap()).parse().unwrap();
        let whole = ReadConversation { at: Some(last), ..ReadConversation::default() };
        let whole = client.read_conversation(task.id, &whole).await.unwrap().messages;
        assert_eq!((now.len(), whole.len()), (3, 4));
        assert_eq!(all.bare("messages.jsonl", |row| row["branchId"] == json!(branches[0].id)), values(whole));
        assert!(rows.iter().all(|row| row["taskId"] == json!(task.id)));
        assert_eq!(rows.len(), 4);

        // The agent's own lines are as it wrote them.
        let native = all.rows("native.jsonl");
        let lines: Vec<(&str, &str)> =
            native.iter().map(|row| (row["file"].as_str().unwrap(), row["line"].as_str().unwrap())).collect();
        assert_eq!(lines, [
            ("", "{ \"as\":  \"it is\" }"),
            ("", "{\"more\" : 1}"),
            ("agents/side.jsonl", "torn {"),
            ("agents/side.jsonl", "{\"more\" : 1}"),
        ]);
        assert!(native.iter().all(|row| (&row["index"], &row["uuid"]) == (&json!(1), &json!("u"))));
        nothing_is_left(&lab).await;
    }

    async fn a_task_s_archive_is_of_that_task_alone(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (contract, task, other) = told(&lab, &mut daemon).await;
        let all = of_task(&lab.client, task.id, &WITHOUT_CODE).await;
        assert_eq!((all.manifest.contract_id, all.manifest.task_id), (None, Some(task.id)));
        assert!(!all.files.keys().any(|name| name.starts_with("chat") || name == "contract.jsonl"));
        assert_eq!(all.rows("tasks.jsonl"), values(vec![lab.client.task(task.id).await.unwrap()]));
        let timeline = ListTimeline { task_id: Some(task.id), order: Some(Order::Asc), limit: Some(1000), ..ListTimeline::default() };
        assert_eq!(all.rows("events.jsonl"), values(lab.client.timeline(&timeline).await.unwrap().entries));
        let of_both = |name: &str| all.rows(name).iter().any(|row| row.to_string().contains(&other.id.to_string()));
        assert!(!all.files.keys().filter(|name| name.ends_with(".jsonl")).any(|name| of_both(name)));
        // The same data makes the same files.
        let again = of_task(&lab.client, task.id, &WITHOUT_CODE).await;
        assert_eq!(again.manifest.files, all.manifest.files);

        // One that is in the trash, or another owner's, isn't there.
        let stranger = lab.stranger().await;
        assert_eq!(refused(stranger.export_task(task.id, &WITHOUT_CODE).await).0, Code::NotFound);
        assert_eq!(refused(stranger.export_contract(contract.id, &WITHOUT_CODE).await).0, Code::NotFound);
        lab.client.delete_task(task.id, Deletion::default()).await.unwrap();
        assert_eq!(refused(lab.client.export_task(task.id, &WITHOUT_CODE).await).0, Code::NotFound);
        let rest = Unpacked::of(lab.client.export_contract(contract.id, &WITHOUT_CODE).await.unwrap()).await;
        assert_eq!(rest.rows("tasks.jsonl"), values(vec![lab.client.task(other.id).await.unwrap()]));
        nothing_is_left(&lab).await;
    }

    async fn the_patch_of_each_checkpoint_is_in_it_where_there_is_one(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (task, _, [_, second]) = with_two(&lab, &mut daemon).await;
        let all = of_task(&lab.client, task.id, &WITHOUT_CODE).await;
        let patches: Vec<&String> = all.files.keys().filter(|name| name.starts_with("patches/")).collect();
        assert_eq!(patches, [&format!("patches/{}/1.patch", task.id)]);
        assert!(all.files[patches[0]].starts_with(b"diff --git a/hello.txt"));
        let without: Vec<_> = all.manifest.without_patch.iter().map(|told| (told.id, told.checkpoint_number)).collect();
        assert_eq!(without, [(second.id, 2)]);
        assert_eq!(all.manifest.without_code, [WithoutCode { task_id: task.id, reason: WithoutCodeReason::NotWanted }]);
        assert_eq!(all.manifest.code, []);
    }

    async fn the_code_comes_from_its_daemon_part_by_part(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (task, _, [first, second]) = with_two(&lab, &mut daemon).await;
        let idle = lab.count("SELECT COUNT(*) FROM daemon_commands").await;
        let asking = ask(&lab, task.id);
        let (command, wanted) = wanted(&mut daemon).await;
        assert_eq!((wanted.number, wanted.repository.as_str()), (1, "/srv/project"));
        assert_eq!(wanted.branches, std::slice::from_ref(&task.branch_name));
        let tags: Vec<_> = wanted.tags.iter().map(|tag| (tag.tag.clone(), tag.commit.clone())).collect();
        let tag = |n: i64| format!("makima/{}/{n}", task.id);
        assert_eq!(tags, [(tag(1), first.commit_sha), (tag(2), second.commit_sha.clone())]);
        // A part that is sent again is taken once.
        for (at, part) in [(0, "one"), (3, "two"), (3, "two"), (6, "three")] {
            assert_eq!(put(&lab, &lab.key, &wanted, at, part).await, 204);
        }
        let stranger = lab.server.app().create_user("mallory").await.unwrap().api_key;
        assert_eq!(put(&lab, &stranger, &wanted, 0, "evil").await, 404);
        let bundled = Bundled { bytes: 11, missing: vec![second.commit_sha.clone()] };
        daemon.finish(command, CommandOutcome::Done(CommandResult::Bundle(bundled))).await;
        let all = Unpacked::of(asking.await.unwrap().unwrap()).await;
        assert_eq!(all.files["code.bundle"], b"onetwothree");
        let code = &all.manifest.code[0];
        assert_eq!((code.file.as_deref(), code.daemon_id), (Some("code.bundle"), daemon.id));
        assert_eq!((&code.tasks, code.missing.len(), code.missing[0].id), (&vec![task.id], 1, second.id));
        assert_eq!(all.manifest.without_code, []);
        // Nobody takes any more of it, and the command is forgotten.
        nothing_is_left(&lab).await;
        assert_eq!(put(&lab, &lab.key, &wanted, 11, "late").await, 404);
        assert_eq!(gathered(&lab), 0);
        while lab.count("SELECT COUNT(*) FROM daemon_commands").await > idle {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        lab.verify().await;
    }

    async fn code_that_does_not_come_is_an_answer_and_leaves_nothing(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (task, _, [first, second]) = with_two(&lab, &mut daemon).await;
        // It can't be made.
        let asking = ask(&lab, task.id);
        let (command, _) = wanted(&mut daemon).await;
        let refusal = Refusal { code: Code::Conflict, message: "the repository is a shallow clone".into() };
        daemon.finish(command, CommandOutcome::Refused(refusal)).await;
        let (code, message) = refused(asking.await.unwrap());
        assert_eq!(code, Code::Conflict);
        assert!(message.contains("shallow clone") && message.contains("code=false"), "{message}");
        // Less came than was sent.
        let asking = ask(&lab, task.id);
        let (command, wanted_now) = wanted(&mut daemon).await;
        assert_eq!(put(&lab, &lab.key, &wanted_now, 0, "half").await, 204);
        daemon.finish(command, CommandOutcome::Done(CommandResult::Bundle(Bundled { bytes: 8, missing: vec![] }))).await;
        assert_eq!(refused(asking.await.unwrap()).0, Code::NoDaemon);
        // There is nothing of it any more.
        let asking = ask(&lab, task.id);
        let (command, _) = wanted(&mut daemon).await;
        let missing = vec![first.commit_sha, second.commit_sha];
        daemon.finish(command, CommandOutcome::Done(CommandResult::Bundle(Bundled { bytes: 0, missing }))).await;
        let all = Unpacked::of(asking.await.unwrap().unwrap()).await;
        assert_eq!((&all.manifest.code[0].file, all.manifest.code[0].missing.len()), (&None, 2));
        assert!(!all.files.contains_key("code.bundle"));
        nothing_is_left(&lab).await;
        lab.verify().await;
    }

    /// Fault: the daemon is away
    /// Moment: before or while an export waits for its code
    /// Outcome: 503 that says how to export the rest, nothing is left, and without the code it is exported
    async fn without_its_daemon_everything_but_the_code_is_exported(engine) {
        let short = Duration::from_secs(1);
        let settings = Settings { silence: short, grace: Duration::ZERO, patience: short, ..Settings::default() };
        let lab = Lab::with(engine, settings).await;
        let mut daemon = lab.daemon().await;
        let (task, ..) = with_two(&lab, &mut daemon).await;
        let asking = ask(&lab, task.id);
        wanted(&mut daemon).await;
        drop(daemon);
        for (code, message) in [refused(asking.await.unwrap()), refused(lab.client.export_task(task.id, &WITH_CODE).await)] {
            assert_eq!(code, Code::NoDaemon);
            assert!(message.contains("code=false"), "{message}");
        }
        assert_eq!(lab.client.daemons().await.unwrap().daemons[0].status, DaemonStatus::Offline);
        let all = of_task(&lab.client, task.id, &WITHOUT_CODE).await;
        assert_eq!(all.rows("checkpoints.jsonl").len(), 2);
        nothing_is_left(&lab).await;
        lab.verify().await;
    }

    async fn who_asked_is_gone_and_so_is_what_was_gathered(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (task, ..) = with_two(&lab, &mut daemon).await;
        let idle = lab.count("SELECT COUNT(*) FROM daemon_commands").await;
        // While it is gathered.
        let asking = ask(&lab, task.id);
        let (_, wanted) = wanted(&mut daemon).await;
        assert_eq!((put(&lab, &lab.key, &wanted, 0, "half").await, gathered(&lab)), (204, 1));
        asking.abort();
        nothing_is_left(&lab).await;
        assert_eq!(put(&lab, &lab.key, &wanted, 4, "more").await, 404);
        while lab.count("SELECT COUNT(*) FROM daemon_commands").await > idle {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // While it is sent: more than what is on its way at once.
        let mut state = 1_u64;
        let digits = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("{state:016x}")
        });
        let patch: String = digits.take(3 << 19).collect();
        let big = CheckpointMade { patch: Some(keep(&lab, &patch).await), ..checkpoint(&lab, 1, Some(1)) };
        let task = daemon.beside(lab.task("big")).await;
        let start = daemon.start().await;
        let mut records = begun(&task);
        records.extend([turn(0.0), Record::Checkpoint(big), ended(RunOutcome::Completed)]);
        daemon.tell(start.run, 1, records).await;
        let mut export = lab.client.export_task(task.id, &WITHOUT_CODE).await.unwrap();
        assert!(export.next().await.unwrap().is_some());
        assert_eq!(gathered(&lab), 1);
        drop(export);
        nothing_is_left(&lab).await;
    }
}
