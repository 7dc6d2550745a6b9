use crate::{
    App,
    caller::Caller,
    error::ApiError,
    export::Exported,
    extract::{Path, Query},
    routes::exported::answer,
};
use axum::{extract::State, response::Response};
use makima_model::ContractId;
use makima_wire::{ExportArchive, ExportQuery};

/// All of a contract and its tasks: as an archive, or their conversations with their differences as one page to read.
///
/// As of a task; of each daemon and repository there is a bundle of its own.
#[utoipa::path(get, path = "/api/v1/contracts/{id}/export", tag = "export",
    params(("id" = ContractId, Path), ExportQuery),
    responses((status = 200, description = "The archive, or the page", content(
        (ExportArchive = "application/gzip"), (String = "text/markdown"), (String = "text/html"))), ApiError))]
pub(crate) async fn export_contract(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<ContractId>,
    Query(how): Query<ExportQuery>,
) -> Result<Response, ApiError> {
    answer(app, caller, Exported::Contract(id), how).await
}
