//! The live feed.

use crate::{lab::*, on_both};
use makima_model::{Message, MessageRole, Record, RunOutcome};
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
        let message = Message::said(lab.clock.new_id(), MessageRole::Assistant, "Hello", lab.clock.now());
        let piece = |after, text: &str| FromDaemon::Delta {
            run: start.run,
            after,
            message: message.id,
            kind: DeltaKind::Text,
            text: text.into(),
        };
        // A piece has a shorter way than what was said before it, and is told behind it all the same.
        daemon.send(piece(4, "Hel")).await;
        daemon.tell(start.run, 4, vec![said(&lab.clock, MessageRole::Assistant, "before")]).await;
        let heard = take(&mut feed, 2).await;
        assert_eq!((heard[0].event.as_str(), heard[1].event.as_str(), heard[1].id), ("message", "delta", None));
        let id = message.id;
        let told = format!(r#"{{"taskId":"{}","messageId":"{id}","kind":"text","text":"Hel"}}"#, task.id);
        assert_eq!(heard[1].data, told);
        assert_eq!(lab.client.conversation(task.id).await.unwrap().messages.len(), 1);
        // Once the whole message was told, its pieces are out of date.
        daemon.tell(start.run, 5, vec![Record::Message { message: message.clone() }]).await;
        assert_eq!(take(&mut feed, 1).await[0].event, "message");
        daemon.send(piece(5, "lo")).await;
        daemon.tell(start.run, 6, vec![turn(0.0)]).await;
        let next = take(&mut feed, 2).await;
        assert_eq!(next.iter().map(|event| event.event.as_str()).collect::<Vec<_>>(), ["task", "history"]);
    }

    async fn a_feed_of_something_that_is_not_there_is_404(engine) {
        let lab = Lab::new(engine).await;
        let error = lab.client.feed(Some(lab.clock.new_id()), None).await.err().unwrap();
        assert_eq!(error.code(), Some(makima_wire::Code::NotFound));
    }
}
