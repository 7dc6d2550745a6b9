//! Operations.

pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod undo;

use axum::{Json, http::StatusCode};
use makima_model::{self as model, OperationState};
use makima_wire as wire;

/// An operation: 202 while it goes on.
pub(super) type Answer = (StatusCode, Json<wire::Operation>);

pub(super) fn answered(operation: model::Operation) -> Answer {
    let status = match operation.state {
        OperationState::Prepared => StatusCode::ACCEPTED,
        OperationState::Done | OperationState::Failed | OperationState::Abandoned => StatusCode::OK,
    };
    (status, Json(shown(operation)))
}

pub(crate) fn shown(operation: model::Operation) -> wire::Operation {
    wire::Operation {
        id: operation.id,
        kind: operation.kind,
        state: operation.state,
        task_id: operation.task,
        contract_id: operation.contract,
        principal: operation.principal,
        origin: operation.origin,
        request: operation.request,
        before: operation.before,
        after: operation.after,
        undoes: operation.undoes,
        undone_by: operation.undone_by,
        error: operation.error,
        created_at: operation.created_at,
        finished_at: operation.finished_at,
    }
}
