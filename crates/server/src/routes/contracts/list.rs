use super::shown;
use crate::{App, caller::Caller, error::ApiError, extract::Query};
use axum::{Json, extract::State};
use makima_wire::{ContractList, ListContracts};

/// The contracts, newest first, with what their tasks come to.
#[utoipa::path(get, path = "/api/v1/contracts", tag = "contracts", params(ListContracts),
    responses((status = 200, body = ContractList), ApiError))]
pub(crate) async fn list_contracts(
    caller: Caller,
    State(app): State<App>,
    Query(wanted): Query<ListContracts>,
) -> Result<Json<ContractList>, ApiError> {
    let page = app.contracts(caller, &wanted).await?;
    let contracts = page.rows.into_iter().map(shown).collect();
    Ok(Json(ContractList { contracts, total_count: page.total, cursor: page.cursor }))
}
