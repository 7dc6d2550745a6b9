//! The live feed.

use crate::{
    App,
    caller::Caller,
    error::ApiError,
    extract::Query,
    feed::{self, Wanted},
};
use axum::{
    extract::State,
    http::HeaderMap,
    response::sse::{KeepAlive, Sse},
};
use makima_model::{ContractId, TaskId};
use serde::Deserialize;
use std::time::Duration;

/// What to tell of.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// This contract alone.
    contract_id: Option<ContractId>,
    /// This task alone.
    task_id: Option<TaskId>,
}

/// What happens, as server-sent events.
///
/// `event: history`, `task` and `message` are stored and have an `id:`, their number; `event: delta` streams pieces of a
/// message before it is complete and has none. The `data:` of each is JSON, as `FeedData` says. With `Last-Event-ID` the feed begins after that number, without a gap and
/// without a duplicate; without it, with what happens from now on.
#[utoipa::path(get, path = "/api/v1/events", tag = "events",
    params(Which, ("Last-Event-ID" = Option<String>, Header, description = "The last number that was seen")),
    responses((status = 200, content_type = "text/event-stream", body = String), ApiError))]
pub(crate) async fn feed(
    caller: Caller,
    State(app): State<App>,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Result<
    Sse<impl futures::Stream<Item = Result<axum::response::sse::Event, makima_store::StoreError>>>,
    ApiError,
> {
    let after = match headers.get("last-event-id") {
        None => None,
        Some(id) => {
            let id = id.to_str().ok().and_then(|id| id.trim().parse::<i64>().ok()).filter(|id| *id >= 0);
            Some(id.ok_or_else(|| ApiError::bad_request("Last-Event-ID is no number of an event"))?)
        }
    };
    let scope = app.feed_scope(caller, which.contract_id, which.task_id).await?;
    let stop = app.stopping();
    let events = feed::feed(app, Wanted { owner: caller.owner, scope, after }, stop).await?;
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}
