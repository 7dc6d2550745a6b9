//! The one shape of every error.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What went wrong, as one word that a client can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// 400: the request doesn't parse, or names something that can't exist.
    BadRequest,
    /// 401: no key, or none that is taken.
    Unauthorized,
    /// 403: the key doesn't open this.
    Forbidden,
    /// 404: there is no such thing, or it is another owner's.
    NotFound,
    /// 409: it doesn't fit the present state.
    Conflict,
    /// 409: a live run exists.
    AlreadyRunning,
    /// 409: there is no live run.
    NotRunning,
    /// 409: a change of history is open on it: `details.operationId`.
    OperationInProgress,
    /// 409: things went on since; `keepNewer` does it all the same.
    NewerChanges,
    /// 409: the daemon that was named isn't connected.
    DaemonOffline,
    /// 409: a request with the same `Idempotency-Key` is being carried out; `Retry-After` says for how many seconds to wait.
    RequestInProgress,
    /// 412: what was to be changed is no longer what `If-Match` says.
    PreconditionFailed,
    /// 413: the body is larger than this route takes.
    TooLarge,
    /// 421: the server isn't known by the name that it was called by.
    UnknownHost,
    /// 422: well-formed, and breaks a rule.
    Unprocessable,
    /// 422: no connected daemon has this agent.
    AgentNotFound,
    /// 422: no connected daemon reaches this repository or branch.
    RepositoryNotFound,
    /// 429: too many requests; `Retry-After` says for how many seconds to wait.
    RateLimited,
    /// 409: the worktree kept changing while it was read.
    WorktreeChanging,
    /// 500: a defect of the server.
    Internal,
    /// 500: the database refused.
    DbError,
    /// 503: the database can't be reached, or can't be written: its disk is full or read-only.
    DbUnavailable,
    /// 503: the daemon that has what is asked for isn't connected, or didn't answer in time.
    NoDaemon,
}

/// Every error's body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// What went wrong.
    pub code: Code,
    /// The same in a sentence, with what to do.
    pub message: String,
    /// More, where a client can use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// The request, as the server's log has it.
    pub request_id: String,
}
