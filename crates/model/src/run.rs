//! A run: one start of a task's agent on one daemon, and how it and its turns end.

use crate::{
    Timestamp,
    text::{never_null, words},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, ops};
use utoipa::ToSchema;

/// Tokens that a model read and wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Usage {
    /// Read, and neither taken from the cache nor put into it.
    pub input_tokens: i64,
    /// Written.
    pub output_tokens: i64,
    /// Read from the cache.
    pub cache_read_tokens: i64,
    /// Read and put into the cache.
    pub cache_creation_tokens: i64,
}

impl Usage {
    /// All of them.
    pub fn total(self) -> i64 {
        [self.input_tokens, self.output_tokens, self.cache_read_tokens, self.cache_creation_tokens]
            .into_iter()
            .fold(0, i64::saturating_add)
    }
}

impl ops::AddAssign for Usage {
    fn add_assign(&mut self, more: Self) {
        self.input_tokens = self.input_tokens.saturating_add(more.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(more.output_tokens);
        self.cache_read_tokens = self.cache_read_tokens.saturating_add(more.cache_read_tokens);
        self.cache_creation_tokens = self.cache_creation_tokens.saturating_add(more.cache_creation_tokens);
    }
}

words! {
    /// How a turn ended.
    TurnOutcome, "outcome of a turn" {
        /// The agent said all that it had to say.
        Completed = "completed",
        /// It was interrupted.
        Interrupted = "interrupted",
        /// It could not go on: see the failure.
        Failed = "failed",
    }
}

words! {
    /// Why an agent could not go on.
    FailureKind, "kind of failure" {
        /// Too many requests in too short a time.
        RateLimit = "rate_limit",
        /// The subscription's limit is used up until it resets.
        UsageLimit = "usage_limit",
        /// The model's service is overloaded or broken.
        ServerError = "server_error",
        /// Not logged in, or a key that isn't taken.
        Authentication = "authentication",
        /// The account can't pay.
        Billing = "billing",
        /// There is no such model, or not for this account.
        ModelNotFound = "model_not_found",
        /// The service refused the request.
        InvalidRequest = "invalid_request",
        /// The conversation no longer fits the model.
        PromptTooLong = "prompt_too_long",
        /// The most turns that it may take are taken.
        MaxTurns = "max_turns",
        /// The agent's program broke its protocol, or ended in the middle.
        Crashed = "crashed",
        /// Anything else.
        Other = "other",
    }
}

/// Why an agent could not go on, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentFailure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// The agent's words.
    pub message: String,
    /// Of a limit: when it resets, where that is known.
    #[serde(default, deserialize_with = "never_null", skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<Timestamp>,
}

/// The end of a turn: what it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TurnEnd {
    /// Which turn of the run, from 1.
    pub turn: u32,
    /// How it ended.
    pub outcome: TurnOutcome,
    /// The tokens of this turn alone.
    pub usage: Usage,
    /// The cost of this turn alone, where the agent tells it.
    #[serde(default, deserialize_with = "never_null", skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// How long it took.
    pub duration_ms: u64,
    /// How often each tool was called.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, u32>,
    /// Of a failed turn: why.
    #[serde(default, deserialize_with = "never_null", skip_serializing_if = "Option::is_none")]
    pub failure: Option<AgentFailure>,
}

words! {
    /// Why a run is told to stop.
    StopReason, "reason to stop" {
        /// Its owner wants it.
        Owner = "owner",
        /// The daemon shuts down.
        Shutdown = "shutdown",
        /// Nobody listens to its host any more.
        DaemonLost = "daemon_lost",
        /// A newer run of the task exists.
        Replaced = "replaced",
    }
}

words! {
    /// How a run ended. Each is the status that its task then has.
    RunOutcome, "outcome of a run" {
        /// The agent ended its work.
        Completed = "completed",
        /// It could not go on.
        Failed = "failed",
        /// It was stopped or lost.
        Interrupted = "interrupted",
    }
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunEnd {
    /// How it ended.
    pub outcome: RunOutcome,
    /// Why, in a sentence for people; `None` where it simply completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What made the agent fail, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<AgentFailure>,
}
