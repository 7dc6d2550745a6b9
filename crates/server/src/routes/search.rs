//! Full-text search.

use crate::{App, caller::Caller, error::ApiError, extract::Query, routes::shown};
use axum::{Json, extract::State};
use makima_wire::{Search, SearchHits};

/// Finds what was said and what happened: messages, what tools were called with and what they answered, checkpoints, events.
///
/// Newest first. What was rewound away is found too, what lies in the trash is not. What was there when it was asked is looked through, or
/// `notYetIndexed` says that it was not.
#[utoipa::path(get, path = "/api/v1/search", tag = "history", params(Search),
    responses((status = 200, body = SearchHits), ApiError))]
pub(crate) async fn search(
    caller: Caller,
    State(app): State<App>,
    Query(wanted): Query<Search>,
) -> Result<Json<SearchHits>, ApiError> {
    let view = app.search(caller, &wanted).await?;
    Ok(Json(SearchHits {
        hits: view.hits.into_iter().map(shown::hit).collect(),
        total_count: view.total,
        total_count_is_lower_bound: view.is_lower_bound,
        not_yet_indexed: (view.behind > 0).then_some(view.behind),
        cursor: view.cursor,
    }))
}
