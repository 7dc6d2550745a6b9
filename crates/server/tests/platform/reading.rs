//! Parts of a conversation: the last messages, what is older, what stands around one, what was rewound away.

use crate::{lab::*, on_both};
use futures::{StreamExt, TryStreamExt};
use makima_model::{BranchReason, Message, MessageId, MessageRole, Point, Record, RunOutcome, ToolCall};
use makima_wire::{
    Code, Conversation, ConversationMessage, CreateSnapshot, List, Order, ReadConversation, RestoreSnapshot,
    Task,
};
use serde_json::{Value, json};

/// What an agent said: rounds of an answer, two calls at once, and their results.
fn rounds(lab: &Lab, from: usize, count: usize) -> Vec<Record> {
    let now = || lab.clock.now();
    let message = |message| Record::Message { message };
    let mut records = Vec::new();
    for n in from..from + count {
        records.push(heard(lab.clock.new_id(), now(), &format!("question {n}")));
        let mut asks =
            Message::said(lab.clock.new_id(), MessageRole::Assistant, format!("answer {n}"), now());
        let calls = ["a", "b"].map(|which| (which, format!("call-{n}-{which}")));
        asks.tool_calls = calls
            .iter()
            .map(|(which, id)| ToolCall {
                id: id.clone(),
                name: "Read".into(),
                input: json!({ "path": which, "n": n }),
            })
            .collect();
        asks.token_count = Some(60);
        records.push(message(asks));
        for (which, id) in calls {
            let mut result = Message::said(lab.clock.new_id(), MessageRole::Tool, "", now());
            (result.tool_call_id, result.tool_name) = (Some(id), Some("Read".into()));
            (result.tool_result, result.is_error) = (Some(format!("text of {which}")), Some(which == "b"));
            records.push(message(result));
        }
    }
    records
}

/// A task whose agent has said so many rounds, each of four messages.
async fn spoken(lab: &Lab, count: usize) -> (LabDaemon, Task, makima_model::RunId) {
    let mut daemon = lab.daemon().await;
    let task = daemon.beside(lab.task("one")).await;
    let start = daemon.start().await;
    let mut records = begun(&task);
    records.extend(rounds(lab, 0, count));
    daemon.tell(start.run, 1, records).await;
    (daemon, task, start.run)
}

async fn read(lab: &Lab, task: &Task, wanted: &ReadConversation) -> Conversation {
    let read = lab.client.read_conversation(task.id, wanted).await;
    read.unwrap_or_else(|error| panic!("{wanted:?}: {error:?}"))
}

fn ids(messages: &[ConversationMessage]) -> Vec<MessageId> {
    messages.iter().map(|message| message.id).collect()
}

/// The messages as they should be with what is left out.
fn left(messages: &[ConversationMessage], calls: bool, results: bool) -> Vec<ConversationMessage> {
    let kept = messages.iter().filter(|message| results || message.role != MessageRole::Tool);
    kept.cloned()
        .map(|mut message| {
            if !calls {
                (message.tool_calls, message.tool_input) = (None, None);
            }
            message
        })
        .collect()
}

fn limited(limit: u32) -> ReadConversation {
    ReadConversation { limit: Some(limit), ..ReadConversation::default() }
}

on_both! {
    async fn the_parts_of_a_conversation_make_up_the_whole(engine) {
        let lab = Lab::new(engine).await;
        let (_daemon, task, _) = spoken(&lab, 5).await;
        let whole = lab.client.conversation(task.id).await.unwrap().messages;
        assert_eq!(whole.len(), 20);
        assert!(whole.iter().filter(|message| message.role == MessageRole::Tool).all(|result| {
            let (n, which) = (result.index / 4, ["a", "b"][usize::from(result.is_error == Some(true))]);
            result.tool_input == Some(json!({ "path": which, "n": n }))
        }));
        for (calls, results) in [(true, true), (false, true), (true, false), (false, false)] {
            let all = left(&whole, calls, results);
            for limit in [2, 7, 19, 20, 1000] {
                let mut wanted = ReadConversation {
                    include_tool_calls: Some(calls),
                    include_tool_results: Some(results),
                    ..limited(limit)
                };
                let mut seen: Vec<ConversationMessage> = Vec::new();
                loop {
                    let page = read(&lab, &task, &wanted).await;
                    let size = (limit as usize).min(all.len() - seen.len());
                    assert_eq!(page.messages.len(), size, "{wanted:?}");
                    seen.splice(0..0, page.messages);
                    assert_eq!(page.cursor.is_some(), seen.len() < all.len(), "{wanted:?}");
                    wanted.cursor = page.cursor;
                    if wanted.cursor.is_none() {
                        break;
                    }
                }
                assert_eq!(seen, all, "{calls} {results} {limit}");
            }
            // Half before it, and the rest from it on.
            for message in whole.iter().step_by(5) {
                for limit in [1usize, 6, 100] {
                    let wanted = ReadConversation {
                        include_tool_calls: Some(calls),
                        include_tool_results: Some(results),
                        around: Some(message.id),
                        ..limited(limit as u32)
                    };
                    let page = read(&lab, &task, &wanted).await;
                    let from = all.iter().take_while(|other| other.index < message.index).count();
                    let (start, end) = (from.saturating_sub(limit / 2), (from + limit - limit / 2).min(all.len()));
                    assert_eq!(page.messages, all[start..end], "{wanted:?}");
                    assert_eq!(page.cursor.is_some(), start > 0, "{wanted:?}");
                }
            }
        }
        // Without a limit, all that is older than what was seen.
        let last = read(&lab, &task, &limited(5)).await;
        let rest = read(&lab, &task, &ReadConversation { cursor: last.cursor, ..ReadConversation::default() }).await;
        assert_eq!((rest.messages.as_slice(), rest.cursor), (&whole[..15], None));
    }

    async fn a_cursor_goes_on_in_what_was_seen_whatever_is_said_or_rewound_since(engine) {
        let lab = Lab::new(engine).await;
        let (mut daemon, task, run) = spoken(&lab, 3).await;
        let early = lab.client.create_snapshot(task.id, &CreateSnapshot::default()).await.unwrap();
        let mut more = rounds(&lab, 3, 3);
        more.push(turn(0.5));
        daemon.tell(run, 4 + 12, more.clone()).await;
        let whole = lab.client.conversation(task.id).await.unwrap().messages;
        let page = read(&lab, &task, &limited(5)).await;
        assert_eq!(page.messages, whole[19..]);

        daemon.tell(run, 4 + 12 + 13, vec![said(&lab.clock, MessageRole::Assistant, "later"), turn(0.1), ended(RunOutcome::Completed)]).await;
        lab.until(&task, |task| task.status.is_over()).await;
        lab.client.restore_snapshot(task.id, early.id, RestoreSnapshot::default()).await.unwrap();
        let next = read(&lab, &task, &ReadConversation { cursor: page.cursor, ..limited(8) }).await;
        assert_eq!(ids(&next.messages), ids(&whole[11..19]));
        let rest = read(&lab, &task, &ReadConversation { cursor: next.cursor, ..limited(1000) }).await;
        assert_eq!(rest.messages, whole[..11]);
        assert_eq!(lab.client.conversation(task.id).await.unwrap().messages, whole[..12]);
    }

    async fn what_was_rewound_away_is_listed_and_read(engine) {
        let lab = Lab::new(engine).await;
        let (mut daemon, task, run) = spoken(&lab, 2).await;
        let early = lab.client.create_snapshot(task.id, &CreateSnapshot::default()).await.unwrap();
        let mut more = rounds(&lab, 2, 1);
        more.extend([turn(0.5), ended(RunOutcome::Completed)]);
        daemon.tell(run, 4 + 8, more).await;
        lab.until(&task, |task| task.status.is_over()).await;
        let before = lab.client.conversation(task.id).await.unwrap().messages;
        lab.client.restore_snapshot(task.id, early.id, RestoreSnapshot::default()).await.unwrap();

        let now = lab.client.task(task.id).await.unwrap();
        let (current, first) = (now.conversation_state.branch_id, task.conversation_state.branch_id);
        let page = lab.client.branches(task.id, &List::default()).await.unwrap();
        let told: Vec<_> = page.branches.iter().map(|one| (one.id, one.base_branch_id, one.base_seq, one.head_seq, one.current)).collect();
        assert_eq!(told, [(current, Some(first), 8, 8, true), (first, None, 0, 12, false)]);
        let reasons: Vec<_> = page.branches.iter().map(|one| one.reason).collect();
        assert_eq!((reasons.as_slice(), page.total_count, page.cursor), ([BranchReason::Restored, BranchReason::Created].as_slice(), 2, None));
        let one = List { limit: Some(1), order: Some(Order::Asc), cursor: None };
        let oldest = lab.client.branches(task.id, &one).await.unwrap();
        assert_eq!((oldest.branches[0].id, oldest.total_count), (first, 2));
        let next = lab.client.branches(task.id, &List { cursor: oldest.cursor, ..one }).await.unwrap();
        assert_eq!((next.branches[0].id, next.cursor), (current, None));

        let gone = before[10].id;
        let at = |point: Point| ReadConversation { at: Some(point), ..ReadConversation::default() };
        let shown = read(&lab, &task, &at(Point::Message(gone))).await;
        assert_eq!(shown.messages, before[..11]);
        assert_eq!(shown.moment.unwrap().branch_id, first);
        let around = ReadConversation { around: Some(gone), ..limited(3) };
        assert_eq!(read(&lab, &task, &around).await.messages, before[9..12]);
        // What both have is shown of the one that goes on.
        let around = ReadConversation { around: Some(before[7].id), ..limited(4) };
        assert_eq!(read(&lab, &task, &around).await.messages, before[5..8]);
        let whole = ReadConversation { around: Some(gone), ..ReadConversation::default() };
        assert_eq!(read(&lab, &task, &whole).await.messages, before);
        let elsewhere = ReadConversation { around: Some(gone), ..at(Point::Head) };
        let error = lab.client.read_conversation(task.id, &elsewhere).await.unwrap_err();
        assert_eq!(error.code(), Some(Code::NotFound));
    }

    async fn tokens_and_cost_are_those_that_the_agent_told(engine) {
        let lab = Lab::new(engine).await;
        let (mut daemon, task, run) = spoken(&lab, 2).await;
        daemon.tell(run, 4 + 8, vec![turn(0.5)]).await;
        let conversation = lab.client.conversation(task.id).await.unwrap();
        assert_eq!((conversation.total_tokens, conversation.total_cost), (120, 0.5));
        for message in &conversation.messages {
            let is_agent = message.role == MessageRole::Assistant;
            assert_eq!((message.token_count, message.cost_usd), (is_agent.then_some(60), is_agent.then_some(0.25)));
        }
    }

    async fn a_conversation_that_comes_a_message_at_a_time_is_the_same(engine) {
        let lab = Lab::new(engine).await;
        let (_daemon, task, _) = spoken(&lab, 300).await;
        let whole = lab.client.conversation(task.id).await.unwrap();
        let (head, messages) = lab.client.stream_conversation(task.id, &ReadConversation::default()).await.unwrap();
        let messages: Vec<ConversationMessage> = messages.boxed().try_collect().await.unwrap();
        assert_eq!(messages, whole.messages);
        assert_eq!(head, Conversation { messages: Vec::new(), ..whole });
    }

    async fn what_is_asked_wrongly_is_refused(engine) {
        let lab = Lab::new(engine).await;
        let (mut daemon, task, _) = spoken(&lab, 2).await;
        let other = daemon.beside(lab.task("two")).await;
        let id = lab.client.conversation(task.id).await.unwrap().messages[0].id;
        let cursor = read(&lab, &task, &limited(1)).await.cursor.unwrap();
        let fresh: MessageId = lab.clock.new_id();
        let tampered = cursor.replace(['0', '1', '2'], "3");
        let conversation = format!("/mesh/tasks/{}/conversation", task.id);
        for (query, code) in [
            ("limit=0".to_owned(), Code::BadRequest),
            ("limit=-1".into(), Code::BadRequest),
            ("limit=1001".into(), Code::BadRequest),
            ("limit=1000000000".into(), Code::BadRequest),
            ("limit=99999999999999999999".into(), Code::BadRequest),
            ("limit=many".into(), Code::BadRequest),
            ("include_tool_calls=perhaps".into(), Code::BadRequest),
            ("includeToolCalls=true".into(), Code::BadRequest),
            ("around=7".into(), Code::BadRequest),
            (format!("around={fresh}"), Code::NotFound),
            (format!("around={id}&cursor={cursor}"), Code::BadRequest),
            ("cursor=x".into(), Code::BadRequest),
            (format!("cursor={tampered}"), Code::BadRequest),
            // Of another query than this one.
            (format!("cursor={cursor}&at=head"), Code::BadRequest),
            (format!("cursor={cursor}&include_tool_results=false"), Code::BadRequest),
            ("at=head&at=~1".into(), Code::BadRequest),
        ] {
            let answer = lab.client.get::<Value>(&format!("{conversation}?{query}")).await;
            assert_eq!(answer.unwrap_err().code(), Some(code), "{query}");
        }
        let elsewhere = format!("/mesh/tasks/{}/conversation", other.id);
        for query in [format!("{elsewhere}?cursor={cursor}"), format!("{elsewhere}/branches?cursor={cursor}"), format!("{conversation}/branches?limit=0")] {
            let answer = lab.client.get::<Value>(&query).await;
            assert_eq!(answer.unwrap_err().code(), Some(Code::BadRequest), "{query}");
        }
        let eve = lab.stranger().await;
        let its = ReadConversation { cursor: Some(cursor), ..limited(1) };
        for error in [
            eve.read_conversation(task.id, &its).await.map(drop).unwrap_err(),
            eve.read_conversation(task.id, &ReadConversation::default()).await.map(drop).unwrap_err(),
            eve.branches(task.id, &List::default()).await.map(drop).unwrap_err(),
        ] {
            assert!(matches!(error.code(), Some(Code::NotFound | Code::BadRequest)), "{error:?}");
        }
    }
}
