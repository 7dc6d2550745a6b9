use crate::{
    App,
    caller::Caller,
    error::ApiError,
    export::Exported,
    extract::{Path, Query},
    routes::exported::answer,
};
use axum::{extract::State, response::Response};
use makima_model::TaskId;
use makima_wire::{ExportArchive, ExportQuery};

/// All of a task: as an archive, or its conversation with its differences as one page to read.
///
/// An archive is a `tar.gz` of `manifest.json` (`Manifest`: the SHA-256 of each file), JSON lines of everything, the patch of each checkpoint, and
/// a git bundle, which a daemon that has the code makes: if that isn't connected, 503 `NO_DAEMON`; `code=false` leaves it out. A page needs no
/// daemon.
#[utoipa::path(get, path = "/api/v1/mesh/tasks/{id}/export", tag = "export",
    params(("id" = TaskId, Path), ExportQuery),
    responses((status = 200, description = "The archive, or the page", content(
        (ExportArchive = "application/gzip"), (String = "text/markdown"), (String = "text/html"))), ApiError))]
pub(crate) async fn export_task(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<TaskId>,
    Query(how): Query<ExportQuery>,
) -> Result<Response, ApiError> {
    answer(app, caller, Exported::Task(id), how).await
}
