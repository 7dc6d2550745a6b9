//! Messages that are passed on as the JSON that they are stored as: reading and writing it again was half of what a message cost.

use crate::{
    StoreError,
    codec::unpacked,
    columns::{Cells, Entity, wrong},
    error::Act,
};
use makima_model::{BranchId, Message, MessageId, MessageRole, TaskId, Timestamp};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// The columns of an unread message.
macro_rules! unread {
    () => {
        "id, branch_id, task_id, seq, run_number, role, codec, body, token_count, cost_usd, created_at"
    };
}
pub(super) use unread;

/// A message that nobody has read, and where it stands.
#[derive(Debug, Clone)]
pub struct UnreadMessage {
    /// Its id.
    pub id: MessageId,
    /// The branch that holds it.
    pub branch: BranchId,
    /// The task whose run said it.
    pub task: TaskId,
    /// Its number in the conversation.
    pub seq: i64,
    /// The run that said it.
    pub run_number: i64,
    /// Who speaks.
    pub role: MessageRole,
    /// When it was complete.
    pub timestamp: Timestamp,
    /// As [`Message::token_count`].
    pub token_count: Option<i64>,
    /// As [`Message::cost_usd`].
    pub cost_usd: Option<f64>,
    /// What it says.
    pub said: Said,
}

/// What a message says: the fields of [`Message`] that have no columns, each as JSON. What is empty is absent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "they are those of `Message`")]
pub struct Said {
    pub content: Option<Box<RawValue>>,
    pub thinking: Option<Box<RawValue>>,
    pub tool_calls: Option<Box<RawValue>>,
    pub tool_call_id: Option<String>,
    pub tool_name: Option<Box<RawValue>>,
    pub tool_result: Option<Box<RawValue>>,
    pub is_error: Option<bool>,
    pub model: Option<Box<RawValue>>,
    pub incomplete: bool,
}

/// What a tool was called with.
#[derive(Debug, Deserialize)]
pub struct UnreadCall {
    /// The agent's id of the call.
    pub id: String,
    /// What it was called with, as JSON.
    pub input: Box<RawValue>,
}

const ACT: &str = "read messages";

impl UnreadMessage {
    /// The tools that the agent calls.
    pub fn calls(&self) -> Result<Vec<UnreadCall>, StoreError> {
        Ok(read(self.said.tool_calls.as_deref()).act(ACT)?.unwrap_or_default())
    }

    /// Reads what it says.
    pub fn read(self) -> Result<Message, StoreError> {
        let Self { id, role, timestamp, token_count, cost_usd, said, .. } = self;
        let read_all = || {
            Ok(Message {
                id,
                role,
                content: read(said.content.as_deref())?.unwrap_or_default(),
                timestamp,
                thinking: read(said.thinking.as_deref())?,
                tool_calls: read(said.tool_calls.as_deref())?.unwrap_or_default(),
                tool_call_id: said.tool_call_id,
                tool_name: read(said.tool_name.as_deref())?,
                tool_result: read(said.tool_result.as_deref())?,
                is_error: said.is_error,
                token_count,
                cost_usd,
                model: read(said.model.as_deref())?,
                incomplete: said.incomplete,
            })
        };
        read_all().act(ACT)
    }
}

fn read<T: DeserializeOwned>(json: Option<&RawValue>) -> Result<Option<T>, sqlx::Error> {
    let read = json.map(|json| serde_json::from_str(json.get())).transpose();
    read.map_err(|error| wrong("body", error))
}

impl Entity for UnreadMessage {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        let body = unpacked(cells, "codec", "body")?;
        Ok(Self {
            id: cells.id("id")?,
            branch: cells.id("branch_id")?,
            task: cells.id("task_id")?,
            seq: cells.int("seq")?,
            run_number: cells.int("run_number")?,
            role: cells.word("role")?,
            timestamp: cells.at("created_at")?,
            token_count: cells.maybe_int("token_count")?,
            cost_usd: cells.maybe_real("cost_usd")?,
            said: serde_json::from_slice(&body).map_err(|error| wrong("body", error))?,
        })
    }
}
