//! What a line of a session file says of itself.

use crate::{claude::said::text, lenient};
use makima_model::Timestamp;
use serde_json::Value;

/// A line of a session file that could be read. Nothing in it can be relied on.
pub(super) struct Line(Value);

impl Line {
    /// Reads a line; `None` if it is no object.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        lenient::parsed::<Value>(line).ok().filter(Value::is_object).map(Self)
    }

    pub(super) fn field(&self, name: &str) -> &Value {
        &self.0[name]
    }

    /// What kind of line it is.
    pub(super) fn kind(&self) -> &str {
        text(&self.0["type"])
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    pub(super) fn is(&self, flag: &str) -> bool {
        self.0[flag] == true
    }

    /// A field that is a text, and not an empty one.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0[name].as_str().filter(|text| !text.is_empty())
    }

    pub(super) fn uuid(&self) -> Option<&str> {
        self.text("uuid")
    }

    /// When it was written; `None` where it doesn't say, or says what can't be.
    pub(super) fn at(&self) -> Option<Timestamp> {
        let at: Timestamp = self.text("timestamp")?.parse().ok()?;
        (at >= Timestamp::from_unix(EARLIEST)? && at < Timestamp::from_unix(LATEST)?).then_some(at)
    }

    /// Whether it is said in the conversation itself, by whomever.
    pub(super) fn is_said(&self) -> bool {
        !self.is("isSidechain") && matches!(self.kind(), "user" | "assistant")
    }

    /// The model's id of the message that the line holds a part of.
    pub(super) fn message_id(&self) -> Option<&str> {
        let id = self.0["message"]["id"].as_str().filter(|id| !id.is_empty());
        id.filter(|_| self.kind() == "assistant" && !self.is("isSidechain"))
    }
}

/// The times that a line may have: from the year 2000 on, in four digits. Anything else is a broken clock.
const EARLIEST: i64 = 946_684_800;
const LATEST: i64 = 253_402_300_799;
