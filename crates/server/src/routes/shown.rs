//! Rows as the API shows them.

use makima_model as model;
use makima_store::{FeedItem, StoredMessage};
use makima_wire as wire;
use serde_json::{Value, json};

/// A message. `input` is what its tool was called with, where the caller knows.
pub(crate) fn message(stored: StoredMessage, input: Option<Value>) -> wire::ConversationMessage {
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
        tool_input: input,
        tool_result: message.tool_result,
        is_error: message.is_error,
        token_count: message.token_count,
        cost_usd: message.cost_usd,
        model: message.model,
        incomplete: message.incomplete,
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
            event_data: json!({ "message": message(stored, None) }),
        }),
    }
}

/// An entry of the timeline.
pub(crate) fn history(event: model::HistoryEvent) -> wire::HistoryEntry {
    let entry_type = match event.kind {
        model::EventKind::Task => "task_event",
        model::EventKind::Chat => "chat_message",
        model::EventKind::Checkpoint => "checkpoint",
        model::EventKind::Phase => "phase_change",
        model::EventKind::File => "file_change",
    };
    wire::HistoryEntry {
        id: event.id,
        timestamp: event.created_at,
        entry_type: entry_type.to_owned(),
        event_type: event.subtype,
        phase: event.phase,
        contract_id: event.contract,
        task_id: event.task,
        event_data: event.data,
    }
}
