//! The timeline.

use crate::{
    App,
    app::TimelineView,
    caller::Caller,
    error::ApiError,
    extract::{Path, Query},
    routes::shown,
};
use axum::{Json, extract::State};
use makima_model::ContractId;
use makima_wire::{ListHistory, ListTimeline, Timeline};

/// Everything that happened, or what happened to a contract, to a task, or to a task and all below it; newest first.
///
/// Entries stand by the time at which they happened. A walk by `cursor` gives each entry that was there when it began once, and none twice,
/// while others come. What comes next is told by `/events`, from `feedSeq` on.
#[utoipa::path(get, path = "/api/v1/timeline", tag = "history", params(ListTimeline),
    responses((status = 200, body = Timeline), ApiError))]
pub(crate) async fn list_timeline(
    caller: Caller,
    State(app): State<App>,
    Query(wanted): Query<ListTimeline>,
) -> Result<Json<Timeline>, ApiError> {
    Ok(Json(shown_timeline(app.timeline(caller, &wanted).await?, None)))
}

/// What happened to a contract and its tasks, newest first: the contract's part of the timeline.
#[utoipa::path(get, path = "/api/v1/contracts/{id}/history", tag = "history",
    params(("id" = ContractId, Path), ListHistory), responses((status = 200, body = Timeline), ApiError))]
pub(crate) async fn list_contract_history(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<ContractId>,
    Query(wanted): Query<ListHistory>,
) -> Result<Json<Timeline>, ApiError> {
    let view = app.timeline(caller, &wanted.of_contract(id)).await?;
    Ok(Json(shown_timeline(view, Some(id))))
}

fn shown_timeline(view: TimelineView, contract_id: Option<ContractId>) -> Timeline {
    Timeline {
        contract_id,
        entries: view.entries.into_iter().map(shown::history).collect(),
        total_count: view.total,
        total_count_is_lower_bound: view.is_lower_bound,
        feed_seq: view.feed_seq,
        cursor: view.cursor,
    }
}
