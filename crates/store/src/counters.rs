//! How many there are, kept as rows are written, so that a list's total costs one small read.
//!
//! Counts change when a transaction is committed, in one order in every transaction, so that two never wait for each other.

use crate::{StoreError, Tx, db::on, error::Act, statements::statements};
use makima_model::{OwnerId, Phase};
use sqlx::types::Uuid;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Noun {
    /// Contracts of an owner, by status.
    Contract,
    /// Tasks of an owner or a contract.
    Task,
    /// History events of an owner, a contract or a task, by kind and phase.
    History,
    /// Task events of a task, by kind.
    TaskEvent,
    /// Messages that a task's runs appended, on all its branches.
    Message,
    /// Snapshots of a task, by type.
    Snapshot,
    /// Conversations of an owner's chat about all tasks, or of a contract's.
    ChatConversation,
    /// Messages of a chat's conversation.
    ChatMessage,
}

impl Noun {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::Task => "task",
            Self::History => "history",
            Self::TaskEvent => "task_event",
            Self::Message => "message",
            Self::Snapshot => "snapshot",
            Self::ChatConversation => "chat_conversation",
            Self::ChatMessage => "chat_message",
        }
    }
}

statements! {
    COUNT = "SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT) FROM counters \
        WHERE owner_id = $1 AND scope_id = $2 AND noun = $3 \
        AND (CAST($4 AS TEXT) IS NULL OR kind = $4) AND (CAST($5 AS TEXT) IS NULL OR phase = $5)";
}

/// How many of `noun` a scope has: the id of an owner, a contract or a task; all kinds and phases, or one.
pub async fn count(
    tx: &mut Tx,
    owner: OwnerId,
    scope: Uuid,
    noun: Noun,
    kind: Option<&str>,
    phase: Option<Phase>,
) -> Result<i64, StoreError> {
    on!(tx, |c| sqlx::query_scalar(COUNT)
        .bind(owner.uuid())
        .bind(scope)
        .bind(noun.as_str())
        .bind(kind)
        .bind(phase.map(Phase::as_str))
        .fetch_one(c)
        .await)
    .act("count rows")
}
