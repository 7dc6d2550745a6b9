//! Where in the conversation a line stands.

use super::line::Line;
use makima_model::MessageId;
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;

/// A message that was placed, by the order in which messages were.
pub(super) type Place = usize;

/// The messages, each with the one before it, and which lines lead to which of them.
#[derive(Debug, Default)]
pub(super) struct Tree {
    messages: Vec<Placed>,
    lines: HashMap<u128, Place>,
    head: Option<Place>,
}

#[derive(Debug)]
struct Placed {
    id: MessageId,
    before: Option<Place>,
    is_result: bool,
}

/// What a line hangs on.
enum Parent {
    /// On nothing: the conversation begins with it.
    Nothing,
    /// On a line that leads to this message.
    Message(Place),
    /// It doesn't say, or names a line that isn't there: then on the line before.
    Unknown,
}

impl Tree {
    /// The message that the conversation stands at.
    pub(super) fn head(&self) -> Option<MessageId> {
        self.head.map(|head| self.messages[head].id)
    }

    pub(super) fn is_known(&self, uuid: &str) -> bool {
        self.lines.contains_key(&name(uuid))
    }

    /// The line leads to a message.
    pub(super) fn link(&mut self, uuid: Option<&str>, to: Place) {
        if let Some(uuid) = uuid {
            self.lines.entry(name(uuid)).or_insert(to);
        }
    }

    /// A line that says nothing itself, on which others hang.
    pub(super) fn pass(&mut self, line: &Line) {
        let to = match self.parent(line) {
            Parent::Message(to) => Some(to),
            Parent::Nothing | Parent::Unknown => self.head,
        };
        if let Some(to) = to {
            self.link(line.uuid(), to);
        }
    }

    /// Where the conversation has to go back to before what the line says can be said; `None`: it stands there. Results of the same
    /// message's calls stand beside each other, and what follows may hang on any of them.
    pub(super) fn back(&self, line: &Line) -> Option<Option<Place>> {
        let target = match self.parent(line) {
            Parent::Unknown => return None,
            Parent::Nothing => None,
            Parent::Message(target) => Some(target),
        };
        let mut at = self.head;
        while at != target {
            at = match at.map(|at| &self.messages[at]) {
                Some(message) if message.is_result => message.before,
                _ => return Some(target),
            };
        }
        None
    }

    /// The conversation goes on from an earlier message.
    pub(super) fn go(&mut self, to: Option<Place>) -> Option<MessageId> {
        self.head = to;
        self.head()
    }

    /// The next message of the conversation.
    pub(super) fn add(&mut self, id: MessageId, is_result: bool) -> Place {
        self.messages.push(Placed { id, before: self.head, is_result });
        let place = self.messages.len() - 1;
        self.head = Some(place);
        place
    }

    fn parent(&self, line: &Line) -> Parent {
        // Absent is not null: lines that somebody else wrote may name no parents.
        let named = match line.field("parentUuid") {
            Value::Null => line.text("logicalParentUuid"),
            parent => parent.as_str(),
        };
        match named {
            Some(parent) => self.lines.get(&name(parent)).map_or(Parent::Unknown, |to| Parent::Message(*to)),
            None if line.has("parentUuid") => Parent::Nothing,
            None => Parent::Unknown,
        }
    }
}

/// A line's name in little room.
fn name(uuid: &str) -> u128 {
    match Uuid::try_parse(uuid) {
        Ok(uuid) => uuid.as_u128(),
        Err(_) => {
            let hash = blake3::hash(uuid.as_bytes());
            hash.as_bytes().first_chunk().copied().map_or(0, u128::from_be_bytes)
        }
    }
}
