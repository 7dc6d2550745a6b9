//! Snapshots: taken by hand, listed, and read with the conversation as it was.

use crate::{lab::*, on_both};
use makima_model::{Message, MessageRole, Record, SnapshotId, SnapshotType, TaskId, ToolCall};
use makima_wire::{Code, CreateSnapshot, List, Order, Task};
use reqwest::Method;
use serde_json::{Value, json};

fn described(metadata: Value) -> CreateSnapshot {
    CreateSnapshot { metadata: Some(metadata.as_object().unwrap().clone()) }
}

on_both! {
    async fn a_snapshot_shows_the_conversation_as_it_was(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let empty = lab.client.create_snapshot(task.id, &CreateSnapshot::default()).await.unwrap();
        assert_eq!((empty.task_id, empty.snapshot_type, empty.message_count), (task.id, SnapshotType::Manual, 0));
        assert_eq!((empty.checkpoint_id, empty.metadata.len()), (None, 0));

        let start = daemon.start().await;
        let call = ToolCall { id: "call-1".into(), name: "Read".into(), input: json!({ "path": "a" }) };
        let mut asks = Message::said(lab.clock.new_id(), MessageRole::Assistant, "I read.", lab.clock.now());
        asks.tool_calls = vec![call];
        let mut result = Message::said(lab.clock.new_id(), MessageRole::Tool, "", lab.clock.now());
        (result.tool_call_id, result.tool_result) = (Some("call-1".into()), Some("text".into()));
        let mut records = begun(&task);
        records.extend([
            heard(start.inputs[0].id, lab.clock.now(), "one"),
            Record::Message { message: asks },
            Record::Message { message: result },
        ]);
        daemon.tell(start.run, 1, records.clone()).await;
        let metadata = json!({ "why": "before the risky part", "n": [1, 2.5, null, { "deep": "\0" }] });
        let taken = lab.client.create_snapshot(task.id, &described(metadata.clone())).await.unwrap();
        assert_eq!(taken.message_count, 3);
        assert_eq!(taken.metadata["why"], metadata["why"]);
        // Neither engine keeps a NUL: what is answered is what is kept.
        assert_eq!(taken.metadata["n"], json!([1, 2.5, null, { "deep": "\u{fffd}" }]));

        records.push(said(&lab.clock, MessageRole::Assistant, "And more."));
        records.extend([turn(0.1), Record::Unchanged { turn: 1 }]);
        daemon.tell(start.run, 1, records).await;
        let conversation = lab.client.conversation(task.id).await.unwrap().messages;
        assert_eq!(conversation.len(), 4);
        let read = lab.client.snapshot(task.id, taken.id).await.unwrap();
        assert_eq!((read.snapshot, read.conversation_state.as_slice()), (taken.clone(), &conversation[..3]));
        assert_eq!(read.conversation_state[2].tool_input, Some(json!({ "path": "a" })));
        let read = lab.client.snapshot(task.id, empty.id).await.unwrap();
        assert_eq!((read.snapshot, read.conversation_state), (empty.clone(), vec![]));

        // The end of the turn took one too.
        let page = lab.client.snapshots(task.id, &List::default()).await.unwrap();
        let kinds: Vec<_> = page.snapshots.iter().map(|snapshot| snapshot.snapshot_type).collect();
        assert_eq!(kinds, [SnapshotType::Auto, SnapshotType::Manual, SnapshotType::Manual]);
        assert_eq!((page.snapshots[1].clone(), page.snapshots[2].clone()), (taken, empty));
        assert_eq!((page.snapshots[0].message_count, page.total_count, page.cursor), (4, 3, None));
        let newest = lab.client.task(task.id).await.unwrap().conversation_state.snapshot_id;
        assert_eq!(newest, Some(page.snapshots[0].id));
    }

    async fn a_long_conversation_is_shown_whole(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        let mut records = begun(&task);
        records.extend((0..1_200).map(|n| said(&lab.clock, MessageRole::Assistant, &format!("message {n}"))));
        daemon.tell(start.run, 1, records).await;
        let taken = lab.client.create_snapshot(task.id, &CreateSnapshot::default()).await.unwrap();
        let read = lab.client.snapshot(task.id, taken.id).await.unwrap().conversation_state;
        assert!(read.iter().enumerate().all(|(n, message)| message.content == format!("message {n}")));
        assert_eq!(read.len(), 1_200);
    }

    async fn snapshots_are_listed_in_pages_while_more_are_taken(engine) {
        let lab = Lab::new(engine).await;
        let task = lab.task("one").await;
        let take = async || lab.client.create_snapshot(task.id, &CreateSnapshot::default()).await.unwrap().id;
        let mut made = Vec::new();
        for _ in 0..5 {
            made.push(take().await);
        }
        let ascending = List { order: Some(Order::Asc), ..List::default() };
        let page = lab.client.snapshots(task.id, &ascending).await.unwrap();
        assert_eq!(page.snapshots.iter().map(|snapshot| snapshot.id).collect::<Vec<_>>(), made);
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = lab.client.snapshots(task.id, &List { limit: Some(2), cursor, ..List::default() }).await.unwrap();
            assert_eq!(page.total_count, 5 + seen.len() as i64 / 2);
            seen.extend(page.snapshots.into_iter().map(|snapshot| snapshot.id));
            take().await;
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        made.reverse();
        assert_eq!(seen, made);
    }

    async fn a_snapshot_that_can_not_be_is_not_taken(engine) {
        let lab = Lab::new(engine).await;
        let (task, other): (Task, Task) = (lab.task("one").await, lab.task("two").await);
        let taken = lab.client.create_snapshot(task.id, &CreateSnapshot::default()).await.unwrap();
        let eve = lab.stranger().await;
        let (no_task, no_snapshot): (TaskId, SnapshotId) = (lab.clock.new_id(), lab.clock.new_id());
        for (client, id) in [(&eve, task.id), (&lab.client, no_task)] {
            for error in [
                client.create_snapshot(id, &CreateSnapshot::default()).await.unwrap_err(),
                client.snapshots(id, &List::default()).await.unwrap_err(),
                client.snapshot(id, taken.id).await.unwrap_err(),
            ] {
                assert_eq!(error.code(), Some(Code::NotFound), "{error:?}");
            }
        }
        for (of, id) in [(task.id, no_snapshot), (other.id, taken.id)] {
            assert_eq!(lab.client.snapshot(of, id).await.unwrap_err().code(), Some(Code::NotFound));
        }
        let deep = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        let fits = json!({ "a": deep(31), "b": "x".repeat(60_000) });
        lab.client.create_snapshot(task.id, &described(fits)).await.unwrap();
        let snapshots = format!("/mesh/tasks/{}/snapshots", task.id);
        for (body, code) in [
            (json!({ "metadata": { "a": deep(32) } }), Code::Unprocessable),
            (json!({ "metadata": { "a": "x".repeat(65_536) } }), Code::Unprocessable),
            (json!({ "metadata": { "a": deep(200) } }), Code::BadRequest),
            (json!({ "metadata": [] }), Code::BadRequest),
            (json!({ "metadata": "text" }), Code::BadRequest),
            (json!({ "snapshotType": "auto" }), Code::BadRequest),
            (json!([]), Code::BadRequest),
        ] {
            let answer = lab.client.send::<Value>(Method::POST, &snapshots, Some(&body)).await;
            let told: String = body.to_string().chars().take(60).collect();
            assert_eq!(answer.unwrap_err().code(), Some(code), "{told}");
        }
        for path in [
            format!("{snapshots}/none"),
            format!("{snapshots}?limit=0"),
            format!("{snapshots}?colour=red"),
            "/mesh/tasks/none/snapshots".to_owned(),
        ] {
            assert_eq!(lab.client.get::<Value>(&path).await.unwrap_err().code(), Some(Code::BadRequest), "{path}");
        }
        assert_eq!(lab.client.snapshots(task.id, &List::default()).await.unwrap().total_count, 2);
    }
}
