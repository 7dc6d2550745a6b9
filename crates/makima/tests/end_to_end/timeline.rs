//! Following the timeline in a terminal.

use crate::lab::{Lab, send, until, wait, write};
use makima_model::{HistoryType, TaskId, TaskStatus};
use makima_wire::{HistoryEntry, ListTimeline, Order, Words};
use rustix::process::Signal;
use serde_json::json;
use std::{
    io::{BufRead, BufReader},
    sync::{Arc, Mutex},
};

/// Fault: the server is ended and started again
/// Moment: while somebody follows the timeline
/// Outcome: each entry is told once, in the order in which they came
#[tokio::test(flavor = "multi_thread")]
async fn who_follows_the_timeline_is_told_each_entry_once_over_a_restart() {
    let mut lab = Lab::new(json!({ "WORK": [write("new.txt", "one\n"), crate::lab::say("Done.")] }));
    lab.up();
    let make = async |lab: &Lab, more: &[&str]| {
        let made = lab.finish(&[&["task", "create", "WORK", "--json"], more].concat()).json();
        let id: TaskId = made["id"].as_str().unwrap().parse().unwrap();
        lab.task_when(id, "it is done", |task| task.status == TaskStatus::Completed).await;
        id
    };
    assert_eq!(lab.finish(&["contract", "create", "Parser"]).code, Some(0));
    let before = make(&lab, &["--contract", "Parser"]).await;
    let types = "task_created,task_turn,checkpoint,task_completed";
    let mut following =
        lab.start(&["timeline", "-f", "--json", "--contract", "Parser", "--event-types", types]);
    let told = Arc::new(Mutex::new(Vec::<HistoryEntry>::new()));
    let reader = {
        let (lines, told) = (BufReader::new(following.stdout.take().unwrap()).lines(), told.clone());
        std::thread::spawn(move || {
            for line in lines {
                told.lock().unwrap().push(serde_json::from_str(&line.unwrap()).unwrap());
            }
        })
    };
    let completed = |task: TaskId| {
        let told = told.lock().unwrap();
        told.iter()
            .any(|entry| entry.task_id == Some(task) && entry.event_type == "task_completed")
            .then_some(())
    };
    until("what is there is told", async || completed(before)).await;
    let while_it_listens = make(&lab, &["--contract", "Parser"]).await;
    until("what happens is told", async || completed(while_it_listens)).await;
    let address = lab.client().url().trim_start_matches("http://").to_owned();
    lab.end_up(Signal::INT);
    lab.up_at(&address, &[]);
    // Whatever happens before it is back is told too.
    let while_it_is_away = make(&lab, &["--contract", "Parser"]).await;
    make(&lab, &[]).await;
    until("what happened meanwhile is told", async || completed(while_it_is_away)).await;
    send(&following, Signal::INT);
    assert_eq!(wait(&mut following).code(), Some(0));
    reader.join().unwrap();
    let wanted = ListTimeline {
        event_types: Words(vec![
            HistoryType::TaskCreated,
            HistoryType::TaskTurn,
            HistoryType::Checkpoint,
            HistoryType::TaskCompleted,
        ]),
        contract_id: told.lock().unwrap()[0].contract_id,
        order: Some(Order::Asc),
        ..ListTimeline::default()
    };
    let all = lab.client().timeline(&wanted).await.unwrap().entries;
    let ids = |entries: &[HistoryEntry]| entries.iter().map(|entry| entry.id).collect::<Vec<_>>();
    assert_eq!(all.len(), 12);
    assert_eq!(ids(&told.lock().unwrap()), ids(&all));
    lab.verify();
}
