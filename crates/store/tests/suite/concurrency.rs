//! What holds when many do things at once.

use crate::lab::{Lab, in_time, packed};
use futures::future::join_all;
use makima_model::{EventKind, OwnerId, RunOutcome, TaskEventKind, TaskStatus};
use makima_store::{
    Checkpoint, Db, Engine, FeedItem, FeedScope, NewCommand, NewHistory, NewTaskEvent, Noun, StoreError,
    Task, Wake, checkpoints, commands, conversations, counters, events, runs, tasks, users,
};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::sync::broadcast::error::RecvError;

fn task_event(lab: &Lab, task: &Task) -> NewTaskEvent {
    NewTaskEvent {
        id: lab.clock.new_id(),
        owner: task.owner,
        task: task.id,
        run_number: 1,
        kind: TaskEventKind::Output,
        previous_status: None,
        new_status: None,
        data: json!({}),
        created_at: lab.now(),
    }
}

fn history(lab: &Lab, task: &Task) -> NewHistory {
    NewHistory {
        id: lab.clock.new_id(),
        owner: task.owner,
        contract: None,
        task: Some(task.id),
        kind: EventKind::Task,
        subtype: "task_status".into(),
        phase: None,
        data: json!({}),
        created_at: lab.now(),
    }
}

/// Everything behind `seq`, in the order in which a reader gets it who asks again and again until `done`.
async fn follow(db: &Db, owner: OwnerId, done: &AtomicBool) -> Vec<i64> {
    let mut seqs: Vec<i64> = Vec::new();
    loop {
        let last = done.load(Ordering::SeqCst);
        let from = seqs.last().copied().unwrap_or(0);
        let items =
            events::after(&mut db.read().await.unwrap(), owner, from, FeedScope::Owner, 7).await.unwrap();
        if items.is_empty() && last {
            return seqs;
        }
        seqs.extend(items.iter().map(FeedItem::seq));
        tokio::task::yield_now().await;
    }
}

on_both_engines! {
    async fn a_reader_that_follows_the_feed_misses_nothing_of_many_writers(lab: Lab) {
        const WRITERS: usize = 6;
        const ROUNDS: usize = 15;
        let owner = lab.owner().await;
        let done = AtomicBool::new(false);
        let tasks = join_all((0..WRITERS).map(|_| lab.task(owner))).await;
        let write = join_all(tasks.iter().map(|task| async {
            for round in 0..ROUNDS {
                let mut tx = lab.begin().await;
                conversations::append(&mut tx, owner, task.conversation, 1, packed(&[lab.said("x")])).await.unwrap();
                events::append_task_event(&mut tx, task_event(&lab, task));
                events::append_history(&mut tx, history(&lab, task));
                // Others are between their numbers and their ends meanwhile.
                tokio::task::yield_now().await;
                if round % 5 == 4 {
                    drop(tx);
                } else {
                    tx.commit().await.unwrap();
                }
            }
        }));
        let write = async {
            write.await;
            done.store(true, Ordering::SeqCst);
        };
        let ((), followed, also_followed) = tokio::join!(write, follow(&lab.db, owner, &done), follow(&lab.db, owner, &done));
        let written = WRITERS * ROUNDS / 5 * 4 * 3;
        assert_eq!(followed, (1..=written as i64).collect::<Vec<_>>());
        assert_eq!(also_followed, followed);
        let mut tx = lab.read().await;
        let counted = counters::count(&mut tx, owner, owner.uuid(), Noun::History, None, None).await.unwrap();
        assert_eq!(counted, written as i64 / 3);
    }

    async fn messages_of_one_branch_have_no_holes_whoever_appends(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let append = |_| async {
            let mut tx = lab.begin().await;
            let said = [lab.said("a"), lab.said("b")];
            let first = conversations::append(&mut tx, owner, task.conversation, 1, packed(&said)).await.unwrap().unwrap();
            tx.commit().await.unwrap();
            first
        };
        let firsts: BTreeSet<i64> = join_all((0..20).map(append)).await.into_iter().collect();
        assert_eq!(firsts, (0..20).map(|n| n * 2).collect());
        let mut tx = lab.read().await;
        let lineage = conversations::lineage(&mut tx, owner, task.conversation).await.unwrap();
        let read = conversations::read(&mut tx, owner, &lineage, lineage[0].head(), 0..40).await.unwrap();
        assert!(read.iter().map(|stored| stored.seq).eq(0..40));
    }

    async fn those_who_change_tasks_and_tell_of_it_do_not_wait_for_each_other_for_ever(lab: Lab) {
        let owner = lab.owner().await;
        let tasks = join_all((0..3).map(|_| lab.task(owner))).await;
        // Each takes the tasks' rows in one order and tells of it before, between and after.
        let change = |_| async {
            let mut tx = lab.begin().await;
            for task in &tasks {
                events::append_history(&mut tx, history(&lab, task));
                tasks::add_usage(&mut tx, owner, task.id, 1, 0.0, lab.now()).await?;
                events::append_task_event(&mut tx, task_event(&lab, task));
            }
            tx.commit().await
        };
        for changed in join_all((0..16).map(change)).await {
            changed.unwrap();
        }
        for task in &tasks {
            let task = tasks::get(&mut lab.read().await, owner, task.id).await.unwrap().unwrap();
            assert_eq!(task.total_tokens, 16);
        }
    }

    async fn of_many_who_change_a_status_one_does(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let change = |_| async {
            let mut tx = lab.begin().await;
            let (from, to) = (TaskStatus::Pending, TaskStatus::Starting);
            let changed = tasks::set_status(&mut tx, owner, task.id, from, to, None, lab.now()).await.unwrap();
            tx.commit().await.unwrap();
            changed
        };
        let changed = join_all((0..10).map(change)).await;
        assert_eq!(changed.into_iter().filter(|changed| *changed).count(), 1);
    }

    async fn of_many_who_start_a_run_one_does(lab: Lab) {
        let owner = lab.owner().await;
        let (daemon, task) = (lab.daemon(owner).await, lab.task(owner).await);
        let start = |number| {
            let run = lab.new_run(&task, daemon, number);
            let lab = &lab;
            async move {
                let mut tx = lab.begin().await;
                runs::insert(&mut tx, &run).await?;
                tx.commit().await
            }
        };
        let started = join_all((1..=8).map(start)).await;
        assert_eq!(started.iter().filter(|started| started.is_ok()).count(), 1);
        for refused in started.into_iter().filter_map(Result::err) {
            assert!(matches!(refused, StoreError::LiveRun), "{refused:?}");
        }
    }

    async fn a_run_is_not_revived_beside_a_newer_one_that_is_made_at_once(lab: Lab) {
        let owner = lab.owner().await;
        let daemon = lab.daemon(owner).await;
        for _ in 0..5 {
            let task = lab.task(owner).await;
            let run = lab.run(&task, daemon, 1).await;
            let mut tx = lab.begin().await;
            runs::end(&mut tx, owner, run.id, RunOutcome::Interrupted, None, lab.now()).await.unwrap();
            tx.commit().await.unwrap();
            let newer = lab.new_run(&task, daemon, 2);
            let revive = async {
                let mut tx = lab.begin().await;
                let revived = runs::revive(&mut tx, owner, run.id).await?;
                tx.commit().await.map(|()| revived)
            };
            let make = async {
                let mut tx = lab.begin().await;
                runs::insert(&mut tx, &newer).await?;
                tx.commit().await
            };
            let (revived, made) = tokio::join!(revive, make);
            let revived = matches!(revived, Ok(true));
            assert!(revived != made.is_ok(), "{revived} {made:?}");
        }
    }

    async fn of_many_who_claim_commands_each_gets_others(lab: Lab) {
        let owner = lab.owner().await;
        let daemon = lab.daemon(owner).await;
        let mut tx = lab.begin().await;
        let mut queued = BTreeSet::new();
        for _ in 0..30 {
            let id = lab.clock.new_id();
            let body = b"{}".to_vec();
            let command = NewCommand { id, owner, daemon, run: None, operation: None, body, created_at: lab.now() };
            commands::queue(&mut tx, &command).await.unwrap();
            queued.insert(id);
        }
        tx.commit().await.unwrap();
        let claim = |_| async {
            let mut claimed = Vec::new();
            loop {
                let mut tx = lab.begin().await;
                let commands = commands::claim(&mut tx, owner, daemon, 4, lab.now()).await.unwrap();
                tx.commit().await.unwrap();
                if commands.is_empty() {
                    return claimed;
                }
                claimed.extend(commands.into_iter().map(|command| command.id));
            }
        };
        let claimed = join_all((0..4).map(claim)).await.concat();
        assert!(claimed.len() <= 30, "{claimed:?}");
        // One who lost a race for some may have stopped early: what is left is still queued.
        let rest = claim(0).await;
        let all: BTreeSet<_> = claimed.iter().chain(&rest).copied().collect();
        assert_eq!((all.len(), &all), (claimed.len() + rest.len(), &queued));
    }

    async fn an_owner_is_held_by_one_at_a_time(lab: Lab) {
        let owner = lab.owner().await;
        let counted = std::sync::Mutex::new((0, 0));
        let count = |_| async {
            for _ in 0..5 {
                let mut tx = lab.begin().await;
                users::hold(&mut tx, owner).await.unwrap();
                {
                    let mut counted = counted.lock().unwrap();
                    counted.0 += 1;
                    assert_eq!(counted.0, 1);
                }
                tokio::task::yield_now().await;
                {
                    let mut counted = counted.lock().unwrap();
                    *counted = (counted.0 - 1, counted.1 + 1);
                }
                tx.commit().await.unwrap();
            }
        };
        join_all((0..4).map(count)).await;
        assert_eq!(*counted.lock().unwrap(), (0, 20));
    }

    async fn checkpoints_that_are_made_at_once_have_their_own_numbers(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let position = makima_model::Position { branch: task.conversation, seq: 0 };
        let make = |_| async {
            let made = crate::conversations::made(&lab, 1);
            let checkpoint = Checkpoint { owner, task: task.id, run: None, position, snapshot: None, made };
            let mut tx = lab.begin().await;
            let number = checkpoints::insert(&mut tx, &checkpoint).await.unwrap();
            // The same again, as when its acknowledgement was lost.
            assert_eq!(checkpoints::insert(&mut tx, &checkpoint).await.unwrap(), None);
            tx.commit().await.unwrap();
            number.unwrap()
        };
        let numbers: BTreeSet<i64> = join_all((0..8).map(make)).await.into_iter().collect();
        assert_eq!(numbers, (1..=8).collect());
    }

    /// The trap: sqlx's `begin`, dropped half-way, leaves its connection inside a transaction.
    async fn transactions_that_nobody_waits_for_any_more_leave_no_connection_inside_one(lab: Lab) {
        for n in 0..400 {
            given_up_after(n % 40, lab.db.begin()).await;
            given_up_after(n % 40, lab.db.read()).await;
        }
        if lab.db.engine() == Engine::Postgres {
            let mut connection = PgConnection::connect(&lab.url()).await.unwrap();
            wait_until(async || {
                let inside: i64 = sqlx::query_scalar(
                    "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'",
                )
                .fetch_one(&mut connection)
                .await
                .unwrap();
                inside == 0
            })
            .await;
        }
        // Everyone can still write and read.
        let owner = lab.owner().await;
        join_all((0..20).map(|_| lab.task(owner))).await;
    }

    async fn a_commit_that_nobody_waits_for_any_more_is_whole_or_not_there_and_told(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let mut wakes = lab.db.wakeups();
        for n in 0..40 {
            let mut tx = lab.begin().await;
            events::append_task_event(&mut tx, task_event(&lab, &task));
            events::append_history(&mut tx, history(&lab, &task));
            given_up_after(n * n, tx.commit()).await;
        }
        // Behind this one, none of the others is still on its way.
        let mut tx = lab.begin().await;
        events::append_task_event(&mut tx, task_event(&lab, &task));
        events::append_history(&mut tx, history(&lab, &task));
        tx.commit().await.unwrap();
        let items = events::after(&mut lab.read().await, owner, 0, FeedScope::Owner, 1000).await.unwrap();
        assert!(items.len() % 2 == 0, "{items:?}");
        let last = items.len() / 2;
        let mut told = 0;
        while told < last {
            match wakes.recv().await {
                Ok(Wake::Events(woken)) if woken == owner => told += 1,
                Ok(_) => {}
                Err(RecvError::Lagged(_) | RecvError::Closed) => panic!("only {told} of {last} were told"),
            }
        }
    }
}

/// Drops `work` after it could have gone on `turns` times: half-way, somewhere.
async fn given_up_after(turns: usize, work: impl Future) {
    let give_up = async {
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = work => {}
        () = give_up => {}
    }
}

/// Waits for a condition that comes about by itself.
async fn wait_until(mut condition: impl AsyncFnMut() -> bool) {
    while !condition().await {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_listens_to_a_postgres_that_was_away_is_told_that_something_may_be_missing() {
    in_time(hears_again()).await;
}

async fn hears_again() {
    let lab = Lab::on_postgres().await;
    let owner = lab.owner().await;
    let task = lab.task(owner).await;
    let mut wakes = lab.db.wakeups();
    let mut connection = PgConnection::connect(&lab.url()).await.unwrap();
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
         AND application_name = 'makima'",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    while wakes.recv().await.unwrap() != Wake::Lagged {}
    // And it hears again.
    let mut tx = lab.begin().await;
    events::append_task_event(&mut tx, task_event(&lab, &task));
    tx.commit().await.unwrap();
    while wakes.recv().await.unwrap() != Wake::Events(owner) {}
}
