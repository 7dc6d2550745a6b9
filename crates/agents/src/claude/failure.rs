//! Why a turn failed, in our words.

use makima_model::{AgentFailure, FailureKind, Timestamp};
use serde_json::Value;

/// The most characters of the program's words that are kept.
const MOST: usize = 2000;

/// The failure that an error word of Claude Code and an HTTP status mean.
pub(super) fn kind(word: &str, status: Option<u64>) -> FailureKind {
    match word {
        "rate_limit" => FailureKind::RateLimit,
        "server_error" | "overloaded" => FailureKind::ServerError,
        "authentication_failed" | "oauth_org_not_allowed" => FailureKind::Authentication,
        "billing_error" => FailureKind::Billing,
        "model_not_found" => FailureKind::ModelNotFound,
        "invalid_request" => FailureKind::InvalidRequest,
        _ => match status {
            Some(401 | 403) => FailureKind::Authentication,
            Some(402) => FailureKind::Billing,
            Some(404) => FailureKind::ModelNotFound,
            Some(429) => FailureKind::RateLimit,
            Some(400..500) => FailureKind::InvalidRequest,
            Some(500..) => FailureKind::ServerError,
            _ => FailureKind::Other,
        },
    }
}

/// Why the turn failed that ends with this `result`. `word` is the error that the last synthetic message named, `limit`
/// the subscription's limit that was reached in the turn.
pub(super) fn of_turn(result: &Value, word: Option<&str>, limit: Option<&AgentFailure>) -> AgentFailure {
    let message = cut(&words(result));
    if let Some(limit) = limit {
        return AgentFailure { message, ..limit.clone() };
    }
    // A 400 is told without an error word, and by 2.1.328 without the status.
    let status = result["api_error_status"].as_u64().or_else(|| status_in(&message));
    let kind = match (result["terminal_reason"].as_str(), result["subtype"].as_str()) {
        (Some("prompt_too_long"), _) => FailureKind::PromptTooLong,
        (Some("max_turns"), _) | (_, Some("error_max_turns")) => FailureKind::MaxTurns,
        (Some("budget_exhausted"), _) | (_, Some("error_max_budget_usd")) => FailureKind::Billing,
        _ => kind(word.unwrap_or_default(), status),
    };
    AgentFailure { kind, message, resets_at: None }
}

/// The limit that a `rate_limit_event` tells of.
pub(super) fn of_limit(info: &Value) -> AgentFailure {
    let resets_at = info["resetsAt"].as_i64().and_then(Timestamp::from_unix);
    let which = match info["rateLimitType"].as_str() {
        Some("five_hour") => "five-hour ",
        Some("seven_day" | "seven_day_opus" | "seven_day_sonnet") => "weekly ",
        _ => "",
    };
    let message = format!("The {which}limit of the subscription is used up");
    AgentFailure { kind: FailureKind::UsageLimit, message, resets_at }
}

fn words(result: &Value) -> String {
    let errors = result["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
    match result["result"].as_str().filter(|text| !text.is_empty()) {
        Some(text) => text.to_owned(),
        None => errors.collect::<Vec<_>>().join("\n"),
    }
}

fn status_in(message: &str) -> Option<u64> {
    let (_, rest) = message.split_once("API Error: ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
