//! The timeline: of a contract, of tasks, of everything.

use crate::{lab::*, on_both};
use makima_client::{Client, ClientError};
use makima_model::{
    Chat, CheckpointId, CheckpointKind, CheckpointMade, Entry, EventKind, FileAction, FileChange,
    HistoryType, MessageRole, Phase, Record, RunOutcome, TaskId,
};
use makima_wire::{
    Code, Contract, CreateContract, CreateTask, Deletion, EntryType, ListHistory, ListTimeline, Order,
    SayInChat, Task, Timeline, Words,
    frame::{FromDaemon, StartRun},
};
use serde_json::{Value, json};
use std::time::Duration;

struct Work {
    lab: Lab,
    daemon: LabDaemon,
    contract: Contract,
    task: Task,
    start: StartRun,
}

/// A contract with a task that an agent works on.
async fn work(engine: Engine) -> Work {
    let lab = Lab::new(engine).await;
    let mut daemon = lab.daemon().await;
    let wanted = CreateContract {
        name: "Rain".into(),
        repository: "/srv/project".into(),
        ..CreateContract::default()
    };
    let contract = daemon.beside(lab.client.create_contract(&wanted)).await.unwrap();
    let wanted =
        CreateTask { plan: "Find the rain".into(), contract_id: Some(contract.id), ..CreateTask::default() };
    let task = daemon.beside(lab.client.create_task(&wanted)).await.unwrap();
    let start = daemon.start().await;
    daemon.tell(start.run, 1, begun(&task)).await;
    Work { lab, daemon, contract, task, start }
}

impl Work {
    async fn history(&self, list: ListHistory) -> Timeline {
        self.lab.client.contract_history(self.contract.id, &list).await.unwrap()
    }

    /// The whole answer of an address below the API's path, as it stands.
    async fn raw(&self, path: &str) -> Value {
        self.lab.client.get(path).await.unwrap()
    }

    /// A task of the contract that waits.
    async fn waiting(&mut self, plan: &str, parent: TaskId) -> Task {
        let wanted = CreateTask {
            plan: plan.into(),
            contract_id: Some(self.contract.id),
            parent_task_id: Some(parent),
            start: Some(false),
            ..CreateTask::default()
        };
        self.daemon.beside(self.lab.client.create_task(&wanted)).await.unwrap()
    }
}

fn checkpoint(lab: &Lab, turn: Option<u32>, files: usize) -> (CheckpointId, Record) {
    let id = lab.clock.new_id();
    let file = |n| FileChange {
        path: format!("src/{n}.rs"),
        path_bytes: None,
        action: FileAction::Modified,
        old_path: None,
        additions: 2,
        deletions: 1,
        binary: false,
    };
    let made = CheckpointMade {
        id,
        number: 1,
        kind: if turn.is_some() { CheckpointKind::Turn } else { CheckpointKind::Manual },
        turn,
        at: lab.clock.now(),
        commit_sha: "a".repeat(40),
        branch_name: "makima/find-the-rain".into(),
        message: "Find the rain".into(),
        previous: None,
        files_changed: (0..files).map(file).collect(),
        lines_added: 2 * files as u64,
        lines_removed: files as u64,
        not_held: Vec::new(),
        patch: None,
    };
    (id, Record::Checkpoint(made))
}

fn types(timeline: &Timeline) -> Vec<&str> {
    timeline.entries.iter().map(|entry| entry.event_type.as_str()).collect()
}

async fn code<T: std::fmt::Debug>(answer: impl Future<Output = Result<T, ClientError>>) -> Code {
    let error = answer.await.unwrap_err();
    error.code().unwrap_or_else(|| panic!("{error:?}"))
}

/// A walk by pages of two.
async fn walk(client: &Client, wanted: &ListTimeline) -> Vec<String> {
    let mut wanted = ListTimeline { limit: Some(2), ..wanted.clone() };
    let mut walked = Vec::new();
    loop {
        let page = client.timeline(&wanted).await.unwrap();
        walked.extend(types(&page).into_iter().map(str::to_owned));
        wanted.cursor = page.cursor;
        if wanted.cursor.is_none() {
            return walked;
        }
    }
}

on_both! {
    async fn a_history_tells_what_a_contracts_task_did_with_every_field(engine) {
        let mut work = work(engine).await;
        let (lab, run) = (&work.lab, work.start.run);
        let (checkpoint, made) = checkpoint(lab, Some(1), 2);
        work.daemon.tell(run, 4, vec![said(&lab.clock, MessageRole::Assistant, "It rains"), turn(0.25)]).await;
        work.daemon.tell(run, 6, vec![made, ended(RunOutcome::Completed)]).await;
        let chat = Chat::Contract(work.contract.id);
        let words = SayInChat { content: "Well found".into(), ..SayInChat::default() };
        let message = lab.client.say_in_chat(chat, &words).await.unwrap();
        lab.client.set_phase(work.contract.id, Phase::Execute).await.unwrap();

        let path = format!("/contracts/{}/history?order=asc", work.contract.id);
        let answer = work.raw(&path).await;
        assert_eq!((&answer["contractId"], &answer["totalCount"]), (&json!(work.contract.id), &json!(10)));
        assert!(answer.get("cursor").is_none() && answer.get("totalCountIsLowerBound").is_none());
        let mut entries = answer["entries"].as_array().unwrap().clone();
        for entry in &mut entries {
            let entry = entry.as_object_mut().unwrap();
            assert!(entry.remove("id").is_some() && entry.remove("timestamp").is_some());
            assert_eq!(entry.remove("contractId"), Some(json!(work.contract.id)));
        }
        let of_task = |of: Value| {
            let mut entry = json!({ "phase": "research", "taskId": work.task.id, "taskName": "Find the rain" });
            entry.as_object_mut().unwrap().extend(of.as_object().unwrap().clone());
            entry
        };
        let task = |event_type: &str, data: Value| {
            of_task(json!({ "entryType": "task_event", "eventType": event_type, "eventData": data }))
        };
        let files = json!([
            { "path": "src/0.rs", "action": "M", "additions": 2, "deletions": 1 },
            { "path": "src/1.rs", "action": "M", "additions": 2, "deletions": 1 },
        ]);
        let changed = json!({
            "checkpointId": checkpoint, "checkpointNumber": 1, "filesChanged": files, "linesAdded": 4, "linesRemoved": 2,
        });
        let with = |mut entry: Value, more: &Value| {
            entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            entry
        };
        let turn = json!({
            "runNumber": 1, "turn": 1, "outcome": "completed", "costUsd": 0.25, "durationMs": 5, "tools": { "Write": 1 },
            "usage": { "inputTokens": 100, "outputTokens": 20, "cacheReadTokens": 0, "cacheCreationTokens": 0 },
        });
        assert_eq!(entries, [
            json!({ "entryType": "phase_change", "eventType": "phase_change", "phase": "research", "newPhase": "research" }),
            task("task_created", json!({ "name": "Find the rain", "role": "worker", "status": "pending" })),
            task("task_status", json!({ "previousStatus": "pending", "newStatus": "starting" })),
            task("task_status", json!({ "previousStatus": "starting", "newStatus": "running" })),
            with(task("task_turn", turn), &changed),
            with(
                of_task(json!({
                    "entryType": "checkpoint", "eventType": "checkpoint", "commitSha": "a".repeat(40), "message": "Find the rain",
                    "eventData": { "kind": "turn", "branchName": "makima/find-the-rain" },
                })),
                &changed,
            ),
            with(
                of_task(json!({
                    "entryType": "file_change", "eventType": "file_change", "eventData": { "runNumber": 1, "turn": 1 },
                })),
                &changed,
            ),
            task("task_completed", json!({ "previousStatus": "running", "newStatus": "completed" })),
            json!({
                "entryType": "chat_message", "eventType": "chat_message", "phase": "research", "role": "user", "content": "Well found",
                "conversationId": message.conversation_id, "messageId": message.id, "eventData": { "contextType": "contract" },
            }),
            json!({
                "entryType": "phase_change", "eventType": "phase_change", "phase": "execute", "previousPhase": "research",
                "newPhase": "execute",
            }),
        ]);
        lab.verify().await;
    }

    async fn a_turn_that_changed_very_many_files_names_the_first_and_says_how_many_more(engine) {
        let mut work = work(engine).await;
        let (_, made) = checkpoint(&work.lab, Some(1), 503);
        let (_, unchanged) = checkpoint(&work.lab, Some(2), 0);
        // All in one transaction.
        work.daemon.tell(work.start.run, 4, vec![turn(0.0), made]).await;
        let told = work.history(ListHistory { event_types: Words(vec![HistoryType::FileChange, HistoryType::TaskTurn]), ..ListHistory::default() }).await;
        assert_eq!(types(&told), ["file_change", "task_turn"]);
        for entry in told.entries {
            assert_eq!((entry.files_changed.unwrap().len(), entry.files_omitted, entry.lines_added), (500, Some(3), Some(1006)));
        }
        // A turn after which nothing but the commit differs has changed no file.
        work.daemon.tell(work.start.run, 6, vec![unchanged]).await;
        assert_eq!(work.history(ListHistory { event_types: Words(vec![HistoryType::FileChange]), ..ListHistory::default() }).await.total_count, 1);
    }

    async fn a_history_is_filtered_and_its_total_is_exact(engine) {
        let mut work = work(engine).await;
        let run = work.start.run;
        let (_, made) = checkpoint(&work.lab, Some(1), 1);
        work.daemon.tell(run, 4, vec![turn(0.0), made]).await;
        work.lab.client.set_phase(work.contract.id, Phase::Plan).await.unwrap();
        work.daemon.tell(run, 6, vec![ended(RunOutcome::Completed)]).await;
        let all = work.history(ListHistory::default()).await;
        assert_eq!(all.entries.len(), 9);
        for (query, expected) in [
            ("event_types=task_created", &["task_created"][..]),
            ("event_types=task_completed,checkpoint", &["task_completed", "checkpoint"]),
            ("event_types=task_completed&event_types=task_status", &["task_completed", "task_status", "task_status"]),
            ("event_types=task_turn", &["task_turn"]),
            ("event_types=file_change,checkpoint&phase=research", &["file_change", "checkpoint"]),
            ("event_types=phase_change&phase=plan", &["phase_change"]),
            ("event_types=chat", &[]),
            ("phase=plan,review", &["task_completed", "phase_change"]),
            ("phase=review", &[]),
        ] {
            let told: Timeline = work.lab.client.get(&format!("/contracts/{}/history?{query}", work.contract.id)).await.unwrap();
            assert_eq!(types(&told), expected, "{query}");
            assert_eq!((told.total_count, told.cursor), (expected.len() as i64, None), "{query}");
        }
        let middle = all.entries[4].timestamp;
        for (from, to) in [(Some(middle), None), (None, Some(middle)), (Some(middle), Some(middle))] {
            let wanted = ListHistory { from, to, ..ListHistory::default() };
            let expected: Vec<_> = all.entries.iter()
                .filter(|entry| from.is_none_or(|from| entry.timestamp >= from) && to.is_none_or(|to| entry.timestamp <= to))
                .cloned().collect();
            let told = work.history(wanted).await;
            assert_eq!((told.total_count, &told.entries), (expected.len() as i64, &expected));
        }
        // What was counted for the first page stands on the later ones.
        let mut wanted = ListTimeline { task_id: Some(work.task.id), event_types: Words(vec![HistoryType::TaskStatus, HistoryType::TaskTurn]), limit: Some(1), ..ListTimeline::default() };
        for expected in ["task_turn", "task_status", "task_status"] {
            let page = work.lab.client.timeline(&wanted).await.unwrap();
            assert_eq!((types(&page), page.total_count), (vec![expected], 3));
            wanted.cursor = page.cursor;
        }
        assert_eq!(wanted.cursor, None);
    }

    async fn the_feed_goes_on_where_a_page_of_the_timeline_was_read(engine) {
        let mut work = work(engine).await;
        let before = work.lab.client.timeline(&ListTimeline::default()).await.unwrap();
        work.daemon.tell(work.start.run, 4, vec![turn(0.0), ended(RunOutcome::Completed)]).await;
        let mut feed = Box::pin(work.lab.client.contract_feed(work.contract.id, Some(before.feed_seq)).await.unwrap());
        let told = take(&mut feed, 4).await;
        let heard: Vec<Value> = told.iter().filter(|event| event.event == "history").map(|event| serde_json::from_str(&event.data).unwrap()).collect();
        let after = work.raw("/timeline?order=asc").await;
        let entries = after["entries"].as_array().unwrap();
        assert_eq!(before.entries.len() + heard.len(), entries.len());
        assert_eq!(entries[before.entries.len()..], heard[..]);
    }

    async fn a_tree_of_tasks_is_told_to_its_leaves(engine) {
        let mut work = work(engine).await;
        let child = work.waiting("child", work.task.id).await;
        work.waiting("grandchild", child.id).await;
        let apart = work.waiting("apart", work.task.id).await;
        let client = &work.lab.client;
        let of = |task: TaskId, include_subtasks: bool| ListTimeline { task_id: Some(task), include_subtasks, ..ListTimeline::default() };
        let names = |timeline: &Timeline| timeline.entries.iter().map(|entry| entry.task_name.clone().unwrap()).collect::<Vec<_>>();
        let told = client.timeline(&of(work.task.id, true)).await.unwrap();
        assert_eq!(names(&told), ["apart", "grandchild", "child", "Find the rain", "Find the rain", "Find the rain"]);
        assert_eq!(told.total_count, 6);
        assert_eq!(names(&client.timeline(&of(child.id, true)).await.unwrap()), ["grandchild", "child"]);
        assert_eq!(names(&client.timeline(&of(child.id, false)).await.unwrap()), ["child"]);
        let in_order = ListTimeline { order: Some(Order::Asc), ..of(work.task.id, true) };
        assert_eq!(walk(client, &in_order).await, ["task_created", "task_status", "task_status", "task_created", "task_created", "task_created"]);
        let with_contract = ListTimeline { contract_id: Some(work.contract.id), ..of(apart.id, true) };
        assert_eq!(names(&client.timeline(&with_contract).await.unwrap()), ["apart"]);
        let only_made = ListTimeline { event_types: Words(vec![HistoryType::TaskCreated]), ..of(work.task.id, true) };
        assert_eq!((walk(client, &only_made).await.len(), client.timeline(&only_made).await.unwrap().total_count), (4, 4));
    }

    async fn what_lies_in_the_trash_is_told_of_and_not_told(engine) {
        let mut work = work(engine).await;
        let child = work.waiting("child", work.task.id).await;
        let client = &work.lab.client;
        let everything = ListTimeline::default();
        let before = client.timeline(&everything).await.unwrap();
        let operation = client.delete_task(child.id, Deletion::default()).await.unwrap();
        let told = client.timeline(&everything).await.unwrap();
        assert_eq!((types(&told)[0], told.entries[0].task_name.as_deref()), ("task_deleted", Some("child")));
        // It was made, and that it was deleted is told instead.
        assert_eq!((told.total_count, told.entries.len()), (before.total_count, before.entries.len()));
        assert_eq!(types(&told).iter().filter(|of| **of == "task_created").count(), 1);
        assert_eq!(work.history(ListHistory::default()).await.entries, told.entries);
        let of_it = ListTimeline { task_id: Some(child.id), ..ListTimeline::default() };
        assert_eq!(code(client.timeline(&of_it)).await, Code::NotFound);

        client.undo_operation(operation.id, Default::default()).await.unwrap();
        assert_eq!(types(&client.timeline(&of_it).await.unwrap()), ["task_restored", "task_deleted", "task_created"]);
        assert_eq!(client.timeline(&everything).await.unwrap().total_count, before.total_count + 2);

        client.delete_task(child.id, Deletion { purge: true, ..Deletion::default() }).await.unwrap();
        let told = client.timeline(&everything).await.unwrap();
        assert_eq!((types(&told)[0], told.total_count), ("task_purged", before.total_count));
        assert!(told.entries.iter().all(|entry| entry.task_name.as_deref() != Some("child")));

        let deletion = Deletion { stop: false, ..Deletion::default() };
        work.daemon.tell(work.start.run, 4, vec![ended(RunOutcome::Completed)]).await;
        client.delete_contract(work.contract.id, deletion).await.unwrap();
        let told = client.timeline(&everything).await.unwrap();
        assert_eq!((types(&told), told.total_count), (vec!["contract_deleted"], 1));
        assert_eq!(code(client.contract_history(work.contract.id, &ListHistory::default())).await, Code::NotFound);
        work.lab.verify().await;
    }

    async fn what_a_daemon_tells_late_stands_where_it_happened(engine) {
        let mut work = work(engine).await;
        let hour = Duration::from_secs(3600);
        let now = work.lab.clock.now();
        // Its clock may be wrong: nothing of a run happened before it began, or after it was told.
        let entries = [(4, turn(0.0), now.plus(hour)), (5, turn(0.0), now.minus(hour)), (6, turn(0.0), now)];
        let entries = entries.into_iter().map(|(n, record, at)| Entry { n, at, record }).collect();
        work.daemon.send(FromDaemon::Entries { run: work.start.run, entries }).await;
        work.daemon.tell(work.start.run, 7, vec![ended(RunOutcome::Completed)]).await;
        let told = work.lab.client.timeline(&ListTimeline { event_types: Words(vec![HistoryType::TaskTurn]), ..ListTimeline::default() }).await.unwrap();
        let at: Vec<_> = told.entries.iter().map(|entry| entry.timestamp).collect();
        let (made, told) = (work.task.created_at, work.lab.clock.now());
        assert!(at.contains(&now) && at.iter().all(|at| (made..=told).contains(at)), "{made} {at:?} {told}");
    }

    async fn a_timeline_that_can_not_be_asked_for_is_refused(engine) {
        let mut work = work(engine).await;
        let apart = work.daemon.beside(work.lab.task("apart")).await;
        let (contract, task, apart) = (work.contract.id, work.task.id, apart.id);
        let client = &work.lab.client;
        let page = client.timeline(&ListTimeline { limit: Some(1), ..ListTimeline::default() }).await.unwrap();
        let cursor = page.cursor.unwrap();
        let filtered = ListTimeline { limit: Some(1), event_types: Words(vec![HistoryType::TaskStatus]), ..ListTimeline::default() };
        let counted = client.timeline(&filtered).await.unwrap().cursor.unwrap();
        let (mut tampered, short) = (cursor.clone(), &cursor[2..]);
        tampered.replace_range(40..41, if &tampered[40..41] == "0" { "1" } else { "0" });
        for query in [
            "limit=0".to_owned(), "limit=-1".into(), "limit=1001".into(), "limit=1000000000".into(), "limit=99999999999999999999".into(),
            "limit=x".into(), "limit=".into(), "order=up".into(), "phase=dreams".into(), "phase=plan,dreams".into(), "event_types=dreams".into(),
            "event_types=".into(), "event_types=,".into(), "from=yesterday".into(), "from=2026-01-15".into(), "to=2026-13-15T00:00:00Z".into(),
            "cursor=x".into(), "cursor=é".into(), "cursor=00".into(),
            format!("cursor={}", "0".repeat(4000)), format!("cursor={tampered}"), format!("cursor={short}"), format!("cursor={cursor}00"),
            // Of another query each.
            format!("cursor={cursor}&order=asc"), format!("cursor={cursor}&phase=plan"), format!("cursor={cursor}&event_types=task_status"),
            format!("cursor={counted}"), format!("cursor={counted}&event_types=task_turn"), format!("cursor={cursor}&contract_id={contract}"),
            "contract_id=x".into(), "task_id=1".into(), format!("task_id={task}&task_id={apart}"), "include_subtasks=maybe".into(), "unknown=1".into(),
        ] {
            assert_eq!(code(client.get::<Value>(&format!("/timeline?{query}"))).await, Code::BadRequest, "{query}");
        }
        let backwards = "from=2026-01-15T00:00:00.000001Z&to=2026-01-15T00:00:00Z";
        for path in [format!("/timeline?{backwards}"), format!("/contracts/{contract}/history?{backwards}")] {
            assert_eq!(code(client.get::<Value>(&path)).await, Code::Unprocessable, "{path}");
        }
        for path in [
            format!("/timeline?contract_id={task}"), format!("/timeline?task_id={contract}"),
            format!("/timeline?contract_id={contract}&task_id={apart}"), format!("/contracts/{task}/history"),
        ] {
            assert_eq!(code(client.get::<Value>(&path)).await, Code::NotFound, "{path}");
        }
        let eve = work.lab.stranger().await;
        for path in [
            format!("/timeline?contract_id={contract}"), format!("/timeline?task_id={task}"),
            format!("/timeline?task_id={task}&include_subtasks=true"), format!("/contracts/{contract}/history"),
        ] {
            assert_eq!(code(eve.get::<Value>(&path)).await, Code::NotFound, "{path}");
        }
        assert_eq!(code(eve.get::<Value>(&format!("/timeline?cursor={cursor}"))).await, Code::BadRequest);
        assert_eq!(eve.timeline(&ListTimeline::default()).await.unwrap().total_count, 0);
        // What is right is answered.
        assert_eq!(client.get::<Timeline>(&format!("/timeline?cursor={cursor}")).await.unwrap().total_count, page.total_count);
    }

    async fn an_agent_reads_the_timeline_of_its_own_contract(engine) {
        let mut work = work(engine).await;
        let key = work.start.tool_key.as_ref().unwrap().0.clone();
        let child = work.waiting("child", work.task.id).await;
        let alone = work.daemon.beside(work.lab.task("alone")).await;
        work.daemon.tell(work.start.run, 4, vec![turn(0.0)]).await;
        let (contract, task, child, apart) = (work.contract.id, work.task.id, child.id, alone.id);
        let http = reqwest::Client::new();
        let ask = async |key: &str, path: String| {
            let address = format!("{}/api/v1{path}", work.lab.url());
            let answer = http.get(address).header("x-makima-tool-key", key).send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap()["totalCount"].as_i64())
        };
        assert_eq!(ask(&key, format!("/contracts/{contract}/history")).await, (200, Some(6)));
        assert_eq!(ask(&key, format!("/timeline?contract_id={contract}")).await, (200, Some(6)));
        assert_eq!(ask(&key, format!("/timeline?task_id={child}")).await, (200, Some(1)));
        assert_eq!(ask(&key, format!("/timeline?task_id={task}&include_subtasks=true")).await, (200, Some(5)));
        for path in ["/timeline".to_owned(), format!("/timeline?task_id={apart}"), format!("/timeline?contract_id={contract}&task_id={apart}"), format!("/contracts/{apart}/history")] {
            assert_eq!(ask(&key, path.clone()).await.0, 403, "{path}");
        }
        // An agent of no contract has its own task.
        work.daemon.tell(work.start.run, 5, vec![ended(RunOutcome::Completed)]).await;
        let start = work.daemon.start().await;
        assert_eq!(start.task, apart);
        let key = start.tool_key.unwrap().0;
        assert_eq!(ask(&key, format!("/timeline?task_id={apart}")).await.0, 200);
        assert_eq!(ask(&key, format!("/timeline?task_id={apart}&include_subtasks=true")).await.0, 403);
    }
}

#[test]
fn every_kind_of_event_is_a_type_of_entry() {
    let words: Vec<Value> = EventKind::ALL.iter().map(|kind| json!(EntryType::from(*kind))).collect();
    assert_eq!(words, ["task_event", "chat_message", "checkpoint", "phase_change", "file_change"]);
}
