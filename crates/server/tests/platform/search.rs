//! Full-text search: what is said and happens is found, by whom it may be, whatever is asked.

use crate::{lab::*, on_both};
use makima_client::{Client, ClientError};
use makima_model::{
    Chat, ImportSource, Message, MessageRole, Phase, Point, Record, RunOutcome, ToolCall, search::HitKind,
};
use makima_store::conversations::{self, PackedMessage};
use makima_wire::{
    AppendToImport, Code, Contract, CreateContract, CreateImport, CreateTask, Deletion, FilePart,
    ImportEntry, ImportedMessage, ReadConversation, SayInChat, Search, SearchHit, SearchHits, Task, Words,
    frame::StartRun,
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

/// A contract with a task whose agent looks for a needle and fails.
async fn work(engine: Engine) -> Work {
    let lab = Lab::new(engine).await;
    let mut daemon = lab.daemon().await;
    let wanted =
        CreateContract { name: "Hay".into(), repository: "/srv/project".into(), ..CreateContract::default() };
    let contract = daemon.beside(lab.client.create_contract(&wanted)).await.unwrap();
    let wanted = CreateTask {
        plan: "Look through the hay".into(),
        contract_id: Some(contract.id),
        ..CreateTask::default()
    };
    let task = daemon.beside(lab.client.create_task(&wanted)).await.unwrap();
    let start = daemon.start().await;
    let call = ToolCall { id: "1".into(), name: "Grep".into(), input: json!({ "pattern": "parse_needle" }) };
    let asks =
        Message { tool_calls: vec![call], ..message(&lab, MessageRole::Assistant, "I look for the needle") };
    let answer = Message {
        tool_call_id: Some("1".into()),
        tool_name: Some("Grep".into()),
        tool_result: Some("src/hay/stack.rs: no parse_needle".into()),
        is_error: Some(true),
        ..message(&lab, MessageRole::Tool, "")
    };
    let mut records = begun(&task);
    records.extend([
        heard(start.inputs[0].id, lab.clock.now(), "Look through the hay"),
        Record::Message { message: asks },
        Record::Message { message: answer },
    ]);
    daemon.tell(start.run, 1, records).await;
    Work { lab, daemon, contract, task, start }
}

impl Work {
    /// Freezes the server before it takes the next portion, and with it whatever else it would do.
    async fn freeze(&mut self) {
        self.lab.failpoints.freeze_at("index.portion");
        let more = said(&self.lab.clock, MessageRole::Assistant, "wake up");
        self.daemon.post(self.start.run, 7, vec![more]).await;
        self.lab.frozen().await;
    }

    /// Has the agent say more, past the server.
    async fn append(&self, texts: impl IntoIterator<Item = String>) {
        let said = texts.into_iter().map(|text| message(&self.lab, MessageRole::Assistant, &text));
        let packed = said.map(|message| PackedMessage::of(&message).unwrap()).collect();
        let mut tx = self.lab.database().await.begin().await.unwrap();
        let branch = self.task.conversation_state.branch_id;
        conversations::append(&mut tx, self.lab.owner, branch, 1, packed).await.unwrap().unwrap();
        tx.commit().await.unwrap();
    }
}

fn message(lab: &Lab, role: MessageRole, content: &str) -> Message {
    Message::said(lab.clock.new_id(), role, content, lab.clock.now())
}

fn about(q: &str) -> Search {
    Search { q: q.into(), ..Search::default() }
}

/// Everything that is found now.
async fn found(client: &Client, wanted: &Search) -> Vec<SearchHit> {
    let SearchHits { hits, total_count, not_yet_indexed, cursor, .. } = client.search(wanted).await.unwrap();
    assert_eq!((total_count, not_yet_indexed, cursor), (hits.len() as i64, None, None), "{wanted:?}");
    hits
}

async fn code<T: std::fmt::Debug>(answer: impl Future<Output = Result<T, ClientError>>) -> Code {
    let error = answer.await.unwrap_err();
    error.code().unwrap_or_else(|| panic!("{error:?}"))
}

on_both! {
    async fn what_an_agent_says_and_does_is_found_at_once_with_its_moment(engine) {
        let mut work = work(engine).await;
        let client = work.lab.client.clone();
        let hits = found(&client, &about("parse_needle")).await;
        assert_eq!(hits.iter().map(|hit| hit.snippet.as_str()).collect::<Vec<_>>(), [
            "src/hay/stack.rs: no \u{2}parse_needle\u{3}",
            "\u{2}parse_needle\u{3}",
        ]);
        let first = &hits[1];
        assert_eq!((first.kind, first.role, first.tool_name.as_deref()), (HitKind::Message, Some(MessageRole::Assistant), Some("Grep")));
        assert_eq!((first.task_id, first.contract_id, first.task_name.as_deref()), (Some(work.task.id), Some(work.contract.id), Some("Look through the hay")));
        assert_eq!((hits[0].is_error, first.is_error), (true, false));
        let Point::Message(id) = first.point else { panic!("{first:?}") };
        assert_eq!(first.message_id, Some(id));
        let at = ReadConversation { at: Some(first.point.clone()), ..ReadConversation::default() };
        let then = client.read_conversation(work.task.id, &at).await.unwrap();
        assert_eq!(then.messages.last().map(|message| message.id), Some(id));

        for (query, hits) in [
            ("needle", 1), ("parse_n", 2), ("parse_n ", 0), ("hay/stack.rs", 1), ("hay stack", 1), ("\"stack hay\"", 0), ("Grep", 0),
            ("NEEDLE look", 1), ("needle stack", 0),
        ] {
            assert_eq!(found(&client, &about(query)).await.len(), hits, "{query}");
        }
        let both = about("parse_needle");
        for (wanted, hits) in [
            (Search { tool: Some("grep".into()), ..both.clone() }, 2),
            (Search { tool: Some("Bash".into()), ..both.clone() }, 0),
            (Search { role: Words(vec![MessageRole::Tool, MessageRole::User]), ..both.clone() }, 1),
            (Search { errors_only: true, ..both.clone() }, 1),
            (Search { task_id: Some(work.task.id), contract_id: Some(work.contract.id), ..both.clone() }, 2),
            (Search { from: Some(first.timestamp), ..both.clone() }, 2),
            (Search { to: Some(first.timestamp), ..both.clone() }, 1),
            (Search { to: Some(work.task.created_at), ..both.clone() }, 0),
        ] {
            assert_eq!(found(&client, &wanted).await.len(), hits, "{wanted:?}");
        }

        // What happens besides.
        work.daemon.tell(work.start.run, 7, vec![turn(0.0), ended(RunOutcome::Completed)]).await;
        client.set_phase(work.contract.id, Phase::Review).await.unwrap();
        let words = SayInChat { content: "Is the haystack empty?".into(), ..SayInChat::default() };
        client.say_in_chat(Chat::Contract(work.contract.id), &words).await.unwrap();
        for (query, event) in [("haystack", "chat_message"), ("review", "phase_change"), ("completed", "task_completed")] {
            let hits = found(&client, &about(query)).await;
            assert_eq!(hits.iter().map(|hit| hit.event_type.as_deref()).collect::<Vec<_>>(), [Some(event)], "{query}");
            assert_eq!((hits[0].kind, &hits[0].point), (HitKind::Event, &Point::Time(hits[0].timestamp)));
        }
        let told = &found(&client, &about("completed")).await[0];
        let at = ReadConversation { at: Some(told.point.clone()), ..ReadConversation::default() };
        assert_eq!(client.read_conversation(work.task.id, &at).await.unwrap().messages.len(), 3);
        work.lab.verify().await;
    }

    async fn pages_lead_through_all_hits_in_either_order(engine) {
        let mut work = work(engine).await;
        let records = (0..25).map(|n| said(&work.lab.clock, MessageRole::Assistant, &format!("straw {n}"))).collect();
        work.daemon.tell(work.start.run, 7, records).await;
        for order in [None, Some(makima_wire::Order::Asc)] {
            let mut wanted = Search { limit: Some(4), order, ..about("straw") };
            let mut walked = Vec::new();
            loop {
                let page = work.lab.client.search(&wanted).await.unwrap();
                assert_eq!((page.total_count, page.total_count_is_lower_bound), (25, false));
                walked.extend(page.hits.into_iter().map(|hit| hit.snippet.replace(['\u{2}', '\u{3}'], "")));
                wanted.cursor = page.cursor;
                if wanted.cursor.is_none() {
                    break;
                }
            }
            let mut expected: Vec<String> = (0..25).map(|n| format!("straw {n}")).collect();
            if order.is_none() {
                expected.reverse();
            }
            assert_eq!(walked, expected);
        }
    }

    async fn a_search_that_can_not_be_made_is_refused_and_any_other_is_answered(engine) {
        let mut work = work(engine).await;
        let apart = work.daemon.beside(work.lab.task("apart")).await;
        let (contract, task, apart) = (work.contract.id, work.task.id, apart.id);
        let client = &work.lab.client;
        let cursor = client.search(&Search { limit: Some(1), ..about("parse_needle") }).await.unwrap().cursor.unwrap();
        let mut tampered = cursor.clone();
        tampered.replace_range(40..41, if &tampered[40..41] == "0" { "1" } else { "0" });
        let timeline = client.get::<Value>("/timeline?limit=1&phase=research").await.unwrap()["cursor"].as_str().unwrap().to_owned();
        for query in [
            "".to_owned(), "q=".into(), "q=%20%20".into(), "q=a%00b".into(), format!("q={}", "a".repeat(10_000)), format!("q={}", "!".repeat(10_000)),
            "q=a&limit=0".into(), "q=a&limit=-1".into(), "q=a&limit=1001".into(), "q=a&limit=1000000000".into(), "q=a&order=up".into(),
            "q=a&role=nobody".into(), "q=a&role=".into(), "q=a&from=yesterday".into(), "q=a&task_id=1".into(), "q=a&contract_id=x".into(),
            "q=a&errors_only=maybe".into(), "q=a&tool=".into(), "q=a&unknown=1".into(), "q=a&q=b".into(), "q=a&cursor=x".into(), "q=a&cursor=00".into(),
            format!("q=parse_needle&cursor={tampered}"), format!("q=needle&cursor={cursor}"), format!("q=parse_needle&errors_only=true&cursor={cursor}"),
            format!("q=parse_needle&order=asc&cursor={cursor}"), format!("q=parse_needle&cursor={timeline}"),
        ] {
            assert_eq!(code(client.get::<Value>(&format!("/search?{query}"))).await, Code::BadRequest, "{query}");
        }
        for query in ["q=a&from=2026-01-15T00:00:00.000001Z&to=2026-01-15T00:00:00Z", "q=a&tool=%00", "q=a&tool=%20"] {
            assert_eq!(code(client.get::<Value>(&format!("/search?{query}"))).await, Code::Unprocessable, "{query}");
        }
        for query in [
            format!("q=a&contract_id={task}"), format!("q=a&task_id={contract}"), format!("q=a&contract_id={contract}&task_id={apart}"),
        ] {
            assert_eq!(code(client.get::<Value>(&format!("/search?{query}"))).await, Code::NotFound, "{query}");
        }
        let page = client.get::<SearchHits>(&format!("/search?q=parse_needle&limit=1&cursor={cursor}")).await.unwrap();
        assert_eq!((page.hits.len(), page.total_count, page.cursor), (1, 2, None));

        let eve = work.lab.stranger().await;
        for query in [
            "!!! ... ***", "\"", "'", "\\", "needle\" OR \"hay", "rowid:1", "words:needle", "NEAR(needle hay, 5)", "needle*", "^needle", "-needle",
            "needle) OR (hay", "needle & !hay | hay", "needle:*A", "'; DROP TABLE tasks; --", "%", "_", "🦀", "e\u{301}", "\u{202e}קש", "\u{feff}needle",
            &"ab ".repeat(333), &"\u{4e00}".repeat(1000),
        ] {
            client.search(&about(query)).await.unwrap();
            assert_eq!(found(&eve, &about(query)).await, [], "{query}");
        }
        assert_eq!(found(client, &about("!!! ... ***")).await, []);
        for query in [format!("q=needle&contract_id={contract}"), format!("q=needle&task_id={task}")] {
            assert_eq!(code(eve.get::<Value>(&format!("/search?{query}"))).await, Code::NotFound, "{query}");
        }
        assert_eq!(code(eve.get::<Value>(&format!("/search?q=parse_needle&limit=1&cursor={cursor}"))).await, Code::BadRequest);
    }

    async fn an_agent_searches_its_own_contract(engine) {
        let mut work = work(engine).await;
        let key = work.start.tool_key.as_ref().unwrap().0.clone();
        let apart = work.daemon.beside(work.lab.task("apart from the hay")).await;
        let words = SayInChat { content: "The hay is mine".into(), ..SayInChat::default() };
        work.lab.client.say_in_chat(Chat::Mesh, &words).await.unwrap();
        let http = reqwest::Client::new();
        let ask = async |path: String| {
            let address = format!("{}/api/v1{path}", work.lab.url());
            let answer = http.get(address).header("x-makima-tool-key", &key).send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap()["totalCount"].as_i64())
        };
        let (contract, task) = (work.contract.id, work.task.id);
        // Its own task's name and what it was told, and what its tool answered.
        assert_eq!(ask(format!("/search?q=hay&contract_id={contract}")).await, (200, Some(3)));
        assert_eq!(ask(format!("/search?q=hay&task_id={task}")).await, (200, Some(3)));
        for path in ["/search?q=hay".to_owned(), format!("/search?q=hay&task_id={}", apart.id), format!("/search?q=hay&contract_id={contract}&task_id={}", apart.id)] {
            assert_eq!(ask(path.clone()).await.0, 403, "{path}");
        }
        assert_eq!(found(&work.lab.client, &about("hay ")).await.len(), 5);
    }

    async fn what_is_imported_is_found_where_it_happened(engine) {
        let work = work(engine).await;
        let client = &work.lab.client;
        let long_ago = |second: u32| format!("2025-08-01T10:00:{second:02}Z").parse().unwrap();
        let session = CreateImport {
            source: ImportSource::ClaudeCode,
            session_id: "one".into(),
            copy: 0,
            name: None,
            plan: "Thread it".into(),
            repository: "/srv/project".into(),
            base_branch: None,
            base_commit: None,
            started_at: long_ago(0),
        };
        let import = client.create_import(&session).await.unwrap();
        let entries = (1..40).map(|second| {
            let message = Message::said(work.lab.clock.new_id(), MessageRole::User, format!("thread the needle {second}"), long_ago(second));
            ImportEntry::Message { message: ImportedMessage::from(message) }
        });
        let reached = FilePart { bytes: 100, digest: "0".repeat(64) };
        let more = AppendToImport { from: 0, reached, is_end: true, entries: entries.collect() };
        client.append_to_import(import.id, &more).await.unwrap();
        let hits = found(client, &about("needle")).await;
        assert_eq!(hits.len(), 40);
        assert_eq!(hits[0].task_id, Some(work.task.id), "what was imported came last and happened long ago");
        assert_eq!((hits[1].task_id, hits[1].timestamp), (Some(import.task_id), long_ago(39)));
        let then = Search { to: Some(long_ago(3)), ..about("thread needle") };
        assert_eq!(found(client, &then).await.len(), 3);
        work.lab.verify().await;
    }

    async fn what_lies_in_the_trash_is_not_found_and_what_is_erased_never_again(engine) {
        let mut work = work(engine).await;
        let client = work.lab.client.clone();
        work.daemon.tell(work.start.run, 7, vec![ended(RunOutcome::Completed)]).await;
        assert_eq!(found(&client, &about("parse_needle")).await.len(), 2);
        let operation = client.delete_task(work.task.id, Deletion::default()).await.unwrap();
        assert_eq!(found(&client, &about("parse_needle")).await, []);
        client.undo_operation(operation.id, Default::default()).await.unwrap();
        assert_eq!(found(&client, &about("parse_needle")).await.len(), 2);
        let purged = work.lab.client.delete_contract(work.contract.id, Deletion { purge: true, ..Deletion::default() });
        let mut purged = std::pin::pin!(purged);
        let (command, _) = tokio::select! {
            answer = &mut purged => panic!("nobody waited for the daemon: {answer:?}"),
            command = work.daemon.command() => command,
        };
        let done = makima_wire::frame::CommandOutcome::Done(makima_wire::frame::CommandResult::Done);
        work.daemon.finish(command, done).await;
        purged.await.unwrap();
        for query in ["parse_needle", "hay", "needle", "completed"] {
            assert_eq!(found(&client, &about(query)).await, [], "{query}");
        }
        for table in ["SELECT COUNT(*) FROM search_documents WHERE task_id IS NOT NULL", "SELECT COUNT(*) FROM search_words WHERE rowid NOT IN (SELECT id FROM search_documents)"] {
            assert_eq!(work.lab.count(table).await, 0, "{table}");
        }
        work.lab.verify().await;
    }

    async fn what_another_server_wrote_is_found_too(engine) {
        let work = work(engine).await;
        let (server, client) = work.lab.replica().await;
        assert_eq!(found(&client, &about("parse_needle")).await.len(), 2);
        drop(server);
    }

    async fn what_was_there_before_there_was_an_index_is_found(engine) {
        let mut work = work(engine).await;
        work.freeze().await;
        work.append(["straw".to_owned()]).await;
        for table in ["DELETE FROM search_words", "DELETE FROM search_documents", "UPDATE search_owners SET seq = 0"] {
            work.lab.execute(table).await;
        }
        work.lab.crash().await;
        let looking = async {
            while work.lab.client.search(&about("needle")).await.unwrap().not_yet_indexed.is_some() {}
        };
        tokio::time::timeout(Duration::from_secs(30), looking).await.unwrap();
        assert_eq!(found(&work.lab.client, &about("parse_needle")).await.len(), 2);
        assert_eq!(found(&work.lab.client, &about("straw")).await.len(), 1);
        work.lab.verify().await;
    }
}

/// Fault: the server is killed
/// Moment: between two portions of what is to be searched
/// Outcome: a search says how much it could not look through; the next server goes on from there, and all is found once
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_leaves_an_index_that_the_next_goes_on_with() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut work = work(engine).await;
        assert_eq!(found(&work.lab.client, &about("parse_needle")).await.len(), 2);
        work.freeze().await;
        work.append((0..300).map(|n| format!("straw {n}"))).await;
        // It says what it does not know.
        let page = work.lab.client.search(&about("straw")).await.unwrap();
        assert_eq!(page.total_count, 0);
        assert!(page.not_yet_indexed.is_some_and(|behind| behind >= 300), "{page:?}");
        work.lab.crash().await;
        let looking = async {
            while work.lab.client.search(&about("straw")).await.unwrap().not_yet_indexed.is_some() {}
        };
        tokio::time::timeout(PATIENCE, looking).await.unwrap();
        assert_eq!(work.lab.client.search(&about("straw")).await.unwrap().total_count, 300);
        work.lab.verify().await;
    }
}
