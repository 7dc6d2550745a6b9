//! What the live feed tells, as far as somebody who follows a task cares.

use makima_client::FeedEvent;
use makima_model::TaskId;
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
