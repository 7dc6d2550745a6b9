//! The live feed.

use crate::{lab::*, on_both};
use makima_model::{MessageRole, RunOutcome};
use makima_wire::{DeltaKind, frame::FromDaemon};

on_both! {
    async fn the_feed_tells_each_event_once_whatever_breaks_in_between(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        let mut feed = Box::pin(lab.client.feed(Some(task.id), None).await.unwrap());
        let mut records = begun(&task);
        records.extend((0..40).map(|n| said(&lab.clock, MessageRole::Assistant, &format!("message {n}"))));
        records.extend([turn(0.0), ended(RunOutcome::Completed)]);
        let entries = records.len() as u64;
        for (n, record) in (1..).zip(records) {
            daemon.post(start.run, n, vec![record]).await;
        }
        // Three pieces, each by a connection of its own.
        let mut seen = take(&mut feed, 7).await;
        for _ in 0..2 {
            let last = seen.last().unwrap().id;
            let mut feed = Box::pin(lab.client.feed(Some(task.id), last).await.unwrap());
            seen.extend(take(&mut feed, 18).await);
        }
        lab.until(&task, |task| task.status.is_over()).await;
        // From the beginning, in one: what the three saw is a part of it, without a hole.
        let whole = lab.client.events(task.id, &Default::default()).await.unwrap().total_count
            + lab.client.task(task.id).await.unwrap().message_count;
        let mut feed = Box::pin(lab.client.feed(Some(task.id), Some(0)).await.unwrap());
        let history = 6; // made, starting, running, a turn, completed, and what follows the last
        let all = take(&mut feed, whole as usize + history - 1).await;
        assert!(all.windows(2).all(|two| two[0].id < two[1].id));
        let from = all.iter().position(|event| event.id == seen[0].id).unwrap();
        assert_eq!(all[from..from + seen.len()], seen[..]);
        let messages = all.iter().filter(|event| event.event == "message").count();
        assert_eq!((messages, entries), (40, 45));
    }

    async fn pieces_of_a_message_stream_and_are_not_kept(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        daemon.tell(start.run, 1, begun(&task)).await;
        let mut feed = Box::pin(lab.client.feed(Some(task.id), None).await.unwrap());
        let piece = |text: &str| FromDaemon::Delta {
            run: start.run,
            message: None,
            kind: DeltaKind::Text,
            text: text.into(),
        };
        daemon.send(piece("Hel")).await;
        let event = take(&mut feed, 1).await.remove(0);
        assert_eq!((event.id, event.event.as_str()), (None, "delta"));
        assert_eq!(event.data, format!(r#"{{"taskId":"{}","kind":"text","text":"Hel"}}"#, task.id));
        assert!(lab.client.conversation(task.id).await.unwrap().messages.is_empty());
    }

    async fn a_feed_of_something_that_is_not_there_is_404(engine) {
        let lab = Lab::new(engine).await;
        let error = lab.client.feed(Some(lab.clock.new_id()), None).await.err().unwrap();
        assert_eq!(error.code(), Some(makima_wire::Code::NotFound));
    }
}
