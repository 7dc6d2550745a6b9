//! Two servers on one PostgreSQL: what one must tell the other is a row.

use crate::lab::*;
use makima_model::{MessageRole, StopReason, TaskStatus};
use makima_wire::{
    CreateTask,
    frame::{Command, CommandOutcome, CommandResult},
};

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
}
