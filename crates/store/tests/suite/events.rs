//! Events, the feed, counts, questions and the inbox.

use crate::lab::{Lab, all, packed, walk};
use makima_model::{
    Answer, ContractId, EventKind, Message, OwnerId, Phase, PrincipalId, Question, QuestionKind,
    TaskEventKind, TaskId, TaskStatus,
};
use makima_store::{
    FeedItem, FeedScope, InboxMessage, NewHistory, NewTaskEvent, Noun, Order, Task, Wake, conversations,
    counters, events, inbox, questions,
};
use serde_json::json;

fn history(lab: &Lab, owner: OwnerId, contract: Option<ContractId>, task: Option<TaskId>) -> NewHistory {
    NewHistory {
        id: lab.clock.new_id(),
        owner,
        contract,
        task,
        kind: EventKind::Task,
        subtype: "task_created".into(),
        phase: contract.map(|_| Phase::Plan),
        data: json!({"name": "a\0b", "n": 1, "list": [null, 1.5, "x"]}),
        created_at: lab.now(),
    }
}

fn task_event(lab: &Lab, task: &Task, kind: TaskEventKind) -> NewTaskEvent {
    NewTaskEvent {
        id: lab.clock.new_id(),
        owner: task.owner,
        task: task.id,
        run_number: 1,
        kind,
        previous_status: Some(TaskStatus::Pending),
        new_status: Some(TaskStatus::Starting),
        data: json!({"level": "info"}),
        created_at: lab.now(),
    }
}

/// What a test says of an item.
fn told(items: &[FeedItem]) -> Vec<String> {
    items
        .iter()
        .map(|item| match item {
            FeedItem::History(entry) => entry.event.subtype.clone(),
            FeedItem::TaskEvent(event) => event.kind.to_string(),
            FeedItem::Message(stored) => stored.message.content.clone(),
        })
        .collect()
}

async fn after(lab: &Lab, owner: OwnerId, seq: i64, scope: FeedScope) -> Vec<FeedItem> {
    events::after(&mut lab.read().await, owner, seq, scope, 1000).await.unwrap()
}

async fn count(lab: &Lab, owner: OwnerId, scope: uuid::Uuid, noun: Noun, kind: Option<&str>) -> i64 {
    counters::count(&mut lab.read().await, owner, scope, noun, kind, None).await.unwrap()
}

on_both_engines! {
    async fn events_and_messages_are_numbered_in_the_order_they_came(lab: Lab) {
        let owner = lab.owner().await;
        let contract = lab.contract(owner).await;
        let task = lab.insert_task(Task { contract: Some(contract.id), ..lab.new_task(owner) }).await;
        assert_eq!(events::newest(&mut lab.read().await, owner).await.unwrap(), 0);
        let said = lab.said("hello");
        let new_history = history(&lab, owner, Some(contract.id), Some(task.id));
        let new_event = task_event(&lab, &task, TaskEventKind::StatusChange);
        let mut tx = lab.begin().await;
        events::append_task_event(&mut tx, new_event.clone());
        conversations::append(&mut tx, owner, task.conversation, 3, packed(std::slice::from_ref(&said))).await.unwrap();
        events::append_history(&mut tx, new_history.clone());
        tx.commit().await.unwrap();

        let items = after(&lab, owner, 0, FeedScope::Owner).await;
        assert_eq!(items.iter().map(FeedItem::seq).collect::<Vec<_>>(), [1, 2, 3]);
        let [FeedItem::TaskEvent(event), FeedItem::Message(stored), FeedItem::History(entry)] = &items[..] else {
            panic!("{items:?}");
        };
        assert_eq!(entry.task_name.as_ref(), Some(&task.name));
        let entry = &entry.event;
        assert_eq!((event.id, event.task, event.run_number), (new_event.id, task.id, 1));
        assert_eq!((event.previous_status, event.new_status), (new_event.previous_status, new_event.new_status));
        assert_eq!((&event.data, event.created_at), (&new_event.data, new_event.created_at));
        assert_eq!((&stored.message, stored.task, stored.run_number), (&said, task.id, 3));
        assert_eq!((entry.id, entry.owner, entry.kind), (new_history.id, owner, EventKind::Task));
        assert_eq!((entry.contract, entry.task, entry.phase), (Some(contract.id), Some(task.id), Some(Phase::Plan)));
        assert_eq!(entry.data, json!({"name": "a\u{fffd}b", "n": 1, "list": [null, 1.5, "x"]}));
        assert_eq!(events::newest(&mut lab.read().await, owner).await.unwrap(), 3);
    }

    async fn the_feed_goes_on_after_a_number_by_owner_contract_and_task(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let contract = lab.contract(owner).await;
        let inside = lab.insert_task(Task { contract: Some(contract.id), ..lab.new_task(owner) }).await;
        let outside = lab.task(owner).await;
        let theirs = lab.task(other).await;
        for task in [&inside, &outside, &theirs] {
            let mut tx = lab.begin().await;
            events::append_history(&mut tx, history(&lab, task.owner, task.contract, Some(task.id)));
            events::append_task_event(&mut tx, task_event(&lab, task, TaskEventKind::Turn));
            let said = [lab.said(format!("of {}", task.id))];
            conversations::append(&mut tx, task.owner, task.conversation, 1, packed(&said)).await.unwrap();
            tx.commit().await.unwrap();
        }
        let mut tx = lab.begin().await;
        events::append_history(&mut tx, history(&lab, owner, Some(contract.id), None));
        tx.commit().await.unwrap();

        let of = |task: &Task| ["task_created".to_owned(), "turn".into(), format!("of {}", task.id)];
        let mut everything = [of(&inside), of(&outside)].concat();
        everything.push("task_created".into());
        assert_eq!(told(&after(&lab, owner, 0, FeedScope::Owner).await), everything);
        assert_eq!(told(&after(&lab, owner, 4, FeedScope::Owner).await), everything[4..]);
        assert_eq!(told(&after(&lab, owner, 0, FeedScope::Task(outside.id)).await), of(&outside));
        let of_contract = after(&lab, owner, 0, FeedScope::Contract(contract.id)).await;
        assert_eq!(told(&of_contract), [&of(&inside)[..], &["task_created".into()]].concat());
        assert_eq!(told(&after(&lab, other, 0, FeedScope::Owner).await), of(&theirs));
        assert_eq!(after(&lab, other, 0, FeedScope::Task(inside.id)).await, []);
        assert_eq!(after(&lab, other, 0, FeedScope::Contract(contract.id)).await, []);

        // By pieces, nothing is left out and nothing comes twice.
        let (mut seq, mut pieces) = (0, Vec::new());
        loop {
            let items = events::after(&mut lab.read().await, owner, seq, FeedScope::Owner, 2).await.unwrap();
            let Some(last) = items.last() else { break };
            seq = last.seq();
            assert!(items.len() <= 2);
            pieces.extend(told(&items));
        }
        assert_eq!(pieces, everything);
    }

    async fn a_large_batch_is_written_whole_and_in_order(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let said: Vec<Message> = (0..333).map(|n| lab.said(format!("{n}"))).collect();
        let mut tx = lab.begin().await;
        for message in &said {
            conversations::append(&mut tx, owner, task.conversation, 1, packed(std::slice::from_ref(message))).await.unwrap();
            events::append_task_event(&mut tx, task_event(&lab, &task, TaskEventKind::Output));
            events::append_history(&mut tx, history(&lab, owner, None, Some(task.id)));
        }
        tx.commit().await.unwrap();
        let items = after(&lab, owner, 0, FeedScope::Owner).await;
        let expected = said.iter().flat_map(|said| [said.content.as_str(), "output", "task_created"]);
        assert_eq!(told(&items), expected.collect::<Vec<_>>());
        assert_eq!(items.iter().map(FeedItem::seq).collect::<Vec<_>>(), (1..=999).collect::<Vec<_>>());
    }

    async fn the_output_of_a_task_is_its_messages_and_output_events(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let task = lab.task(owner).await;
        for n in 0..4 {
            let mut tx = lab.begin().await;
            events::append_task_event(&mut tx, task_event(&lab, &task, TaskEventKind::Turn));
            conversations::append(&mut tx, owner, task.conversation, 1, packed(&[lab.said(n.to_string())])).await.unwrap();
            events::append_task_event(&mut tx, task_event(&lab, &task, TaskEventKind::Output));
            tx.commit().await.unwrap();
        }
        let mut expected: Vec<String> = (0..4).flat_map(|n| [n.to_string(), "output".into()]).collect();
        for order in [Order::Oldest, Order::Newest] {
            let walked = walk(order, 3, 8, async |seek| {
                events::output(&mut lab.read().await, owner, task.id, seek).await.unwrap()
            });
            assert_eq!(told(&walked.await), expected, "{order:?}");
            expected.reverse();
        }
        let strangers = events::output(&mut lab.read().await, other, task.id, all()).await.unwrap();
        assert_eq!((strangers.rows, strangers.total), (vec![], 0));
    }

    async fn the_events_of_a_task_are_listed_by_kind(lab: Lab) {
        use TaskEventKind::{Output, Turn};
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let (task, sibling) = (lab.task(owner).await, lab.task(owner).await);
        let mut tx = lab.begin().await;
        for kind in [Turn, Output, Turn, Output, Turn] {
            events::append_task_event(&mut tx, task_event(&lab, &task, kind));
        }
        events::append_task_event(&mut tx, task_event(&lab, &sibling, Turn));
        tx.commit().await.unwrap();
        for (kind, seqs) in [(None, vec![5, 4, 3, 2, 1]), (Some(Turn), vec![5, 3, 1]), (Some(Output), vec![4, 2])] {
            let walked = walk(Order::Newest, 2, seqs.len() as i64, async |seek| {
                events::of_task(&mut lab.read().await, owner, task.id, kind, seek).await.unwrap()
            });
            assert_eq!(walked.await.iter().map(|event| event.seq).collect::<Vec<_>>(), seqs, "{kind:?}");
        }
        let strangers = events::of_task(&mut lab.read().await, other, task.id, None, all()).await.unwrap();
        assert_eq!((strangers.rows, strangers.total), (vec![], 0));
    }

    async fn counts_are_those_of_what_was_committed(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let contract = lab.contract(owner).await;
        let task = lab.insert_task(Task { contract: Some(contract.id), ..lab.new_task(owner) }).await;
        let mut tx = lab.begin().await;
        events::append_history(&mut tx, history(&lab, owner, Some(contract.id), Some(task.id)));
        drop(tx);
        for _ in 0..2 {
            let mut tx = lab.begin().await;
            events::append_history(&mut tx, history(&lab, owner, Some(contract.id), Some(task.id)));
            events::append_history(&mut tx, NewHistory { kind: EventKind::Phase, ..history(&lab, owner, Some(contract.id), None) });
            tx.commit().await.unwrap();
        }
        for (scope, all, tasks) in [(owner.uuid(), 4, 2), (contract.id.uuid(), 4, 2), (task.id.uuid(), 2, 2)] {
            assert_eq!(count(&lab, owner, scope, Noun::History, None).await, all);
            assert_eq!(count(&lab, owner, scope, Noun::History, Some("task")).await, tasks);
            assert_eq!(count(&lab, other, scope, Noun::History, None).await, 0);
        }
        let mut tx = lab.read().await;
        for (phase, expected) in [(Phase::Plan, 4), (Phase::Review, 0)] {
            let counted = counters::count(&mut tx, owner, contract.id.uuid(), Noun::History, None, Some(phase)).await;
            assert_eq!(counted.unwrap(), expected, "{phase}");
        }
    }

    async fn who_listens_is_told_of_events_on_every_replica(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        // On SQLite there is one process, and nobody else to tell.
        let replica = match lab.db.engine() {
            makima_store::Engine::Sqlite => lab.db.clone(),
            makima_store::Engine::Postgres => lab.replica().await,
        };
        let mut wakes = replica.wakeups();
        let mut tx = lab.begin().await;
        for _ in 0..3 {
            events::append_task_event(&mut tx, task_event(&lab, &task, TaskEventKind::Turn));
        }
        tx.wake(Wake::Lagged);
        tx.commit().await.unwrap();
        assert_eq!(wakes.recv().await.unwrap(), Wake::Events(owner));
        assert_eq!(wakes.recv().await.unwrap(), Wake::Lagged);
    }

    async fn a_question_is_answered_once(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let (daemon, task) = (lab.daemon(owner).await, lab.task(owner).await);
        let run = lab.run(&task, daemon, 1).await;
        let question = |text: &str| Question {
            id: lab.clock.new_id(),
            kind: QuestionKind::Permission,
            text: text.into(),
            choices: Some(vec!["yes".into(), "no".into()]),
            tool_name: Some("Bash".into()),
            tool_input: Some(json!({"command": "printf 'a\0b'"})),
        };
        let (first, second, third) = (question("one\0"), question("two"), question("three"));
        let mut tx = lab.begin().await;
        for asked in [&first, &second, &third] {
            assert!(questions::ask(&mut tx, owner, task.id, run.id, asked, lab.now()).await.unwrap());
        }
        assert!(!questions::ask(&mut tx, owner, task.id, run.id, &first, lab.now()).await.unwrap());
        let waiting = questions::pending(&mut tx, owner, task.id).await.unwrap();
        assert_eq!(waiting.iter().map(|row| &row.question).collect::<Vec<_>>(), [&first, &second, &third]);
        assert_eq!(questions::pending(&mut tx, other, task.id).await.unwrap(), []);
        assert_eq!(questions::get(&mut tx, other, first.id).await.unwrap(), None);

        let (by, at) = (PrincipalId::from(owner.uuid()), lab.now());
        let text = Answer::Text { text: "a\0b".into() };
        assert!(!questions::answer(&mut tx, other, first.id, &Answer::Allow, by, at).await.unwrap());
        assert!(questions::answer(&mut tx, owner, first.id, &text, by, at).await.unwrap());
        assert!(!questions::answer(&mut tx, owner, first.id, &Answer::Allow, by, at).await.unwrap());
        let row = questions::get(&mut tx, owner, first.id).await.unwrap().unwrap();
        assert_eq!((row.answer, row.answered_by, row.answered_at), (Some(text), Some(by), Some(at)));

        assert!(questions::withdraw(&mut tx, owner, second.id, at).await.unwrap());
        assert!(!questions::withdraw(&mut tx, owner, second.id, at).await.unwrap());
        assert!(!questions::answer(&mut tx, owner, second.id, &Answer::Allow, by, at).await.unwrap());
        questions::withdraw_of_run(&mut tx, other, run.id, at).await.unwrap();
        assert_eq!(questions::pending(&mut tx, owner, task.id).await.unwrap().len(), 1);
        questions::withdraw_of_run(&mut tx, owner, run.id, at).await.unwrap();
        assert_eq!(questions::pending(&mut tx, owner, task.id).await.unwrap(), []);
        let third = questions::get(&mut tx, owner, third.id).await.unwrap().unwrap();
        assert_eq!((third.answer, third.withdrawn_at), (None, Some(at)));
    }

    async fn a_message_to_an_agent_is_given_to_one_run(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let (daemon, task) = (lab.daemon(owner).await, lab.task(owner).await);
        let run = lab.run(&task, daemon, 1).await;
        let message = |content: &str| InboxMessage {
            id: lab.clock.new_id(),
            owner,
            task: task.id,
            principal: PrincipalId::from(owner.uuid()),
            content: content.into(),
            created_at: lab.now(),
            delivered: None,
        };
        let (first, second) = (message("one \0"), message(&"two ".repeat(1000)));
        let mut tx = lab.begin().await;
        inbox::put(&mut tx, &first).await.unwrap();
        inbox::put(&mut tx, &second).await.unwrap();
        assert_eq!(inbox::undelivered(&mut tx, other, task.id).await.unwrap(), []);
        assert_eq!(inbox::undelivered(&mut tx, owner, task.id).await.unwrap(), [first.clone(), second.clone()]);
        assert!(!inbox::delivered(&mut tx, other, first.id, run.id).await.unwrap());
        assert!(inbox::delivered(&mut tx, owner, first.id, run.id).await.unwrap());
        assert!(!inbox::delivered(&mut tx, owner, first.id, run.id).await.unwrap());
        assert_eq!(inbox::undelivered(&mut tx, owner, task.id).await.unwrap(), [second]);
    }
}
