use super::tagged;
use crate::{
    App,
    caller::Caller,
    error::ApiError,
    extract::{Body, Path},
    precondition::Expected,
};
use axum::{extract::State, response::IntoResponse};
use makima_model::ContractId;
use makima_wire::{ChangeContract, Contract};

/// Changes a contract's name, description or status.
///
/// What is absent stays as it is. The timeline tells what was before. With `If-Match` (a tag that was answered as `ETag`, several,
/// or `*`) it is changed only if it still has that tag: 412 `PRECONDITION_FAILED` if not, with the tag that it has. A tag stands
/// for what can be changed of a contract, its phase included, and not for what its tasks come to.
#[utoipa::path(patch, path = "/api/v1/contracts/{id}", tag = "contracts", 
    params(("id" = ContractId, Path), ("If-Match" = Option<String>, Header, pattern = r#"^(\*|"[!#-~]*"(, "[!#-~]*")*)$"#,
        description = "The tags that it may have")),
    request_body = ChangeContract,
    responses((status = 200, body = Contract, headers(("ETag" = String, description = "The tag of the contract"))), ApiError))]
pub(crate) async fn change_contract(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<ContractId>,
    expected: Expected,
    Body(wanted): Body<ChangeContract>,
) -> Result<impl IntoResponse, ApiError> {
    Ok(tagged(app.change_contract(caller, id, &expected, wanted).await?))
}
