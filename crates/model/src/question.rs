//! A question that an agent's work waits for.

use crate::{QuestionId, text::words};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

words! {
    /// What kind of answer is wanted.
    QuestionKind, "kind of a question" {
        /// `allow` or `deny`.
        Permission = "permission",
        /// Words, or one of the choices.
        Question = "question",
    }
}

/// A question of an agent to its owner (settled points, §2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    /// Its id; the answer names it.
    pub id: QuestionId,
    /// What kind of answer is wanted.
    pub kind: QuestionKind,
    /// The question.
    pub text: String,
    /// Answers to choose from, where the agent offers some; any other text is an answer too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<String>>,
    /// Of a permission: the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<String>,
    /// Of a permission: what the tool would be called with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_input: Option<Value>,
}

/// The owner's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Answer {
    /// The tool may run.
    Allow,
    /// It may not.
    Deny {
        /// Why, for the agent.
        message: Option<String>,
    },
    /// Words.
    Text {
        /// The words.
        text: String,
    },
}
