//! Tasks beyond the main job: cancelled, given to another daemon, found among many.

use crate::{
    lab::{Lab, LabDaemon, begun, ended},
    on_both,
};
use makima_client::{Client, ClientError};
use makima_model::{DaemonId, RunOutcome, TaskId, TaskStatus};
use makima_wire::{
    Code, CreateContract, CreateTask, ListTasks, OfContract, Order, Task, Words,
    frame::{Command, CommandOutcome, CommandResult},
};

fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> Code {
    answer.unwrap_err().code().expect("a refusal")
}

/// A task on a daemon that its test drives, live.
async fn live(lab: &Lab, daemon: &mut LabDaemon) -> (Task, makima_model::RunId) {
    let task = daemon.beside(lab.task("work")).await;
    let start = daemon.start().await;
    daemon.tell(start.run, 1, begun(&task)).await;
    (task, start.run)
}

/// Ends the run that the server wants to be stopped, as `outcome`.
async fn stop(daemon: &mut LabDaemon, outcome: RunOutcome) {
    let (id, command) = daemon.command().await;
    let Command::Stop { run, .. } = command else { panic!("no stop but {command:?}") };
    daemon.tell(run, 4, vec![ended(outcome)]).await;
    daemon.finish(id, CommandOutcome::Done(CommandResult::Done)).await;
}

async fn ids(client: &Client, wanted: &ListTasks) -> Vec<TaskId> {
    let page = client.tasks(wanted).await.unwrap();
    assert_eq!(page.total_count, page.tasks.len() as i64, "all fit one page");
    page.tasks.into_iter().map(|task| task.id).collect()
}

on_both! {
    async fn a_task_that_waits_is_cancelled_at_once_and_no_daemon_starts_it(engine) {
        let lab = Lab::new(engine).await;
        let task = lab.task("one").await;
        let cancelled = lab.client.cancel_task(task.id).await.unwrap();
        assert_eq!(cancelled.status, TaskStatus::Cancelled);
        assert_eq!(refused(lab.client.cancel_task(task.id).await), Code::Conflict);
        let mut daemon = lab.daemon().await;
        let other = daemon.beside(lab.task("two")).await;
        assert_eq!(daemon.start().await.task, other.id, "the cancelled one is not started");
        assert_eq!(refused(lab.stranger().await.cancel_task(other.id).await), Code::NotFound);
    }

    async fn a_live_task_is_cancelled_however_its_run_ends(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        for outcome in [RunOutcome::Interrupted, RunOutcome::Completed, RunOutcome::Failed] {
            let (task, _) = live(&lab, &mut daemon).await;
            let (cancelled, ()) = tokio::join!(lab.client.cancel_task(task.id), stop(&mut daemon, outcome));
            assert_eq!(cancelled.unwrap().status, TaskStatus::Cancelled, "{outcome}");
            let events = lab.client.events(task.id, &makima_wire::List::default()).await.unwrap();
            let last = events.events.iter().find_map(|event| event.new_status);
            assert_eq!(last, Some(TaskStatus::Cancelled));
        }
    }

    async fn a_cancelled_task_goes_on_when_it_is_spoken_to(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let (task, _) = live(&lab, &mut daemon).await;
        let (cancelled, ()) = tokio::join!(lab.client.cancel_task(task.id), stop(&mut daemon, RunOutcome::Interrupted));
        cancelled.unwrap();
        daemon.beside(lab.client.send_message(task.id, "after all")).await.unwrap();
        let start = daemon.start().await;
        daemon.tell(start.run, 1, begun(&task)).await;
        daemon.tell(start.run, 4, vec![ended(RunOutcome::Completed)]).await;
        let task = lab.client.task(task.id).await.unwrap();
        assert_eq!(task.status, TaskStatus::Completed, "the next run is not cancelled with the last");
    }

    async fn a_task_that_has_not_started_goes_to_another_daemon(engine) {
        let lab = Lab::new(engine).await;
        let mut first = lab.daemon().await;
        // Its one place is taken.
        let (running, _) = live(&lab, &mut first).await;
        let wanted = CreateTask {
            plan: "wait".into(),
            repository: Some("/srv/project".into()),
            target_daemon_id: Some(first.id),
            ..CreateTask::default()
        };
        let waiting = first.beside(lab.client.create_task(&wanted)).await.unwrap();
        assert_eq!(waiting.status, TaskStatus::Pending);

        let nobody: DaemonId = lab.clock.new_id();
        assert_eq!(refused(lab.client.reassign_task(waiting.id, Some(nobody)).await), Code::NotFound);
        assert_eq!(refused(lab.client.reassign_task(running.id, None).await), Code::Conflict);
        assert_eq!(refused(lab.stranger().await.reassign_task(waiting.id, None).await), Code::NotFound);

        let mut second = lab.daemon().await;
        let given = second.beside(lab.client.reassign_task(waiting.id, Some(second.id))).await.unwrap();
        assert_eq!(second.start().await.task, given.id);
        assert_eq!(given.daemon_id, Some(second.id));
        assert_eq!(refused(lab.client.reassign_task(waiting.id, None).await), Code::Conflict);
    }

    async fn a_daemon_that_is_away_is_given_no_task(engine) {
        let lab = Lab::with(
            engine,
            makima_server::Settings {
                silence: std::time::Duration::from_millis(300),
                grace: std::time::Duration::ZERO,
                ..Default::default()
            },
        )
        .await;
        let task = lab.task("wait").await;
        let daemon = lab.daemon().await;
        let id = daemon.id;
        drop(daemon);
        // It is offline as soon as the server has noticed.
        let refusal = tokio::time::timeout(crate::lab::PATIENCE, async {
            loop {
                match lab.client.reassign_task(task.id, Some(id)).await {
                    Err(error) if error.code() == Some(Code::DaemonOffline) => return,
                    _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
                }
            }
        });
        refusal.await.expect("the daemon is offline at some time");
    }

    async fn tasks_are_found_by_what_holds_of_them(engine) {
        let lab = Lab::new(engine).await;
        let contract = lab.client.create_contract(&CreateContract {
            name: "Rates".into(),
            repository: "/srv/project".into(),
            ..CreateContract::default()
        }).await.unwrap();
        let make = async |name: &str, plan: &str, agent: Option<&str>, inside: bool| {
            lab.client.create_task(&CreateTask {
                name: Some(name.into()),
                plan: plan.into(),
                agent: agent.map(str::to_owned),
                contract_id: inside.then_some(contract.id),
                repository: Some("/srv/project".into()),
                ..CreateTask::default()
            }).await.unwrap().id
        };
        let parser = make("Parser", "Give the PARSER a test", Some("claude"), true).await;
        let percent = make("100% done", "count_all", None, false).await;
        let umlaut = make("Größe ändern", "x", Some("other"), false).await;
        lab.client.cancel_task(umlaut).await.unwrap();
        let any = ListTasks::default;

        assert_eq!(ids(&lab.client, &any()).await, [umlaut, percent, parser]);
        assert_eq!(ids(&lab.client, &ListTasks { order: Some(Order::Asc), ..any() }).await, [parser, percent, umlaut]);
        let of = |contract_id| ListTasks { contract_id: Some(contract_id), ..any() };
        assert_eq!(ids(&lab.client, &of(OfContract::One(contract.id))).await, [parser]);
        assert_eq!(ids(&lab.client, &of(OfContract::None)).await, [umlaut, percent]);
        let standing = |status: &[TaskStatus]| ListTasks { status: Words(status.to_vec()), ..any() };
        assert_eq!(ids(&lab.client, &standing(&[TaskStatus::Cancelled])).await, [umlaut]);
        assert_eq!(ids(&lab.client, &standing(&[TaskStatus::Pending, TaskStatus::Cancelled])).await.len(), 3);
        assert_eq!(ids(&lab.client, &standing(&[TaskStatus::Running])).await, []);
        assert_eq!(ids(&lab.client, &ListTasks { agent: Some("claude".into()), ..any() }).await, [parser]);
        assert_eq!(ids(&lab.client, &ListTasks { daemon_id: Some(lab.clock.new_id()), ..any() }).await, []);
        for (q, found) in [
            ("parser", vec![parser]),
            ("PARSER", vec![parser]),
            ("100%", vec![percent]),
            ("0% D", vec![percent]),
            ("count_a", vec![percent]),
            ("countXa", vec![]),
            ("Größe", vec![umlaut]),
            ("%", vec![percent]),
            ("_", vec![percent]),
            ("\\", vec![]),
            ("makima/100", vec![percent]),
        ] {
            assert_eq!(ids(&lab.client, &ListTasks { q: Some(q.into()), ..any() }).await, found, "{q}");
        }
        // All at once, and another owner's are never among them.
        let all = ListTasks { q: Some("a".into()), agent: Some("claude".into()), ..standing(&[TaskStatus::Pending]) };
        assert_eq!(ids(&lab.client, &all).await, [parser]);
        assert_eq!(ids(&lab.stranger().await, &any()).await, []);

        // Repeated or with commas, it is the same; an unknown word is told.
        for (query, status) in [
            ("status=pending&status=cancelled", 200),
            ("status=pending,cancelled", 200),
            ("status=gone", 400),
            ("status=", 400),
            ("q=", 400),
            ("q=%20", 400),
            ("order=up", 400),
            ("daemon_id=x", 400),
            ("contract_id=x", 400),
        ] {
            let url = format!("{}/api/v1/mesh/tasks?{query}", lab.url());
            let answer = reqwest::Client::new().get(url).bearer_auth(&lab.key).send().await.unwrap();
            assert_eq!(answer.status(), status, "{query}");
        }
    }

    async fn a_filtered_list_shows_each_row_once_and_keeps_its_total_while_rows_are_added(engine) {
        let lab = Lab::new(engine).await;
        let mut made = Vec::new();
        for n in 0..7 {
            made.push(lab.task(&format!("wanted {n}")).await.id);
            lab.task("else").await;
        }
        for order in [Order::Desc, Order::Asc] {
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let wanted = ListTasks { q: Some("wanted".into()), limit: Some(3), cursor, order: Some(order), ..ListTasks::default() };
                let page = lab.client.tasks(&wanted).await.unwrap();
                assert_eq!(page.total_count, 7);
                seen.extend(page.tasks.into_iter().map(|task| task.id));
                cursor = page.cursor;
                lab.task("in between").await;
                let Some(behind) = &cursor else { break };
                // A cursor is of its own list alone.
                for other in [
                    ListTasks { q: Some("else".into()), ..wanted.clone() },
                    ListTasks { q: None, ..wanted.clone() },
                    ListTasks { order: None, ..wanted.clone() },
                ] {
                    let other = ListTasks { cursor: Some(behind.clone()), ..other };
                    let same = other.order.unwrap_or_default() == order && other.q == wanted.q;
                    assert_eq!(lab.client.tasks(&other).await.is_ok(), same, "{other:?}");
                }
            }
            let mut expected = made.clone();
            if order == Order::Desc {
                expected.reverse();
            }
            assert_eq!(seen, expected);
        }
    }
}
