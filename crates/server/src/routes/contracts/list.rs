use super::shown;
use crate::{App, caller::Caller, error::ApiError, extract::Query};
use axum::{Json, extract::State};
use makima_wire::{ContractList, List};

/// The contracts, newest first.
#[utoipa::path(get, path = "/api/v1/contracts", tag = "contracts", params(List),
    responses((status = 200, body = ContractList), ApiError))]
pub(crate) async fn list_contracts(
    caller: Caller,
    State(app): State<App>,
    Query(list): Query<List>,
) -> Result<Json<ContractList>, ApiError> {
    let page = app.contracts(caller, &list).await?;
    let contracts = page.rows.into_iter().map(shown).collect();
    Ok(Json(ContractList { contracts, total_count: page.total, cursor: page.cursor }))
}
