//! What was said is read back.

use crate::{lab::*, on_both};
use futures::StreamExt;
use makima_client::daemon::DaemonClient;
use makima_model::{Message, MessageRole, NativeLine, Position, Record, RunOutcome, TaskStatus, ToolCall};
use makima_store::{conversations, native::LineReader};
use makima_wire::{CreateTask, List, frame::SessionLine};
use serde_json::json;

on_both! {
    async fn a_run_is_read_back_as_it_was_told(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("Write hello.txt\nand no more")).await;
        assert_eq!((task.name.as_str(), task.status), ("Write hello.txt", TaskStatus::Starting));
        let start = daemon.start().await;
        assert_eq!((start.task, start.run_number, start.agent.as_str()), (task.id, 1, "scripted"));
        assert_eq!(start.inputs.len(), 1);
        let input = &start.inputs[0];

        let call = ToolCall { id: "call-1".into(), name: "Write".into(), input: json!({ "file_path": "hello.txt" }) };
        let mut asks = Message::said(lab.clock.new_id(), MessageRole::Assistant, "I write it.", lab.clock.now());
        (asks.tool_calls, asks.token_count, asks.thinking) = (vec![call], Some(90), Some("Hm.".into()));
        let mut result = Message::said(lab.clock.new_id(), MessageRole::Tool, "", lab.clock.now());
        result.tool_call_id = Some("call-1".into());
        result.tool_name = Some("Write".into());
        result.tool_result = Some("written\0".into());
        result.is_error = Some(false);
        let mut says = Message::said(lab.clock.new_id(), MessageRole::Assistant, "Done.", lab.clock.now());
        says.token_count = Some(30);
        let mut records = begun(&task);
        records.extend([
            heard(input.id, lab.clock.now(), &input.content),
            Record::Message { message: asks },
            Record::Message { message: result },
            Record::Message { message: says },
            turn(0.4),
            ended(RunOutcome::Completed),
        ]);
        daemon.tell(start.run, 1, records).await;

        let now = lab.client.task(task.id).await.unwrap();
        assert_eq!((now.status, now.message_count, now.total_tokens), (TaskStatus::Completed, 4, 120));
        assert!((now.total_cost - 0.4).abs() < 1e-9 && now.started_at.is_some() && now.completed_at.is_some());
        assert_eq!((now.base_branch.as_deref(), now.agent.as_deref()), (Some("main"), Some("scripted")));
        let conversation = lab.client.conversation(task.id).await.unwrap();
        let messages = conversation.messages;
        let texts: Vec<&str> = messages.iter().map(|message| message.content.as_str()).collect();
        assert_eq!(texts, ["Write hello.txt\nand no more", "I write it.", "", "Done."]);
        assert_eq!(messages.iter().map(|message| message.index).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(messages[0].id, input.id);
        assert_eq!(messages[1].thinking.as_deref(), Some("Hm."));
        assert_eq!(messages[2].tool_result.as_deref(), Some("written\0"));
        assert_eq!(messages[2].tool_input, Some(json!({ "file_path": "hello.txt" })));
        // The turn's cost is shared by tokens: 90 of 120, and 30.
        let costs: Vec<f64> = [1, 3].map(|at| messages[at].cost_usd.unwrap()).into();
        assert!((costs[0] - 0.3).abs() < 1e-9 && (costs[1] - 0.1).abs() < 1e-9, "{costs:?}");

        let output = lab.client.output(task.id, &List::default()).await.unwrap();
        assert_eq!((output.events.len(), output.total_count, output.cursor), (4, 4, None));
        assert_eq!(output.events[0].event_data["message"]["content"], "Done.");
        let events = lab.client.events(task.id, &List::default()).await.unwrap();
        let kinds: Vec<&str> = events.events.iter().rev().map(|event| event.event_type.as_str()).collect();
        assert_eq!(kinds, ["status_change", "status_change", "session", "turn", "status_change"]);
    }

    async fn a_follow_up_goes_on_with_the_whole_conversation(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        let user = start.inputs[0].clone();
        let answer = said(&lab.clock, MessageRole::Assistant, "two");
        let Record::Message { message } = &answer else { unreachable!() };
        // The agent's own line of the first message is held, byte for byte; that of the second was lost.
        let line = NativeLine { uuid: Some(user.id.to_string()), line: "{\"odd\" :  \"\\ud800\\u0000\"}".into() };
        let mut records = begun(&task);
        records.extend([
            heard(user.id, lab.clock.now(), "one"),
            Record::Native { message: Some(user.id), file: String::new(), lines: vec![line.clone()] },
            answer.clone(),
            turn(0.0),
            ended(RunOutcome::Completed),
        ]);
        daemon.tell(start.run, 1, records).await;

        let sent = lab.client.send_message(task.id, "and now?").await.unwrap();
        let again = daemon.start().await;
        assert_eq!((again.run_number, again.resume.as_ref().unwrap().message_count), (2, 2));
        assert_eq!(again.resume.unwrap().session_id, "session-1");
        assert_eq!(again.inputs.iter().map(|input| input.id).collect::<Vec<_>>(), [sent.message_id]);
        let client = DaemonClient::new(&lab.url(), &lab.key).unwrap();
        let mut lines = Box::pin(client.session(again.run).await.unwrap());
        let mut session = Vec::new();
        while let Some(line) = lines.next().await {
            session.push(line.unwrap());
        }
        assert_eq!(session, [SessionLine::Native(line), SessionLine::Message(message.clone())]);

        let mut records = begun(&task);
        records.push(heard(sent.message_id, lab.clock.now(), "and now?"));
        daemon.tell(again.run, 1, records).await;
        let conversation = lab.client.conversation(task.id).await.unwrap();
        let runs: Vec<(&str, i64)> =
            conversation.messages.iter().map(|message| (message.content.as_str(), message.run_number)).collect();
        assert_eq!(runs, [("one", 1), ("two", 1), ("and now?", 2)]);
    }

    async fn entries_that_come_twice_are_taken_once(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        let mut records = begun(&task);
        records.extend([said(&lab.clock, MessageRole::Assistant, "a"), said(&lab.clock, MessageRole::Assistant, "b")]);
        daemon.tell(start.run, 1, records.clone()).await;
        daemon.tell(start.run, 1, records.clone()).await;
        // A connection that begins anew is told where to go on.
        let mut daemon = LabDaemon::connect(&lab, daemon.id, &[start.run]).await;
        assert_eq!((daemon.known[0].run, daemon.known[0].last_entry, daemon.known[0].replaced), (start.run, 5, false));
        records.push(said(&lab.clock, MessageRole::Assistant, "c"));
        daemon.tell(start.run, 1, records).await;
        let texts: Vec<String> =
            lab.client.conversation(task.id).await.unwrap().messages.into_iter().map(|message| message.content).collect();
        assert_eq!(texts, ["a", "b", "c"]);
    }

    async fn a_hole_in_the_entries_ends_the_connection_and_takes_nothing(engine) {
        let lab = Lab::new(engine).await;
        let mut daemon = lab.daemon().await;
        let task = daemon.beside(lab.task("one")).await;
        let start = daemon.start().await;
        daemon.tell(start.run, 1, begun(&task)).await;
        daemon.post(start.run, 5, vec![said(&lab.clock, MessageRole::Assistant, "later")]).await;
        while let Some(frame) = daemon.frame().await {
            assert!(!matches!(frame, makima_wire::frame::ToDaemon::Ack { .. }), "{frame:?}");
        }
        assert!(lab.client.conversation(task.id).await.unwrap().messages.is_empty());
        assert_eq!(LabDaemon::connect(&lab, daemon.id, &[start.run]).await.known[0].last_entry, 3);
    }

    async fn reports_that_wait_behind_one_that_fails_are_taken_once_and_in_order(engine) {
        let lab = Lab::new(engine).await;
        let (mut daemon, mut other) = (lab.daemon().await, lab.daemon().await);
        let wanted = CreateTask {
            plan: "one".into(),
            repository: Some("/srv/project".into()),
            target_daemon_id: Some(daemon.id),
            ..CreateTask::default()
        };
        let task = daemon.beside(lab.client.create_task(&wanted)).await.unwrap();
        let start = daemon.start().await;
        daemon.tell(start.run, 1, begun(&task)).await;
        let branch = task.conversation_state.branch_id;

        let said: Vec<Message> = (0..100)
            .map(|n| Message::said(lab.clock.new_id(), MessageRole::Assistant, format!("{n} is said. ").repeat(9), lab.clock.now()))
            .collect();
        let line = |of: &Message| NativeLine { uuid: None, line: json!({ "content": of.content }).to_string() };
        let records: Vec<Record> = said
            .iter()
            .flat_map(|message| {
                let native =
                    Record::Native { message: Some(message.id), file: String::new(), lines: vec![line(message)] };
                [Record::Message { message: message.clone() }, native]
            })
            .collect();
        // The first fills a transaction, which can't be written yet. Behind it one that must fail comes together with good
        // ones, which begin with the lines of a message that is in the first.
        let held = lab.hold(branch).await;
        daemon.post(start.run, 4, records[..121].to_vec()).await;
        other.post(start.run, 1, records[..9].to_vec()).await;
        daemon.post(start.run, 125, records[121..160].to_vec()).await;
        daemon.post(start.run, 164, records[160..170].to_vec()).await;
        drop(held);
        // What was sent already comes again, cut otherwise, with new lines of a message that isn't new.
        daemon.tell(start.run, 4, records[..171].to_vec()).await;
        daemon.tell(start.run, 174, records[170..].to_vec()).await;
        while let Some(frame) = other.frame().await {
            assert!(!matches!(frame, makima_wire::frame::ToDaemon::Ack { .. }), "{frame:?}");
        }

        let conversation = lab.client.conversation(task.id).await.unwrap();
        let ids: Vec<_> = conversation.messages.iter().map(|message| message.id).collect();
        assert_eq!(ids, said.iter().map(|message| message.id).collect::<Vec<_>>());
        let db = lab.database().await;
        let lineage = conversations::lineage(&mut db.read().await.unwrap(), lab.owner, branch).await.unwrap();
        let mut reader = LineReader::new(&db, lab.owner, &lineage, Position { branch, seq: 100 }, "").unwrap();
        let mut lines = Vec::new();
        loop {
            let piece = reader.next().await.unwrap();
            if piece.is_empty() {
                break;
            }
            lines.extend(piece);
        }
        assert_eq!(lines, (0..).zip(&said).map(|(seq, message)| (seq, line(message))).collect::<Vec<_>>());
    }
}
