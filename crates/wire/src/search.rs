//! Full-text search.

use crate::{
    List, Order, Words,
    shape::{Name, Sought},
};
use makima_model::{ContractId, MessageId, MessageRole, Point, TaskId, Timestamp, search::HitKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What to look for, and where: all conditions that are given hold of each hit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Search {
    /// Words, all of which must be there, in any order. `"Words in quotes"` must follow each other, and so must those that are written without
    /// a space between them (`src/main.rs`). `word*` finds what begins so; so does the last word of all, if it has three characters or
    /// more and no quotes. Anything else is text: there are no operators.
    #[param(value_type = Sought, inline)]
    pub q: String,
    /// What one of these said; repeated or with commas.
    #[param(value_type = Option<Vec<MessageRole>>, inline)]
    #[serde(default, skip_serializing_if = "Words::is_empty")]
    pub role: Words<MessageRole>,
    /// What was asked of this tool, or answered by it.
    #[param(value_type = Option<Name>, inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What belongs to this task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// What belongs to this contract and its tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<ContractId>,
    /// What is of this moment or later ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// What is of this moment or earlier ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Only what tells of an error: a tool that failed, an agent's failure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub errors_only: bool,
    /// How many rows at most: 100 unless told, 1000 at most.
    #[param(minimum = 1, maximum = 1000)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page before ended: its `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// `desc`: newest first, as without it. `asc`: oldest first.
    #[param(inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

impl Search {
    /// What every list has.
    pub fn list(&self) -> List {
        List { limit: self.limit, cursor: self.cursor.clone(), order: self.order }
    }
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchHit {
    /// What it is.
    pub kind: HitKind,
    /// The moment, as all that takes a moment of the task takes it: `message:<id>`, `checkpoint:N`, or of an event its time.
    #[schema(value_type = String)]
    pub point: Point,
    /// Its task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// What the task is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_name: Option<String>,
    /// Its contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<ContractId>,
    /// The message; of what was said in a chat, the chat's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// Who said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<MessageRole>,
    /// The tool that answered with it, or, where what was found is what a tool was called with, that tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<String>,
    /// Of a checkpoint or another event: what happened, as the timeline and the events of tasks have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// Whether it tells of an error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
    /// When it was.
    pub timestamp: Timestamp,
    /// One line of its text, cut with `…` on either side. Each match stands between U+0002 and U+0003, which no snippet has of its own.
    pub snippet: String,
}

/// A page of what was found, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchHits {
    /// The hits.
    pub hits: Vec<SearchHit>,
    /// How many there are in all.
    pub total_count: i64,
    /// Whether there are more than `totalCount`, which is not counted above a million.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub total_count_is_lower_bound: bool,
    /// There only where the index has not come as far as what happened and was said: how many of the newest of that were not looked
    /// through. The same asked again a little later looks through more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_yet_indexed: Option<i64>,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
