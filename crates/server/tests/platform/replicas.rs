//! Two servers on one PostgreSQL: what one must tell the other is a row.

use crate::{diffs::with_two, lab::*};
use makima_model::{MessageRole, Point, StopReason, TaskStatus, diff::GitDiff};
use makima_wire::{
    CreateTask, DiffQuery,
    frame::{Command, CommandOutcome, CommandResult, FromDaemon, ToDaemon},
};
use sqlx::{Connection, PgConnection};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_of_one_server_works_for_the_clients_of_another() {
    let lab = Lab::new(Engine::Postgres).await;
    let (_server, client) = lab.replica().await;
    let mut daemon = lab.daemon().await;
    let wanted =
        CreateTask { plan: "one".into(), repository: Some("/srv/project".into()), ..CreateTask::default() };
    let task = daemon.beside(client.create_task(&wanted)).await.unwrap();
    let start = daemon.start().await;
    assert_eq!(start.task, task.id);

    let mut feed = Box::pin(client.feed(Some(task.id), None).await.unwrap());
    let mut records = begun(&task);
    records.push(said(&lab.clock, MessageRole::Assistant, "hello"));
    daemon.tell(start.run, 1, records).await;
    let heard = take(&mut feed, 4).await;
    assert!(heard.iter().any(|event| event.event == "message" && event.data.contains("hello")), "{heard:?}");

    let stopping = tokio::spawn({
        let (client, id) = (client.clone(), task.id);
        async move { client.stop_task(id).await }
    });
    let (command, Command::Stop { reason, .. }) = daemon.command().await else { panic!("no stop") };
    assert_eq!(reason, StopReason::Owner);
    daemon.tell(start.run, 5, vec![ended(makima_model::RunOutcome::Interrupted)]).await;
    daemon.finish(command, CommandOutcome::Done(CommandResult::Done)).await;
    assert_eq!(stopping.await.unwrap().unwrap().status, TaskStatus::Interrupted);
    lab.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_of_one_server_asks_is_answered_by_a_daemon_of_another() {
    let lab = Lab::new(Engine::Postgres).await;
    let (_server, client) = lab.replica().await;
    let mut daemon = lab.daemon().await;
    let (task, _, _) = with_two(&lab, &mut daemon).await;
    let before = lab.count("SELECT COUNT(*) FROM daemon_commands").await;
    let asking = tokio::spawn(async move {
        client.checkpoint_diff(task.id, &Point::Number(2), &DiffQuery::default()).await
    });
    let (command, Command::Diff(_)) = daemon.command().await else { panic!("no diff") };
    let told = GitDiff::default();
    daemon.finish(command, CommandOutcome::Done(CommandResult::Diff(told.clone()))).await;
    assert_eq!(asking.await.unwrap().unwrap().diff, told);
    // It was stored, since who asked is elsewhere, and is forgotten once it was read.
    while lab.count("SELECT COUNT(*) FROM daemon_commands").await > before {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    lab.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_two_servers_take_at_once_are_taken_once() {
    let lab = Lab::new(Engine::Postgres).await;
    let (server, _client) = lab.replica().await;
    let mut daemon = lab.daemon().await;
    let task = daemon.beside(lab.task("one")).await;
    let start = daemon.start().await;
    daemon.tell(start.run, 1, begun(&task)).await;
    // It connects anew to the other server, while the first still works on what it sent before.
    let mut anew = LabDaemon::connect_to(&server, &lab, daemon.id, &[start.run]).await;
    let held = lab.hold(task.conversation_state.branch_id).await;
    let records: Vec<_> =
        ["a", "b", "c"].map(|text| said(&lab.clock, MessageRole::Assistant, text)).into_iter().collect();
    daemon.post(start.run, 4, records.clone()).await;
    anew.post(start.run, 4, records).await;
    let mut connection = PgConnection::connect(lab.database_url()).await.unwrap();
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut connection).await.unwrap() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    drop(held);
    for daemon in [&mut daemon, &mut anew] {
        loop {
            match daemon.frame().await.expect("the connection lives") {
                ToDaemon::Ack { n: 6, .. } => break,
                frame => assert!(!matches!(frame, ToDaemon::Ack { .. }), "{frame:?}"),
            }
        }
    }
    let conversation = lab.client.conversation(task.id).await.unwrap();
    let texts: Vec<&str> = conversation.messages.iter().map(|message| message.content.as_str()).collect();
    assert_eq!(texts, ["a", "b", "c"]);
    lab.verify().await;
}

/// Fault: a daemon's connection to one server is half-open, and it has connected anew to another server
/// Moment: while commands are queued
/// Outcome: each command goes to the newest connection; the old one is given none and is ended
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_go_to_a_daemons_newest_connection_whichever_server_has_it() {
    let lab = Lab::new(Engine::Postgres).await;
    let (server, client) = lab.replica().await;
    for round in 0..4 {
        // The first connection is to one server in one round and to the other in the next.
        let (first, second) = if round % 2 == 0 { (&lab.server, &server) } else { (&server, &lab.server) };
        let id = lab.clock.new_id();
        let mut old = LabDaemon::connect_to(first, &lab, id, &[]).await;
        let mut new = LabDaemon::connect_to(second, &lab, id, &[]).await;
        let wanted = CreateTask {
            plan: "one".into(),
            repository: Some("/srv/project".into()),
            target_daemon_id: Some(id),
            ..CreateTask::default()
        };
        let task = new.beside(client.create_task(&wanted)).await.unwrap();
        assert_eq!(new.start().await.task, task.id);
        // Whoever looks for commands and is not the newest is ended; a sign of life makes no difference to that.
        let _ = old.try_send(FromDaemon::Heartbeat { trouble: None }).await;
        assert_eq!(old.frame().await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_that_give_out_tasks_at_once_give_no_daemon_too_many() {
    let lab = Lab::new(Engine::Postgres).await;
    let (_server, other) = lab.replica().await;
    let mut daemon = lab.daemon().await;
    let wanted =
        CreateTask { plan: "one".into(), repository: Some("/srv/project".into()), ..CreateTask::default() };
    let made = (0..8).map(|at| {
        let (client, wanted) = (if at % 2 == 0 { &lab.client } else { &other }, wanted.clone());
        async move { client.create_task(&wanted).await.unwrap() }
    });
    let made = daemon.beside(futures::future::join_all(made)).await;
    let mut statuses = Vec::new();
    for task in made {
        statuses.push(lab.client.task(task.id).await.unwrap().status);
    }
    let started = statuses.iter().filter(|status| **status == TaskStatus::Starting).count();
    // It runs one at a time.
    assert_eq!(started, 1, "{statuses:?}");
}
