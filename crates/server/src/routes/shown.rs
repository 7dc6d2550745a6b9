//! Rows as the API shows them.

use crate::app::ShownMessage;
use makima_model as model;
use makima_store::{FeedItem, HistoryEntry, SearchHit, StoredMessage};
use makima_wire as wire;
use serde::{Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};

/// A message, without what its tool was called with.
pub(crate) fn message(stored: StoredMessage) -> wire::ConversationMessage {
    let message = stored.message;
    wire::ConversationMessage {
        id: message.id,
        role: message.role,
        content: message.content,
        timestamp: message.timestamp,
        index: stored.seq,
        run_number: stored.run_number,
        thinking: message.thinking,
        tool_calls: (!message.tool_calls.is_empty()).then_some(message.tool_calls),
        tool_call_id: message.tool_call_id,
        tool_name: message.tool_name,
        tool_input: None,
        tool_result: message.tool_result,
        is_error: message.is_error,
        token_count: message.token_count,
        cost_usd: message.cost_usd,
        model: message.model,
        incomplete: message.incomplete,
    }
}

/// A [`wire::ConversationMessage`] of which the texts are passed on as they are stored.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PassedOn {
    id: model::MessageId,
    role: model::MessageRole,
    #[serde(serialize_with = "or_empty")]
    content: Option<Box<RawValue>>,
    timestamp: model::Timestamp,
    index: i64,
    run_number: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_input: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_result: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_error: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    incomplete: bool,
}

fn or_empty<S: Serializer>(text: &Option<Box<RawValue>>, serializer: S) -> Result<S::Ok, S::Error> {
    match text {
        Some(text) => text.serialize(serializer),
        None => serializer.serialize_str(""),
    }
}

/// A message of a conversation.
pub(crate) fn passed_on(ShownMessage { message, input }: ShownMessage) -> PassedOn {
    PassedOn {
        id: message.id,
        role: message.role,
        content: message.said.content,
        timestamp: message.timestamp,
        index: message.seq,
        run_number: message.run_number,
        thinking: message.said.thinking,
        tool_calls: message.said.tool_calls,
        tool_call_id: message.said.tool_call_id,
        tool_name: message.said.tool_name,
        tool_input: input,
        tool_result: message.said.tool_result,
        is_error: message.said.is_error,
        token_count: message.token_count,
        cost_usd: message.cost_usd,
        model: message.said.model,
        incomplete: message.said.incomplete,
    }
}

/// An event of a task.
pub(crate) fn task_event(event: model::TaskEvent) -> wire::TaskEvent {
    wire::TaskEvent {
        id: event.id,
        task_id: event.task,
        seq: event.seq,
        run_number: event.run_number,
        event_type: event.kind,
        previous_status: event.previous_status,
        new_status: event.new_status,
        event_data: event.data,
        created_at: event.created_at,
    }
}

/// A piece of a task's output; a message is one too. The timeline's entries are none.
pub(crate) fn output(item: FeedItem) -> Option<wire::TaskEvent> {
    match item {
        FeedItem::History(_) => None,
        FeedItem::TaskEvent(event) => Some(task_event(event)),
        FeedItem::Message(stored) => Some(wire::TaskEvent {
            id: stored.message.id.uuid().into(),
            task_id: stored.task,
            seq: stored.feed_seq,
            run_number: stored.run_number,
            event_type: model::TaskEventKind::Output,
            previous_status: None,
            new_status: None,
            created_at: stored.message.timestamp,
            event_data: json!({ "message": message(stored) }),
        }),
    }
}

/// An entry of the timeline. What has a field of its own is taken out of what is known besides.
pub(crate) fn history(HistoryEntry { event, task_name }: HistoryEntry) -> wire::HistoryEntry {
    let (mut data, kind) = (Known(event.data), event.kind);
    let of = |wanted: model::EventKind| kind == wanted;
    let is_chat = of(model::EventKind::Chat);
    let is_checkpoint = of(model::EventKind::Checkpoint);
    wire::HistoryEntry {
        id: event.id,
        timestamp: event.created_at,
        entry_type: event.kind.into(),
        event_type: event.subtype,
        phase: event.phase,
        contract_id: event.contract,
        task_id: event.task,
        task_name,
        conversation_id: data.take_if(is_chat, "conversationId"),
        message_id: data.take_if(is_chat, "messageId"),
        role: data.take_if(is_chat, "role"),
        content: data.take_if(is_chat, "content"),
        truncated: data.take_if(is_chat, "truncated").unwrap_or_default(),
        checkpoint_id: data.take_if(true, if is_checkpoint { "id" } else { "checkpointId" }),
        checkpoint_number: data.take_if(true, "number"),
        commit_sha: data.take_if(is_checkpoint, "commitSha"),
        message: data.take_if(is_checkpoint, "message"),
        files_changed: data.take_if(true, "filesChanged"),
        files_omitted: data.take_if(true, "filesOmitted"),
        lines_added: data.take_if(true, "linesAdded"),
        lines_removed: data.take_if(true, "linesRemoved"),
        previous_phase: data.take_if(true, "previousPhase"),
        new_phase: data.take_if(true, "newPhase"),
        event_data: data.rest(),
    }
}

/// Something that was found.
pub(crate) fn hit(hit: SearchHit) -> wire::SearchHit {
    wire::SearchHit {
        kind: hit.kind,
        point: hit.point,
        task_id: hit.task,
        task_name: hit.task_name,
        contract_id: hit.contract,
        message_id: hit.message,
        role: hit.role,
        tool_name: hit.tool,
        event_type: hit.event,
        is_error: hit.is_error,
        timestamp: hit.at,
        snippet: hit.snippet,
    }
}

/// What is known of an event besides.
struct Known(Value);

impl Known {
    /// Takes a field out of it, where `is_so` and it is what it should be.
    fn take_if<T: DeserializeOwned>(&mut self, is_so: bool, name: &str) -> Option<T> {
        let fields = self.0.as_object_mut().filter(|_| is_so)?;
        let value = T::deserialize(fields.get(name)?).ok()?;
        fields.remove(name);
        Some(value)
    }

    /// What is left of it, if anything is.
    fn rest(self) -> Option<Value> {
        Some(self.0).filter(|rest| rest.as_object().is_none_or(|fields| !fields.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use makima_store::{UnreadMessage, conversations::Said};
    use uuid::Uuid;

    fn raw(json: &str) -> Option<Box<RawValue>> {
        Some(serde_json::from_str(json).unwrap())
    }

    fn unread(role: model::MessageRole, said: Said) -> UnreadMessage {
        let is_said = said.content.is_some();
        UnreadMessage {
            id: model::MessageId::from(Uuid::from_u128(3)),
            branch: model::BranchId::from(Uuid::from_u128(1)),
            task: model::TaskId::from(Uuid::from_u128(2)),
            seq: 7,
            run_number: 3,
            role,
            timestamp: "2026-01-15T10:30:00.123456Z".parse().unwrap(),
            token_count: is_said.then_some(12),
            cost_usd: is_said.then_some(0.25),
            said,
        }
    }

    /// The same, read.
    fn read(unread: UnreadMessage) -> StoredMessage {
        let UnreadMessage { branch, task, seq, run_number, .. } = unread;
        StoredMessage { seq, branch, task, run_number, feed_seq: 40, message: unread.read().unwrap() }
    }

    #[test]
    fn what_is_passed_on_is_what_is_read_and_written_again() {
        let all = Said {
            content: raw(r#""a \"b\" \u0000 ü""#),
            thinking: raw(r#""hm""#),
            tool_calls: raw(r#"[{"id":"toolu_1","name":"Bash","input":{"command":["ls",1.5,null]}}]"#),
            tool_call_id: Some("toolu_0".into()),
            tool_name: raw(r#""Read""#),
            tool_result: raw(r#""line\n""#),
            is_error: Some(false),
            model: raw(r#""m-1""#),
            incomplete: true,
        };
        let nothing = Said::default();
        let input = r#"{"file_path":"a.rs"}"#;
        for (role, said, input) in [
            (model::MessageRole::Assistant, all.clone(), None),
            (model::MessageRole::Tool, all, raw(input)),
            (model::MessageRole::User, nothing, None),
        ] {
            let unread = unread(role, said);
            let mut read = message(read(unread.clone()));
            read.tool_input = input.as_ref().map(|input| serde_json::from_str(input.get()).unwrap());
            let passed = passed_on(ShownMessage { message: unread, input });
            assert_eq!(serde_json::to_string(&passed).unwrap(), serde_json::to_string(&read).unwrap());
        }
    }
}
