use crate::{
    App,
    caller::{self, Caller},
    error::ApiError,
};
use axum::{Json, extract::State};
use makima_wire::{Me, Via};

/// Who asks, as the key or session tells it.
#[utoipa::path(get, path = "/api/v1/me", tag = "access", responses((status = 200, body = Me), ApiError))]
pub(crate) async fn me(caller: Caller, State(app): State<App>) -> Result<Json<Me>, ApiError> {
    Ok(Json(shown(&app, caller).await?))
}

pub(super) async fn shown(app: &App, caller: Caller) -> Result<Me, ApiError> {
    let [principal_name, owner_name] = app.names(caller).await?;
    let (via, task_id, contract_id) = match caller.via {
        caller::Via::Key(_) => (Via::Key, None, None),
        caller::Via::Session(_) => (Via::Session, None, None),
        caller::Via::Tool { task, contract, .. } => (Via::Tool, Some(task), contract),
    };
    Ok(Me {
        principal_id: caller.principal,
        principal_name,
        owner_id: caller.owner,
        owner_name,
        via,
        task_id,
        contract_id,
    })
}
