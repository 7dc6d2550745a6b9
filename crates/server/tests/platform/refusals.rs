//! Who may not, and what can't be.

use crate::{lab::*, on_both};
use makima_model::{ContractId, TaskId};
use makima_wire::{
    AnswerQuestion, Code, CreateCheckpoint, CreateContract, CreateTask, List, ListContracts, ListTasks,
    OfContract,
    frame::{Hello, PROTOCOL},
};
use serde_json::{Value, json};

async fn code<T: std::fmt::Debug>(
    answer: impl Future<Output = Result<T, makima_client::ClientError>>,
) -> Code {
    let error = answer.await.unwrap_err();
    error.code().unwrap_or_else(|| panic!("{error:?}"))
}

on_both! {
    async fn without_a_key_that_is_taken_nothing_is_told(engine) {
        let lab = Lab::new(engine).await;
        for key in [None, Some(""), Some("mk_wrong"), Some(lab.key.trim_end_matches(char::is_alphanumeric))] {
            let client = lab.client_with(key);
            assert_eq!(code(client.daemons()).await, Code::Unauthorized);
            assert_eq!(code(client.task(lab.clock.new_id())).await, Code::Unauthorized);
            client.ready().await.unwrap();
        }
    }

    async fn anothers_things_are_not_there(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        daemon.tell(start.run, 1, begun(&task)).await;
        let contract = CreateContract { name: "c".into(), repository: "/srv/x".into(), ..CreateContract::default() };
        let contract = daemon.beside(lab.client.create_contract(&contract)).await.unwrap();
        let eve = lab.stranger().await;
        let all = List::default();
        let answer = AnswerQuestion { question_id: lab.clock.new_id(), answer: "allow".into(), message: None };
        assert_eq!(code(eve.task(task.id)).await, Code::NotFound);
        assert_eq!(code(eve.contract(contract.id)).await, Code::NotFound);
        assert_eq!(code(eve.stop_task(task.id)).await, Code::NotFound);
        assert_eq!(code(eve.send_message(task.id, "x")).await, Code::NotFound);
        assert_eq!(code(eve.answer(task.id, &answer)).await, Code::NotFound);
        assert_eq!(code(eve.conversation(task.id)).await, Code::NotFound);
        assert_eq!(code(eve.output(task.id, &all)).await, Code::NotFound);
        assert_eq!(code(eve.events(task.id, &all)).await, Code::NotFound);
        assert_eq!(code(eve.checkpoints(task.id, &all)).await, Code::NotFound);
        assert_eq!(code(eve.create_checkpoint(task.id, &CreateCheckpoint::default())).await, Code::NotFound);
        assert_eq!(code(eve.tasks(&ListTasks { contract_id: Some(OfContract::One(contract.id)), ..ListTasks::default() })).await, Code::NotFound);
        let wanted = CreateTask { plan: "x".into(), contract_id: Some(contract.id), ..CreateTask::default() };
        assert_eq!(code(eve.create_task(&wanted)).await, Code::NotFound);
        assert_eq!(eve.tasks(&ListTasks::default()).await.unwrap().total_count, 0);
        assert_eq!(eve.contracts(&ListContracts::default()).await.unwrap().total_count, 0);
        assert_eq!(eve.daemons().await.unwrap().total_count, 0);
        assert!(eve.feed(Some(task.id), None).await.is_err());
    }

    async fn a_daemon_that_can_not_be_taken_is_told_why(engine) {
        let mut lab = Lab::new(engine).await;
        let daemon = lab.daemon().await;
        let hello = |protocol: u32| Hello {
            protocol,
            daemon: daemon.id,
            name: "n".into(),
            hostname: "h".into(),
            version: "v".into(),
            agents: Vec::new(),
            max_concurrent_tasks: 1,
            runs: Vec::new(),
        };
        let words = LabDaemon::greet(&lab, hello(PROTOCOL + 1)).await.err().unwrap();
        assert!(words.contains("install the same release on both"), "{words}");
        let mut nameless = hello(PROTOCOL);
        nameless.name = "\u{1b}[2J".into();
        assert!(LabDaemon::greet(&lab, nameless).await.is_err());
        lab.key = lab.server.app().create_user("eve").await.unwrap().api_key;
        let words = LabDaemon::greet(&lab, hello(PROTOCOL)).await.err().unwrap();
        assert!(words.contains("belongs to another owner"), "{words}");
    }

    async fn what_does_not_parse_or_breaks_a_rule_makes_nothing(engine) {
        let lab = Lab::new(engine).await;
        let tasks = format!("{}/api/v1/mesh/tasks", lab.url());
        let http = reqwest::Client::new();
        let good = json!({ "plan": "x", "repository": "/srv/x" });
        let with = |field: &str, value: Value| {
            let mut body = good.clone();
            body[field] = value;
            body.to_string()
        };
        let cases = [
            (400, "{".to_owned()),
            (400, "[]".to_owned()),
            (400, "{} {}".to_owned()),
            (400, "\u{feff}{}".to_owned()),
            (400, "[".repeat(10_000)),
            (400, with("colour", json!("red"))),
            (400, with("plan", json!(7))),
            (400, with("contractId", json!("x"))),
            (400, with("permissionMode", json!("yolo"))),
            (422, with("plan", json!(" "))),
            (422, with("plan", json!("a\0b"))),
            (422, with("plan", json!("x".repeat(1_000_001)))),
            (413, with("plan", json!("x".repeat(17 << 20)))),
            (422, with("name", json!("a\u{1b}[31m"))),
            (422, with("name", json!("x".repeat(201)))),
            (422, with("repository", json!("relative/path"))),
            (422, with("repository", json!("ext::sh -c true"))),
            (422, with("baseBranch", json!("--upload-pack=x"))),
            (404, with("contractId", json!(lab.clock.new_id::<ContractId>()))),
            (404, with("parentTaskId", json!(lab.clock.new_id::<TaskId>()))),
            (404, with("targetDaemonId", json!(lab.clock.new_id::<TaskId>()))),
        ];
        for (status, body) in cases {
            let shown: String = body.chars().take(80).collect();
            let answer = http.post(&tasks).bearer_auth(&lab.key).body(body).send().await.unwrap();
            assert_eq!(answer.status(), status, "{shown}");
            let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
            let error: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            assert!(error["message"].as_str().is_some_and(|message| message.len() > 10), "{error}");
            assert_eq!(error["requestId"], id);
        }
        assert_eq!(lab.client.tasks(&ListTasks::default()).await.unwrap().total_count, 0);
    }

    async fn the_longest_plan_is_taken_however_it_is_escaped(engine) {
        let lab = Lab::new(engine).await;
        let plan = "\\ud83d\\ude00".repeat(1_000_000);
        let body = format!("{{\"plan\": \"{plan}\", \"repository\": \"/srv/project\"}}");
        let tasks = format!("{}/api/v1/mesh/tasks", lab.url());
        let answer = reqwest::Client::new().post(tasks).bearer_auth(&lab.key).body(body).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let task: makima_wire::Task = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(task.plan.chars().count(), 1_000_000);
    }

    async fn queries_and_paths_are_read_strictly(engine) {
        let lab = Lab::new(engine).await;
        let first = lab.task("one").await;
        lab.task("two").await;
        let page = lab.client.tasks(&ListTasks { limit: Some(1), ..ListTasks::default() }).await.unwrap();
        let cursor = page.cursor.unwrap();
        let http = reqwest::Client::new();
        for (status, path) in [
            (200, format!("mesh/tasks?cursor={cursor}")),
            (400, format!("contracts?cursor={cursor}")),
            (400, format!("mesh/tasks/{}/checkpoints?cursor={cursor}", first.id)),
            (400, "mesh/tasks?cursor=zz".to_owned()),
            (400, "mesh/tasks?limit=".to_owned()),
            (400, "mesh/tasks?limit".to_owned()),
            (400, "mesh/tasks?contract_id=".to_owned()),
            (400, "mesh/tasks?limit=0".to_owned()),
            (400, "mesh/tasks?limit=-1".to_owned()),
            (400, "mesh/tasks?limit=1000000000".to_owned()),
            (400, "mesh/tasks?colour=red".to_owned()),
            (400, "mesh/tasks/none".to_owned()),
            (400, format!("mesh/tasks/{{{}}}", first.id)),
            (404, "nowhere".to_owned()),
        ] {
            let url = format!("{}/api/v1/{path}", lab.url());
            let answer = http.get(url).bearer_auth(&lab.key).send().await.unwrap();
            assert_eq!(answer.status(), status, "{path}");
        }
        let wrong = http.delete(format!("{}/api/v1/mesh/daemons", lab.url())).bearer_auth(&lab.key);
        assert_eq!(wrong.send().await.unwrap().status(), 405);
    }

    async fn pages_show_each_row_once_while_rows_are_added(engine) {
        let lab = Lab::new(engine).await;
        let mut made = Vec::new();
        for n in 0..7 {
            made.push(lab.task(&format!("task {n}")).await.id);
        }
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = lab.client.tasks(&ListTasks { limit: Some(3), cursor, ..ListTasks::default() }).await.unwrap();
            seen.extend(page.tasks.into_iter().map(|task| task.id));
            cursor = page.cursor;
            lab.task("in between").await;
            if cursor.is_none() {
                break;
            }
        }
        made.reverse();
        assert_eq!(seen, made);
    }

    async fn a_blob_is_kept_only_under_its_own_hash(engine) {
        let lab = Lab::new(engine).await;
        let http = reqwest::Client::new();
        let put = |hash: String| {
            http.put(format!("{}/api/v1/daemons/blobs/{hash}", lab.url())).bearer_auth(&lab.key).body("patch").send()
        };
        let hash = blake3::hash(b"patch").to_hex().to_string();
        assert_eq!(put(hash.clone()).await.unwrap().status(), 204);
        assert_eq!(put(hash.clone()).await.unwrap().status(), 204);
        assert_eq!(put("0".repeat(64)).await.unwrap().status(), 422);
        assert_eq!(put("..%2f..%2fetc".into()).await.unwrap().status(), 422);
        let kept = lab.folder().join("blobs").join(&hash[..2]).join(&hash);
        assert_eq!(std::fs::read(kept).unwrap(), b"patch");
    }
}
