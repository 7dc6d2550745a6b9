//! Whether the server lives, and whether it can work.

use crate::{App, error::ApiError};
use axum::{Json, extract::State};
use makima_wire::Health;

/// Whether the server lives.
#[utoipa::path(get, path = "/healthz", tag = "server", responses((status = 200, body = Health)))]
pub(crate) async fn healthz(State(app): State<App>) -> Json<Health> {
    Json(ok(&app))
}

/// Whether the server can work: its database answers, and has room for what is written.
#[utoipa::path(get, path = "/readyz", tag = "server", responses((status = 200, body = Health), ApiError))]
pub(crate) async fn readyz(State(app): State<App>) -> Result<Json<Health>, ApiError> {
    app.db().ready().await?;
    Ok(Json(ok(&app)))
}

fn ok(app: &App) -> Health {
    Health { status: "ok".to_owned(), version: app.version().to_owned() }
}
