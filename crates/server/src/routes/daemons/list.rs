use crate::{App, caller::Caller, error::ApiError};
use axum::{Json, extract::State};
use makima_wire::{Daemon, DaemonList};

/// The daemons, by name.
#[utoipa::path(get, path = "/api/v1/mesh/daemons", tag = "daemons", responses((status = 200, body = DaemonList), ApiError))]
pub(crate) async fn list_daemons(
    caller: Caller,
    State(app): State<App>,
) -> Result<Json<DaemonList>, ApiError> {
    let daemons: Vec<Daemon> = app
        .daemons(caller.owner)
        .await?
        .into_iter()
        .map(|daemon| Daemon {
            id: daemon.id,
            name: daemon.name,
            hostname: daemon.hostname,
            status: daemon.status,
            max_concurrent_tasks: daemon.max_concurrent_tasks,
            running_tasks: daemon.running_tasks,
            agents: daemon.agents,
            last_heartbeat_at: daemon.last_heartbeat_at,
            trouble: daemon.trouble,
        })
        .collect();
    Ok(Json(DaemonList { total_count: daemons.len() as i64, daemons }))
}
