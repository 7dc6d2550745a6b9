//! What the live feed tells, as far as somebody who follows a task cares.

use makima_client::FeedEvent;
use makima_model::{TaskEventKind, TaskId, Timestamp};
use makima_wire::{ConversationMessage, Delta, TaskEvent};
use serde::Deserialize;

/// One event of the feed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    /// Something happened to a task.
    Task(Box<TaskEvent>),
    /// A message is complete.
    Message(TaskId, Box<ConversationMessage>),
    /// A piece of a message that isn't.
    Delta(Delta),
    /// Anything else, also what a newer server tells and this version doesn't know.
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    task_id: TaskId,
    message: Box<ConversationMessage>,
}

impl Heard {
    /// Reads an event of the feed.
    pub(crate) fn read(event: &FeedEvent) -> Self {
        let data = event.data.as_str();
        let heard = match event.event.as_str() {
            "task" => serde_json::from_str(data).map(Self::Task),
            "message" => {
                serde_json::from_str(data).map(|Said { task_id, message }| Self::Message(task_id, message))
            }
            "delta" => serde_json::from_str(data).map(Self::Delta),
            _ => Ok(Self::Other),
        };
        heard.unwrap_or_else(|error| {
            tracing::debug!("an event {} has an unknown shape: {error}", event.event);
            Self::Other
        })
    }

    /// Reads an event of a task's output or events: the same as the feed had told.
    pub(crate) fn recorded(event: TaskEvent) -> Self {
        let message = event.event_data.get("message").filter(|_| event.event_type == TaskEventKind::Output);
        match message.map(ConversationMessage::deserialize) {
            Some(Ok(message)) => Self::Message(event.task_id, Box::new(message)),
            _ => Self::Task(Box::new(event)),
        }
    }

    /// When it happened; `None` of what is live only.
    pub(crate) fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Task(event) => Some(event.created_at),
            Self::Message(_, message) => Some(message.timestamp),
            Self::Delta(_) | Self::Other => None,
        }
    }

    /// The run that it happened in, where it happened in one.
    pub(crate) fn run(&self) -> Option<i64> {
        let number = match self {
            Self::Task(event) => event.run_number,
            Self::Message(_, message) => message.run_number,
            Self::Delta(_) | Self::Other => 0,
        };
        (number > 0).then_some(number)
    }

    /// The task that it is about.
    pub(crate) fn task(&self) -> Option<TaskId> {
        match self {
            Self::Task(event) => Some(event.task_id),
            Self::Message(task, _) => Some(*task),
            Self::Delta(delta) => Some(delta.task_id),
            Self::Other => None,
        }
    }
}
