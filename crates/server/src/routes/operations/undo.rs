use super::{Answer, answered};
use crate::{
    App,
    caller::Caller,
    error::ApiError,
    extract::{Body, Path},
};
use axum::extract::State;
use makima_model::OperationId;
use makima_wire::{Operation, UndoOperation};

/// Undoes an operation: makes things as they were before it.
///
/// That is an operation itself, so it can be undone too. Where things went on since, 409 `NEWER_CHANGES` with `details.files`, unless
/// `keepNewer`: then it is done, and what came after stays readable. What was erased for good can't be had again. One that is `prepared` and
/// waits for a daemon that is away is given up: it is answered itself, `abandoned`, and things are as they were before it.
#[utoipa::path(post, path = "/api/v1/operations/{id}/undo", tag = "operations", params(("id" = OperationId, Path)),
    request_body = UndoOperation,
    responses((status = 200, body = Operation),
        (status = 202, body = Operation, description = "It goes on: look at the operation"), ApiError))]
pub(crate) async fn undo_operation(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<OperationId>,
    Body(how): Body<UndoOperation>,
) -> Result<Answer, ApiError> {
    Ok(answered(app.undo_operation(caller, id, how).await?))
}
