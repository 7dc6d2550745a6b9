//! Exports as they are sent: as files to keep, which no browser shows by itself.

use crate::{
    App,
    caller::Caller,
    error::ApiError,
    export::{Exported, PageFormat, packed},
};
use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use makima_wire::{ExportFormat, ExportQuery};

/// What was asked for, as it comes.
pub(crate) async fn answer(
    app: App,
    by: Caller,
    what: Exported,
    how: ExportQuery,
) -> Result<Response, ApiError> {
    let (format, kind) = match how.format.unwrap_or_default() {
        ExportFormat::Archive => {
            let archive = app.export_archive(by, what, how.code.unwrap_or(true)).await?;
            let name = archive.name.clone();
            return file(&name, "application/gzip", Body::from_stream(packed(archive)));
        }
        ExportFormat::Markdown => (PageFormat::Markdown, "text/markdown; charset=utf-8"),
        ExportFormat::Html => (PageFormat::Html, "text/html; charset=utf-8"),
    };
    let page = app.export_page(by, what, format).await?;
    let name = page.name.clone();
    file(&name, kind, Body::from_stream(page.pieces()))
}

/// A file to keep. Its name is one of ours: ASCII letters, digits, dots and hyphens.
fn file(name: &str, kind: &'static str, body: Body) -> Result<Response, ApiError> {
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    let disposition = disposition.map_err(ApiError::internal)?;
    let headers =
        [(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, body).into_response())
}
