//! Runs, daemons and their commands.

use crate::lab::{Lab, hello};
use makima_model::{CommandId, Daemon, DaemonId, DaemonStatus, OwnerId, RunOutcome, TaskRole};
use makima_store::{
    Command, CommandState, Engine, NewCommand, StoreError, Task, Wake, commands,
    daemons::{self, Hello},
    runs,
};
use sqlx::{Connection, PgConnection, SqliteConnection};
use std::time::Duration;

async fn get(lab: &Lab, owner: OwnerId, id: DaemonId) -> Daemon {
    daemons::get(&mut lab.read().await, owner, id).await.unwrap().expect("the daemon is there")
}

fn command(lab: &Lab, owner: OwnerId, daemon: DaemonId) -> NewCommand {
    NewCommand {
        id: lab.clock.new_id(),
        owner,
        daemon,
        run: None,
        operation: None,
        body: b"{}".to_vec(),
        created_at: lab.now(),
    }
}

async fn queue(lab: &Lab, command: &NewCommand) {
    let mut tx = lab.begin().await;
    commands::queue(&mut tx, command).await.unwrap();
    tx.commit().await.unwrap();
}

fn ids(commands: &[Command]) -> Vec<CommandId> {
    commands.iter().map(|command| command.id).collect()
}

/// Every daemon was last heard of an hour earlier than it was.
async fn an_hour_passes(lab: &Lab) {
    match lab.db.engine() {
        Engine::Sqlite => {
            let mut connection = SqliteConnection::connect(&lab.url()).await.unwrap();
            let text = "UPDATE daemons SET last_heartbeat_at = strftime('%Y-%m-%dT%H:%M:%f000Z', last_heartbeat_at, '-1 hour')";
            sqlx::query(text).execute(&mut connection).await.unwrap();
        }
        Engine::Postgres => {
            let mut connection = PgConnection::connect(&lab.url()).await.unwrap();
            let text = "UPDATE daemons SET last_heartbeat_at = last_heartbeat_at - interval '1 hour'";
            sqlx::query(text).execute(&mut connection).await.unwrap();
        }
    }
}

on_both_engines! {
    async fn a_run_is_read_back_by_its_owner_alone(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let (daemon, task) = (lab.daemon(owner).await, lab.task(owner).await);
        let run = lab.run(&task, daemon, 1).await;
        let mut tx = lab.read().await;
        assert_eq!(runs::get(&mut tx, owner, run.id).await.unwrap().as_ref(), Some(&run));
        assert_eq!(runs::live_of_task(&mut tx, owner, task.id).await.unwrap().as_ref(), Some(&run));
        assert_eq!(runs::latest_of_task(&mut tx, owner, task.id).await.unwrap().as_ref(), Some(&run));
        assert_eq!(runs::live_of_daemon(&mut tx, owner, daemon).await.unwrap(), std::slice::from_ref(&run));
        assert_eq!(runs::get(&mut tx, other, run.id).await.unwrap(), None);
        assert_eq!(runs::live_of_task(&mut tx, other, task.id).await.unwrap(), None);
        assert_eq!(runs::live_of_daemon(&mut tx, other, daemon).await.unwrap(), []);
    }

    async fn a_task_has_one_live_run(lab: Lab) {
        let owner = lab.owner().await;
        let (daemon, task) = (lab.daemon(owner).await, lab.task(owner).await);
        let first = lab.run(&task, daemon, 1).await;
        let second = lab.new_run(&task, daemon, 2);
        let error = runs::insert(&mut lab.begin().await, &second).await.unwrap_err();
        assert!(matches!(error, StoreError::LiveRun), "{error:?}");

        let mut tx = lab.begin().await;
        assert!(runs::end(&mut tx, owner, first.id, RunOutcome::Failed, Some("crashed"), lab.now()).await.unwrap());
        assert!(!runs::end(&mut tx, owner, first.id, RunOutcome::Completed, None, lab.now()).await.unwrap());
        runs::insert(&mut tx, &second).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = lab.read().await;
        let first = runs::get(&mut tx, owner, first.id).await.unwrap().unwrap();
        assert_eq!((first.outcome, first.reason.as_deref()), (Some(RunOutcome::Failed), Some("crashed")));
        assert_eq!(runs::live_of_task(&mut tx, owner, task.id).await.unwrap().as_ref(), Some(&second));
        assert_eq!(runs::latest_of_task(&mut tx, owner, task.id).await.unwrap(), Some(second));
    }

    async fn a_run_that_was_given_up_lives_again_unless_a_newer_one_was_made(lab: Lab) {
        let owner = lab.owner().await;
        let (daemon, task) = (lab.daemon(owner).await, lab.task(owner).await);
        let run = lab.run(&task, daemon, 1).await;
        let mut tx = lab.begin().await;
        assert!(!runs::revive(&mut tx, owner, run.id).await.unwrap());
        runs::end(&mut tx, owner, run.id, RunOutcome::Interrupted, Some("silent"), lab.now()).await.unwrap();
        assert!(!runs::revive(&mut tx, lab.clock.new_id(), run.id).await.unwrap());
        assert!(runs::revive(&mut tx, owner, run.id).await.unwrap());
        assert_eq!(runs::get(&mut tx, owner, run.id).await.unwrap().as_ref(), Some(&run));

        runs::end(&mut tx, owner, run.id, RunOutcome::Interrupted, Some("silent"), lab.now()).await.unwrap();
        runs::insert(&mut tx, &lab.new_run(&task, daemon, 2)).await.unwrap();
        assert!(!runs::revive(&mut tx, owner, run.id).await.unwrap());
    }

    async fn a_run_that_completed_does_not_live_again(lab: Lab) {
        let owner = lab.owner().await;
        let (daemon, task) = (lab.daemon(owner).await, lab.task(owner).await);
        let run = lab.run(&task, daemon, 1).await;
        let mut tx = lab.begin().await;
        runs::end(&mut tx, owner, run.id, RunOutcome::Completed, None, lab.now()).await.unwrap();
        assert!(!runs::revive(&mut tx, owner, run.id).await.unwrap());
    }

    async fn the_entries_of_a_run_are_taken_once(lab: Lab) {
        let owner = lab.owner().await;
        let (daemon, task) = (lab.daemon(owner).await, lab.task(owner).await);
        let run = lab.run(&task, daemon, 1).await;
        let side = lab.task(owner).await.conversation;
        let mut tx = lab.begin().await;
        assert!(runs::set_last_entry(&mut tx, owner, run.id, 0, 5).await.unwrap());
        assert!(!runs::set_last_entry(&mut tx, owner, run.id, 0, 5).await.unwrap());
        assert!(!runs::set_last_entry(&mut tx, lab.clock.new_id(), run.id, 5, 6).await.unwrap());
        runs::set_session(&mut tx, owner, run.id, "8c1f").await.unwrap();
        runs::set_turn_seq(&mut tx, owner, run.id, 3).await.unwrap();
        let read = runs::get(&mut tx, owner, run.id).await.unwrap().unwrap();
        assert_eq!((read.last_entry, read.session_id.as_deref(), read.turn_seq), (5, Some("8c1f"), 3));
        runs::set_branch(&mut tx, owner, run.id, side, 4).await.unwrap();
        let read = runs::get(&mut tx, owner, run.id).await.unwrap().unwrap();
        assert_eq!((read.branch, read.turn_seq), (side, 4));
    }

    async fn a_daemon_is_read_back_with_the_workers_that_it_runs(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let id = lab.daemon(owner).await;
        let (worker, ended) = (lab.task(owner).await, lab.task(owner).await);
        let supervisor = lab.insert_task(Task { role: TaskRole::Supervisor, ..lab.new_task(owner) }).await;
        for task in [&worker, &supervisor] {
            lab.run(task, id, 1).await;
        }
        let run = lab.run(&ended, id, 1).await;
        let mut tx = lab.begin().await;
        runs::end(&mut tx, owner, run.id, RunOutcome::Completed, None, lab.now()).await.unwrap();
        assert_eq!(runs::live_count_of_workers(&mut tx, owner, id).await.unwrap(), 1);
        assert_eq!(runs::live_count_of_workers(&mut tx, other, id).await.unwrap(), 0);
        tx.commit().await.unwrap();

        let daemon = get(&lab, owner, id).await;
        let expected = Daemon {
            id,
            owner,
            name: "workshop".into(),
            hostname: "workshop.local".into(),
            status: DaemonStatus::Online,
            max_concurrent_tasks: 4,
            running_tasks: 1,
            agents: hello(id).agents.to_vec(),
            last_heartbeat_at: daemon.last_heartbeat_at,
            trouble: None,
        };
        assert_eq!(daemon, expected);
        let mut tx = lab.read().await;
        assert_eq!(daemons::list(&mut tx, owner).await.unwrap(), [expected]);
        assert_eq!(daemons::list(&mut tx, other).await.unwrap(), []);
        assert_eq!(daemons::get(&mut tx, other, id).await.unwrap(), None);
    }

    async fn a_daemon_that_comes_back_is_the_same_and_of_the_same_owner(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let id = lab.daemon(owner).await;
        let error = daemons::upsert(&mut lab.begin().await, other, hello(id)).await.unwrap_err();
        assert!(matches!(error, StoreError::ForeignDaemon), "{error:?}");

        let mut tx = lab.begin().await;
        assert!(!daemons::set_offline(&mut tx, other, id).await.unwrap());
        assert!(daemons::set_offline(&mut tx, owner, id).await.unwrap());
        assert!(!daemons::set_offline(&mut tx, owner, id).await.unwrap());
        assert_eq!(daemons::get(&mut tx, owner, id).await.unwrap().unwrap().status, DaemonStatus::Offline);
        daemons::upsert(&mut tx, owner, Hello { name: "bench", max_concurrent_tasks: 1, ..hello(id) }).await.unwrap();
        tx.commit().await.unwrap();
        let daemon = get(&lab, owner, id).await;
        assert_eq!((daemon.name.as_str(), daemon.status), ("bench", DaemonStatus::Online));
        assert_eq!(daemon.max_concurrent_tasks, 1);
    }

    async fn silence_is_told_by_the_databases_clock(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let (beating, gone) = (lab.daemon(owner).await, lab.daemon(other).await);
        let silent = async || {
            let daemons = daemons::silent(&mut lab.read().await, Duration::from_secs(600)).await.unwrap();
            daemons.into_iter().map(|daemon| (daemon.owner, daemon.id)).collect::<Vec<_>>()
        };
        assert_eq!(silent().await, []);
        an_hour_passes(&lab).await;
        let mut tx = lab.begin().await;
        assert!(daemons::beat(&mut tx, owner, beating, 1, None).await.unwrap());
        assert!(!daemons::beat(&mut tx, owner, gone, 1, None).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(silent().await, [(other, gone)]);

        let mut tx = lab.begin().await;
        daemons::set_offline(&mut tx, other, gone).await.unwrap();
        daemons::set_offline(&mut tx, owner, beating).await.unwrap();
        assert!(daemons::beat(&mut tx, owner, beating, 1, None).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(silent().await, []);
        assert_eq!(get(&lab, owner, beating).await.status, DaemonStatus::Online);
    }

    async fn what_keeps_a_daemon_from_working_is_kept_until_it_says_otherwise_or_comes_anew(lab: Lab) {
        let owner = lab.owner().await;
        let id = lab.daemon(owner).await;
        let beat = async |trouble: Option<&str>| {
            let mut tx = lab.begin().await;
            assert!(daemons::beat(&mut tx, owner, id, 1, trouble).await.unwrap());
            tx.commit().await.unwrap();
            get(&lab, owner, id).await.trouble
        };
        assert_eq!(beat(Some("no room")).await.as_deref(), Some("no room"));
        assert_eq!(beat(None).await, None);
        beat(Some("no room")).await;
        let mut tx = lab.begin().await;
        daemons::upsert(&mut tx, owner, hello(id)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(get(&lab, owner, id).await.trouble, None);
    }

    async fn the_newest_connection_of_a_daemon_is_the_one_that_counts(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let id = lab.daemon(owner).await;
        let mut tx = lab.begin().await;
        assert!(daemons::hold(&mut tx, owner, id, 1).await.unwrap());
        assert_eq!(daemons::upsert(&mut tx, owner, hello(id)).await.unwrap(), 2);
        assert!(!daemons::hold(&mut tx, owner, id, 1).await.unwrap());
        assert!(!daemons::beat(&mut tx, owner, id, 1, None).await.unwrap());
        assert!(!daemons::hold(&mut tx, other, id, 2).await.unwrap());
        assert!(daemons::hold(&mut tx, owner, id, 2).await.unwrap());
        assert!(daemons::beat(&mut tx, owner, id, 2, None).await.unwrap());
    }

    async fn commands_are_claimed_once_oldest_first(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let (daemon, second) = (lab.daemon(owner).await, lab.daemon(owner).await);
        let mut queued = Vec::new();
        for _ in 0..5 {
            let command = command(&lab, owner, daemon);
            queue(&lab, &command).await;
            queued.push(command.id);
        }
        queue(&lab, &command(&lab, owner, second)).await;
        let mut tx = lab.begin().await;
        assert_eq!(commands::claim(&mut tx, other, daemon, 9, lab.now()).await.unwrap(), []);
        let claimed = commands::claim(&mut tx, owner, daemon, 2, lab.now()).await.unwrap();
        assert_eq!(ids(&claimed), queued[..2]);
        assert!(claimed.iter().all(|command| command.state == CommandState::Sent && command.body == b"{}"));
        assert_eq!(ids(&commands::claim(&mut tx, owner, daemon, 9, lab.now()).await.unwrap()), queued[2..]);
        assert_eq!(commands::claim(&mut tx, owner, daemon, 9, lab.now()).await.unwrap(), []);

        // A new connection gets again what the old one may have lost.
        assert!(commands::acknowledge(&mut tx, owner, queued[1], lab.now()).await.unwrap());
        assert!(!commands::acknowledge(&mut tx, owner, queued[1], lab.now()).await.unwrap());
        assert!(!commands::acknowledge(&mut tx, other, queued[2], lab.now()).await.unwrap());
        commands::requeue_sent(&mut tx, other, daemon, lab.now()).await.unwrap();
        assert_eq!(commands::claim(&mut tx, owner, daemon, 9, lab.now()).await.unwrap(), []);
        commands::requeue_sent(&mut tx, owner, daemon, lab.now()).await.unwrap();
        let again = commands::claim(&mut tx, owner, daemon, 9, lab.now()).await.unwrap();
        assert_eq!(ids(&again), [queued[0], queued[2], queued[3], queued[4]]);
    }

    async fn a_command_is_finished_once(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let daemon = lab.daemon(owner).await;
        let (done, failed) = (command(&lab, owner, daemon), command(&lab, owner, daemon));
        queue(&lab, &done).await;
        queue(&lab, &failed).await;
        let mut tx = lab.begin().await;
        assert!(!commands::finish(&mut tx, other, done.id, Ok(vec![]), lab.now()).await.unwrap());
        assert!(commands::finish(&mut tx, owner, done.id, Ok(b"ok".repeat(100)), lab.now()).await.unwrap());
        assert!(!commands::finish(&mut tx, owner, done.id, Err("late".into()), lab.now()).await.unwrap());
        assert!(!commands::acknowledge(&mut tx, owner, done.id, lab.now()).await.unwrap());
        assert!(commands::finish(&mut tx, owner, failed.id, Err("no\0pe".into()), lab.now()).await.unwrap());
        let read = commands::get(&mut tx, owner, done.id).await.unwrap().unwrap();
        assert_eq!((read.state, read.result, read.error), (CommandState::Done, Some(b"ok".repeat(100)), None));
        let read = commands::get(&mut tx, owner, failed.id).await.unwrap().unwrap();
        assert_eq!((read.state, read.result), (CommandState::Failed, None));
        assert_eq!(read.error.as_deref(), Some("no\u{fffd}pe"));
        assert_eq!(commands::get(&mut tx, other, done.id).await.unwrap(), None);
    }

    async fn the_unfinished_commands_of_a_run_are_known(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let (daemon, task) = (lab.daemon(owner).await, lab.task(owner).await);
        let run = lab.run(&task, daemon, 1).await;
        // As large as a session that a run begins with.
        let body: Vec<u8> = (0..3_000_000u32).flat_map(|n| n.to_le_bytes()).collect();
        let first = NewCommand { run: Some(run.id), body, ..command(&lab, owner, daemon) };
        let second = NewCommand { run: Some(run.id), ..command(&lab, owner, daemon) };
        for command in [&first, &second, &command(&lab, owner, daemon)] {
            queue(&lab, command).await;
        }
        let mut tx = lab.begin().await;
        let unfinished = commands::unfinished_of_run(&mut tx, owner, run.id).await.unwrap();
        assert_eq!(ids(&unfinished), [first.id, second.id]);
        assert!(unfinished[0].body == first.body, "a large body is read back");
        assert_eq!(commands::unfinished_of_run(&mut tx, other, run.id).await.unwrap(), []);
        commands::finish(&mut tx, owner, first.id, Ok(vec![]), lab.now()).await.unwrap();
        assert_eq!(ids(&commands::unfinished_of_run(&mut tx, owner, run.id).await.unwrap()), [second.id]);
    }

    async fn who_listens_is_told_of_commands_once_they_are_there(lab: Lab) {
        let owner = lab.owner().await;
        let daemon = lab.daemon(owner).await;
        let mut wakes = lab.db.wakeups();
        let mut tx = lab.begin().await;
        commands::queue(&mut tx, &command(&lab, owner, daemon)).await.unwrap();
        drop(tx);
        let command = command(&lab, owner, daemon);
        queue(&lab, &command).await;
        assert_eq!(wakes.recv().await.unwrap(), Wake::Commands(daemon));
        let mut tx = lab.begin().await;
        commands::finish(&mut tx, owner, command.id, Ok(vec![]), lab.now()).await.unwrap();
        tx.commit().await.unwrap();
        // Had the one that was undone been told, it would have come before this.
        assert_eq!(wakes.recv().await.unwrap(), Wake::Command(command.id));
    }
}
