//! Many clients, a hundred in the long tests, that do the same things at once, on one server of either engine and on two of one database: nothing runs
//! twice, nothing is lost, nothing fails inside, and every count is right in the end.

use crate::lab::*;
use futures::future::join_all;
use makima_client::{Client, ClientError};
use makima_model::{
    AgentInfo, Chat, CheckpointKind, CheckpointMade, ContractStatus, Phase, Question, QuestionKind, Record,
    RunId, RunOutcome, TaskId, TaskStatus,
};
use makima_server::{Server, Settings};
use makima_wire::{
    AnswerQuestion, ChangeContract, Code, Contract, CreateChatConversation, CreateCheckpoint, CreateContract,
    CreateSnapshot, CreateTask, List, ListTasks, Task,
    frame::{Checkpointed, Command, CommandOutcome, CommandResult, FromDaemon, Hello, PROTOCOL},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

/// Enough to come in each other's way, and few enough for a busy machine.
const FEW: usize = 20;
/// A machine that also does something else takes a minute for what so many ask of PostgreSQL at once.
const MANY: usize = 100;

/// As patient as it takes: that an answer is slow is not what is asked here.
fn patient() -> Settings {
    let long = Duration::from_secs(3600);
    Settings { patience: Duration::from_secs(300), silence: long, ..Settings::default() }
}

/// Where they do it.
#[derive(Clone, Copy)]
enum Place {
    Sqlite,
    Postgres,
    TwoServers,
}

/// The many.
struct Crowd {
    lab: Lab,
    many: usize,
    second: Option<(Server, Client)>,
}

impl Crowd {
    async fn at(place: Place, many: usize) -> Self {
        let engine = if matches!(place, Place::Sqlite) { Engine::Sqlite } else { Engine::Postgres };
        let lab = Lab::with(engine, patient()).await;
        let second = if matches!(place, Place::TwoServers) { Some(lab.replica().await) } else { None };
        Self { lab, many, second }
    }

    /// One of them, who asks one of the servers.
    fn client(&self, n: usize) -> Client {
        match &self.second {
            Some((_, client)) if n % 2 == 1 => client.clone(),
            _ => self.lab.client.clone(),
        }
    }

    /// What all of them are answered. Whatever is not done is refused for a reason of this side of the server.
    async fn ask<T>(
        &self,
        what: impl AsyncFn(usize, Client) -> Result<T, ClientError>,
    ) -> Vec<Result<T, ClientError>> {
        let answers = join_all((0..self.many).map(async |n| {
            let mut answer = what(n, self.client(n)).await;
            for _ in 0..10 {
                // So many want the database that this one's turn didn't come: nothing was done.
                if !matches!(&answer, Err(error) if error.code() == Some(Code::DbUnavailable)) {
                    break;
                }
                answer = what(n, self.client(n)).await;
            }
            answer
        }))
        .await;
        for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            let ClientError::Refused { status, .. } = error else { panic!("{error:?}") };
            assert!(status.is_client_error(), "{error:?}");
        }
        answers
    }

    async fn contract(&self) -> Contract {
        let wanted = CreateContract {
            name: "0".into(),
            repository: "/srv/project".into(),
            ..CreateContract::default()
        };
        self.lab.client.create_contract(&wanted).await.unwrap()
    }

    /// A daemon that does by itself what it is told.
    async fn robot(&self, places: i64) -> Robot {
        let hello = Hello {
            protocol: PROTOCOL,
            daemon: self.lab.clock.new_id(),
            name: "desk".into(),
            hostname: "desk.local".into(),
            version: "test".into(),
            agents: vec![AgentInfo { name: "scripted".into(), version: None, default: true }],
            max_concurrent_tasks: places,
            runs: Vec::new(),
        };
        let daemon = LabDaemon::greet(&self.lab, hello).await.unwrap();
        Robot(tokio::spawn(serve(daemon, self.lab.clock.clone())))
    }

    async fn running(&self) -> Task {
        let task = self.lab.task("one").await;
        self.lab.until(&task, |task| task.status == TaskStatus::Running).await
    }

    /// Everything agrees with everything else, and no server has failed at anything.
    async fn verify(&self) {
        let urls = [
            Some(self.lab.url()),
            self.second.as_ref().map(|(server, _)| format!("http://{}", server.address())),
        ];
        for url in urls.into_iter().flatten() {
            let told = reqwest::get(format!("{url}/metrics")).await.unwrap().text().await.unwrap();
            let failed: Vec<&str> = told.lines().filter(|line| line.contains("status=\"500\"")).collect();
            assert!(failed.is_empty() && told.contains("status=\""), "{failed:#?}");
        }
        for (kept, counted) in [
            (
                "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM counters WHERE noun = 'task' AND scope_id = owner_id",
                "SELECT COUNT(*) FROM tasks",
            ),
            (
                "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM counters WHERE noun = 'contract'",
                "SELECT COUNT(*) FROM contracts",
            ),
            (
                "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM counters WHERE noun = 'history' AND scope_id = owner_id",
                "SELECT COUNT(*) FROM history_events",
            ),
            (
                "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM counters WHERE noun = 'task_event'",
                "SELECT COUNT(*) FROM task_events",
            ),
            (
                "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM counters WHERE noun = 'message'",
                "SELECT COUNT(*) FROM conversation_messages",
            ),
            (
                "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM counters WHERE noun = 'snapshot'",
                "SELECT COUNT(*) FROM conversation_snapshots",
            ),
            (
                "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM counters WHERE noun = 'chat_conversation'",
                "SELECT (SELECT COUNT(*) FROM mesh_chat_conversations) + (SELECT COUNT(*) FROM contract_chat_conversations)",
            ),
            (
                "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM counters WHERE noun = 'chat_message'",
                "SELECT (SELECT COUNT(*) FROM mesh_chat_messages) + (SELECT COUNT(*) FROM contract_chat_messages)",
            ),
            (
                "SELECT COUNT(*) FROM runs WHERE ended_at IS NULL",
                "SELECT COUNT(*) FROM tasks WHERE status IN ('starting', 'running', 'waiting')",
            ),
            (
                "SELECT COUNT(DISTINCT task_id) FROM runs WHERE ended_at IS NULL",
                "SELECT COUNT(*) FROM runs WHERE ended_at IS NULL",
            ),
            (
                "SELECT CAST(COALESCE(SUM(checkpoint_count), 0) AS BIGINT) FROM tasks",
                "SELECT COUNT(*) FROM task_checkpoints",
            ),
            (
                "SELECT COUNT(*) FROM contracts WHERE status = 'active'",
                "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM counters WHERE noun = 'contract' AND kind = 'active'",
            ),
        ] {
            // A daemon may still be telling of what it did.
            let agreeing = async {
                while self.lab.count(kept).await != self.lab.count(counted).await {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            let agrees = tokio::time::timeout(PATIENCE, agreeing).await;
            assert!(agrees.is_ok(), "{kept} is not {counted}");
        }
    }
}

/// How many were done; what the others were told is one of these.
fn done<T>(answers: &[Result<T, ClientError>], refusals: &[Code]) -> usize {
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert!(error.code().is_some_and(|code| refusals.contains(&code)), "{error:?}");
    }
    answers.iter().filter(|answer| answer.is_ok()).count()
}

/// A daemon at work, as long as it is there.
struct Robot(tokio::task::JoinHandle<()>);

impl Drop for Robot {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn serve(mut daemon: LabDaemon, clock: makima_model::Clock) {
    let mut entries: HashMap<RunId, u64> = HashMap::new();
    let mut over: HashSet<RunId> = HashSet::new();
    let mut heard_before = HashSet::new();
    let mut checkpoints: HashMap<TaskId, i64> = HashMap::new();
    loop {
        let (id, command) = daemon.command().await;
        let mut result = CommandResult::Done;
        let (run, records) = match command {
            Command::StartRun(start) => {
                daemon.send(FromDaemon::Acknowledged { command: id }).await;
                let mut records = vec![
                    Record::Prepared {
                        worktree_path: format!("/srv/worktrees/{}", start.task),
                        branch_name: start.branch_name.clone(),
                        base_branch: "main".into(),
                        base_commit: "1".repeat(40),
                    },
                    Record::Spawned { pid: 4711 },
                ];
                for input in &start.inputs {
                    assert!(heard_before.insert(input.id), "the message {} came twice", input.id);
                    records.push(heard(input.id, clock.now(), &input.content));
                }
                entries.insert(start.run, 1);
                (start.run, records)
            }
            Command::Input { run, input } if !over.contains(&run) => {
                assert!(heard_before.insert(input.id), "the message {} came twice", input.id);
                (run, vec![heard(input.id, clock.now(), &input.content)])
            }
            Command::Answer { run, question, answer } => {
                (run, vec![Record::Answered { question, answer: Some(answer) }])
            }
            Command::Stop { run, .. } => {
                let records =
                    if over.insert(run) { vec![ended(RunOutcome::Interrupted)] } else { Vec::new() };
                (run, records)
            }
            Command::Checkpoint { task, run, id, message, .. } => {
                let number = checkpoints.entry(task).or_insert(0);
                *number += 1;
                let made = checkpoint(&clock, id, *number, message);
                result = CommandResult::Checkpoint(Box::new(Checkpointed { made }));
                (run, Vec::new())
            }
            Command::Input { run, .. } => (run, Vec::new()),
            other => panic!("not done here: {other:?}"),
        };
        if !records.is_empty() {
            let next = entries.entry(run).or_insert(1);
            let from = *next;
            *next += records.len() as u64;
            daemon.tell(run, from, records).await;
        }
        daemon.finish(id, CommandOutcome::Done(result)).await;
    }
}

fn checkpoint(
    clock: &makima_model::Clock,
    id: makima_model::CheckpointId,
    number: i64,
    message: String,
) -> CheckpointMade {
    CheckpointMade {
        id,
        number,
        kind: CheckpointKind::Manual,
        turn: None,
        at: clock.now(),
        commit_sha: format!("{number:040}"),
        branch_name: "makima/one".into(),
        message,
        previous: None,
        files_changed: Vec::new(),
        lines_added: 0,
        lines_removed: 0,
        not_held: Vec::new(),
        patch: None,
    }
}

/// One test a scenario, place and number of clients.
macro_rules! everywhere {
    ($(async fn $name:ident($crowd:ident: Crowd) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn scenario(place: Place, many: usize) {
                let $crowd = Crowd::at(place, many).await;
                $body
                $crowd.verify().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                scenario(Place::Sqlite, FEW).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                scenario(Place::Postgres, FEW).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_two_servers() {
                scenario(Place::TwoServers, FEW).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "long: a hundred clients"]
            async fn by_a_hundred_on_sqlite() {
                scenario(Place::Sqlite, MANY).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "long: a hundred clients"]
            async fn by_a_hundred_on_postgres() {
                scenario(Place::Postgres, MANY).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "long: a hundred clients"]
            async fn by_a_hundred_on_two_servers() {
                scenario(Place::TwoServers, MANY).await;
            }
        }
    )*};
}

everywhere! {
    async fn the_same_request_makes_one_task(crowd: Crowd) {
        let asked = join_all((0..crowd.many).map(async |n| {
            let answer = reqwest::Client::new()
                .post(format!("{}/api/v1/mesh/tasks", crowd.client(n).url()))
                .bearer_auth(&crowd.lab.key)
                .header("idempotency-key", "the-same")
                .json(&json!({ "plan": "one", "repository": "/srv/project" }))
                .send()
                .await
                .unwrap();
            (answer.status(), answer.json::<Value>().await.unwrap())
        }))
        .await;
        let task = crowd.lab.client.tasks(&ListTasks::default()).await.unwrap();
        assert_eq!(task.total_count, 1);
        let id = task.tasks[0].id.to_string();
        for (status, body) in &asked {
            let made = *status == StatusCode::CREATED && body["id"] == id;
            let busy = *status == StatusCode::CONFLICT && body["code"] == "REQUEST_IN_PROGRESS";
            assert!(made || busy, "{status} {body}");
        }
        assert!(asked.iter().any(|(status, _)| *status == StatusCode::CREATED));
    }

    async fn different_requests_make_as_many_tasks(crowd: Crowd) {
        let contract = crowd.contract().await.id;
        let made = crowd.ask(async |n, client| {
            let plan = CreateTask { plan: n.to_string(), contract_id: Some(contract), ..CreateTask::default() };
            client.create_task(&plan).await
        }).await;
        let ids: BTreeSet<TaskId> = made.into_iter().map(|task| task.unwrap().id).collect();
        let listed = crowd.lab.client.tasks(&ListTasks::default()).await.unwrap();
        assert_eq!((ids.len(), listed.total_count), (crowd.many, crowd.many as i64));
        let counts = crowd.lab.client.contract(contract).await.unwrap().task_counts;
        assert_eq!(serde_json::to_value(counts).unwrap()["pending"], crowd.many as u64);
    }

    async fn a_daemon_is_never_given_more_than_it_has_places_for(crowd: Crowd) {
        let _robot = crowd.robot(4).await;
        let made = crowd.ask(async |n, client| {
            // A quarter of them makes tasks, the others look how many run.
            if n % 4 == 0 {
                let plan = CreateTask { plan: n.to_string(), repository: Some("/srv/project".into()), ..CreateTask::default() };
                client.create_task(&plan).await?;
            }
            Ok(client.daemons().await?.daemons[0].running_tasks)
        }).await;
        for running in made {
            assert!(running.unwrap() <= 4);
        }
        assert_eq!(crowd.lab.count("SELECT COUNT(*) FROM runs").await, 4);
    }

    async fn one_answer_to_a_question_counts(crowd: Crowd) {
        let mut daemon = crowd.lab.daemon().await;
        let task = daemon.beside(crowd.lab.task("one")).await;
        let start = daemon.start().await;
        let question = Question {
            id: crowd.lab.clock.new_id(),
            kind: QuestionKind::Question,
            text: "Which one?".into(),
            choices: None,
            tool_name: None,
            tool_input: None,
        };
        let mut records = begun(&task);
        records.push(Record::Asked { question: question.clone() });
        daemon.tell(start.run, 1, records).await;
        let answering = async {
            crowd.ask(async |n, client| {
                let answer = AnswerQuestion { question_id: question.id, answer: n.to_string(), message: None };
                client.answer(task.id, &answer).await
            }).await
        };
        let heard = async {
            let (command, Command::Answer { answer, .. }) = daemon.command().await else { panic!() };
            let told = Record::Answered { question: question.id, answer: Some(answer) };
            daemon.tell(start.run, 5, vec![told]).await;
            daemon.finish(command, CommandOutcome::Done(CommandResult::Done)).await;
        };
        let (answers, ()) = tokio::join!(answering, heard);
        assert_eq!(done(&answers, &[Code::Conflict]), 1);
        assert_eq!(crowd.lab.count("SELECT COUNT(*) FROM daemon_commands WHERE state <> 'done'").await, 0);
    }

    async fn nobodys_addition_is_lost(crowd: Crowd) {
        let contract = crowd.contract().await.id;
        let http = reqwest::Client::new();
        // Fewer than the others: of those who add at once one succeeds, and the rest begin anew.
        join_all((0..FEW).map(async |n| {
            let url = format!("{}/api/v1/contracts/{contract}", crowd.client(n).url());
            for _ in 0..crowd.many / FEW {
                loop {
                    let seen = http.get(&url).bearer_auth(&crowd.lab.key).send().await.unwrap();
                    let tag = seen.headers()["etag"].clone();
                    let name: usize = seen.json::<Contract>().await.unwrap().name.parse().unwrap();
                    let change = ChangeContract { name: Some((name + 1).to_string()), ..ChangeContract::default() };
                    let change = http.patch(&url).bearer_auth(&crowd.lab.key).header("if-match", tag).json(&change);
                    match change.send().await.unwrap().status() {
                        StatusCode::OK => break,
                        status => assert_eq!(status, StatusCode::PRECONDITION_FAILED),
                    }
                }
            }
        }))
        .await;
        assert_eq!(crowd.lab.client.contract(contract).await.unwrap().name, crowd.many.to_string());
        assert_eq!(crowd.lab.count("SELECT version FROM contracts").await, crowd.many as i64 + 1);
    }

    async fn changes_of_different_fields_stand_beside_each_other(crowd: Crowd) {
        let contract = crowd.contract().await.id;
        let answers = crowd.ask(async |n, client| {
            let change = match n % 4 {
                0 => ChangeContract { name: Some(format!("name {n}")), ..ChangeContract::default() },
                1 => ChangeContract { description: Some(format!("about {n}")), ..ChangeContract::default() },
                2 => ChangeContract { status: Some(ContractStatus::Completed), ..ChangeContract::default() },
                _ => return client.set_phase(contract, Phase::Plan).await,
            };
            client.change_contract(contract, &change).await
        }).await;
        assert_eq!(done(&answers, &[Code::Conflict]), crowd.many * 3 / 4 + 1, "one of those who set the phase");
        let now = crowd.lab.client.contract(contract).await.unwrap();
        assert!(now.name.starts_with("name ") && now.description.starts_with("about "), "{now:?}");
        assert_eq!((now.status, now.phase), (ContractStatus::Completed, Phase::Plan));
        let told = "SELECT COUNT(*) FROM history_events WHERE event_subtype IN ('contract_updated', 'phase_change')";
        assert_eq!(crowd.lab.count(told).await, crowd.lab.count("SELECT version FROM contracts").await);
    }

    async fn one_conversation_of_a_chat_goes_on(crowd: Crowd) {
        let contract = Chat::Contract(crowd.contract().await.id);
        for chat in [Chat::Mesh, contract] {
            let unnamed = CreateChatConversation::default();
            let first = crowd.lab.client.create_chat_conversation(chat, &unnamed).await.unwrap().id;
            let answers = crowd.ask(async |n, client| match n % 3 {
                0 => client.activate_chat_conversation(chat, first).await.map(drop),
                1 => client.create_chat_conversation(chat, &unnamed).await.map(drop),
                _ => client.rename_chat_conversation(chat, first, &n.to_string()).await.map(drop),
            }).await;
            assert_eq!(done(&answers, &[]), crowd.many);
            let list = crowd.lab.client.chat_conversations(chat, &List::default()).await.unwrap();
            let begun = (0..crowd.many).filter(|n| n % 3 == 1).count();
            assert_eq!(list.total_count, begun as i64 + 1);
            assert_eq!(list.conversations.iter().filter(|one| one.is_active).count(), 1);
        }
    }

    async fn a_key_is_revoked_once(crowd: Crowd) {
        let key = crowd.lab.client.create_key("spare").await.unwrap().key.id;
        let answers = crowd.ask(async |_, client| client.revoke_key(key).await).await;
        let at: BTreeSet<_> = answers.into_iter().map(|key| key.unwrap().revoked_at.unwrap()).collect();
        assert_eq!(at.len(), 1, "{at:?}");
    }

    async fn a_task_is_stopped_once(crowd: Crowd) {
        let _robot = crowd.robot(1).await;
        let task = crowd.running().await;
        let answers = crowd.ask(async |_, client| client.stop_task(task.id).await).await;
        assert!(done(&answers, &[Code::NotRunning]) > 0);
        assert_eq!(crowd.lab.client.task(task.id).await.unwrap().status, TaskStatus::Interrupted);
        assert_eq!(crowd.lab.count("SELECT COUNT(*) FROM runs").await, 1);
    }

    async fn a_task_that_waits_is_stopped_and_cancelled_once(crowd: Crowd) {
        let task = crowd.lab.task("one").await;
        let answers = crowd.ask(async |_, client| client.stop_task(task.id).await).await;
        assert_eq!(done(&answers, &[Code::NotRunning]), 1);
        let answers = crowd.ask(async |_, client| client.cancel_task(task.id).await).await;
        assert_eq!(done(&answers, &[Code::Conflict]), 1);
        assert_eq!(crowd.lab.client.task(task.id).await.unwrap().status, TaskStatus::Cancelled);
    }

    async fn a_task_is_cancelled_for_good(crowd: Crowd) {
        let _robot = crowd.robot(1).await;
        let task = crowd.running().await;
        let answers = crowd.ask(async |_, client| client.cancel_task(task.id).await).await;
        assert!(done(&answers, &[Code::Conflict]) > 0);
        assert_eq!(crowd.lab.client.task(task.id).await.unwrap().status, TaskStatus::Cancelled);
        assert_eq!(crowd.lab.count("SELECT COUNT(*) FROM tasks WHERE cancelling").await, 0);
    }

    async fn whatever_is_said_to_a_task_that_has_ended_starts_one_run_and_is_heard_once(crowd: Crowd) {
        let _robot = crowd.robot(1).await;
        let task = crowd.running().await;
        crowd.lab.client.stop_task(task.id).await.unwrap();
        let answers = crowd.ask(async |n, client| client.send_message(task.id, &n.to_string()).await).await;
        assert_eq!(done(&answers, &[]), crowd.many);
        crowd.lab.until(&task, |task| task.message_count == crowd.many as i64 + 1).await;
        let said = crowd.lab.client.conversation(task.id).await.unwrap().messages;
        let said: BTreeSet<&str> = said.iter().map(|message| message.content.as_str()).collect();
        assert_eq!(said.len(), crowd.many + 1);
        assert_eq!(crowd.lab.client.task(task.id).await.unwrap().run_number, 2);
    }

    async fn everything_may_happen_to_a_task_at_once(crowd: Crowd) {
        let _robot = crowd.robot(2).await;
        let task = crowd.running().await;
        let before = crowd.lab.client.task(task.id).await.unwrap().message_count;
        let answers = crowd.ask(async |n, client| match n % 5 {
            0 => client.send_message(task.id, &n.to_string()).await.map(drop),
            1 => client.create_checkpoint(task.id, &CreateCheckpoint::default()).await.map(drop),
            2 => client.create_snapshot(task.id, &CreateSnapshot::default()).await.map(drop),
            3 => client.stop_task(task.id).await.map(drop),
            _ => client.reassign_task(task.id, None).await.map(drop),
        }).await;
        done(&answers, &[Code::NotRunning, Code::Conflict]);
        let of = |kind: usize| answers.iter().skip(kind).step_by(5).filter(|answer| answer.is_ok()).count();
        assert_eq!((of(0), of(1), of(2), of(4)), (crowd.many / 5, crowd.many / 5, crowd.many / 5, 0));
        // What was said to a run that ended meanwhile waits for the next one, if nobody stopped that too.
        crowd.lab.client.send_message(task.id, "and last").await.unwrap();
        let all = before + crowd.many as i64 / 5 + 1;
        crowd.lab.until(&task, |task| task.message_count == all && task.status == TaskStatus::Running).await;
        let checkpoints = crowd.lab.client.checkpoints(task.id, &List::default()).await.unwrap();
        let numbers: BTreeSet<i64> = checkpoints.checkpoints.iter().map(|one| one.checkpoint_number).collect();
        assert_eq!((numbers.len(), checkpoints.total_count), (crowd.many / 5, crowd.many as i64 / 5));
    }
}
