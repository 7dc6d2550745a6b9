use super::shown;
use crate::{App, caller::Caller, error::ApiError, extract::Query};
use axum::{Json, extract::State};
use makima_wire::{ImportList, ListImports};

/// The sessions that were imported, newest first.
#[utoipa::path(get, path = "/api/v1/imports", tag = "imports", params(ListImports),
    responses((status = 200, body = ImportList), ApiError))]
pub(crate) async fn list_imports(
    caller: Caller,
    State(app): State<App>,
    Query(wanted): Query<ListImports>,
) -> Result<Json<ImportList>, ApiError> {
    let page = app.imports(caller, &wanted).await?;
    let imports = page.rows.into_iter().map(shown).collect();
    Ok(Json(ImportList { imports, total_count: page.total, cursor: page.cursor }))
}
