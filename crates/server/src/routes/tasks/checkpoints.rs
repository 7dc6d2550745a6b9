use crate::{
    App,
    app::Making,
    caller::Caller,
    error::ApiError,
    extract::{Body, Path, Query},
    routes::operations::answered,
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use makima_model::{Point, TaskId};
use makima_store as store;
use makima_wire::{
    Checkpoint, CheckpointDiff, CheckpointList, CheckpointPath, CreateCheckpoint, DiffQuery, List, Operation,
};

/// The checkpoints of a task, newest first.
#[utoipa::path(get, path = "/api/v1/mesh/tasks/{id}/checkpoints", tag = "checkpoints",
    params(("id" = TaskId, Path), List), responses((status = 200, body = CheckpointList), ApiError))]
pub(crate) async fn list_checkpoints(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<TaskId>,
    Query(list): Query<List>,
) -> Result<Json<CheckpointList>, ApiError> {
    let page = app.checkpoints(caller, id, &list).await?;
    let checkpoints = page.rows.into_iter().map(shown).collect();
    Ok(Json(CheckpointList { checkpoints, total_count: page.total, cursor: page.cursor }))
}

/// Makes a checkpoint of a task's worktree as it is now, whether its agent works or not.
///
/// It is an operation, which can be undone. After 25 s, 202 with that, which goes on.
#[utoipa::path(post, path = "/api/v1/mesh/tasks/{id}/checkpoints", tag = "checkpoints",
    params(("id" = TaskId, Path)), request_body = CreateCheckpoint,
    responses((status = 201, body = Checkpoint),
        (status = 202, body = Operation, description = "It goes on: look at the operation"), ApiError))]
pub(crate) async fn create_checkpoint(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<TaskId>,
    Body(wanted): Body<CreateCheckpoint>,
) -> Result<Response, ApiError> {
    Ok(match app.make_checkpoint(caller, id, wanted.message).await? {
        Making::Made(checkpoint) => (StatusCode::CREATED, Json(shown(*checkpoint))).into_response(),
        Making::GoesOn(operation) => answered(*operation).into_response(),
    })
}

/// What differs between a checkpoint and the one before it, or any moment of the task (`from`).
///
/// The patch against the checkpoint before it, or the commit that the task began from, is kept with each, so that is told while every daemon
/// is offline. Whatever else is asked the task's daemon computes; if that isn't connected: 503 `NO_DAEMON`. A file's hunks are left out (`truncated`) where the whole would be
/// larger than 2 MiB or the file than 512 KiB; asked for by its `path` it has up to 8 MiB.
#[utoipa::path(get, path = "/api/v1/mesh/tasks/{id}/checkpoints/{cid}/diff", tag = "checkpoints",
    params(CheckpointPath, DiffQuery),
    responses((status = 200, body = CheckpointDiff), ApiError))]
pub(crate) async fn checkpoint_diff(
    caller: Caller,
    State(app): State<App>,
    Path(CheckpointPath { id, cid }): Path<CheckpointPath>,
    Query(query): Query<DiffQuery>,
) -> Result<Json<CheckpointDiff>, ApiError> {
    let name = cid.strip_prefix("checkpoint:").unwrap_or(&cid);
    let checkpoint = Point::checkpoint(name).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let view = app.checkpoint_diff(caller, id, &checkpoint, query).await?;
    Ok(Json(CheckpointDiff {
        checkpoint: shown(view.checkpoint),
        diff: view.diff,
        previous_checkpoint: view.previous.map(shown),
    }))
}

pub(crate) fn shown(checkpoint: store::Checkpoint) -> Checkpoint {
    let store::Checkpoint { task, position, snapshot, made, .. } = checkpoint;
    let lines = |count| i64::try_from(count).unwrap_or(i64::MAX);
    Checkpoint {
        id: made.id,
        task_id: task,
        checkpoint_number: made.number,
        kind: made.kind,
        commit_sha: made.commit_sha,
        branch_name: made.branch_name,
        message: made.message,
        files_changed: made.files_changed,
        lines_added: lines(made.lines_added),
        lines_removed: lines(made.lines_removed),
        not_held: made.not_held,
        // Code doesn't travel yet: what a checkpoint needs is on its daemon's machine.
        stored: false,
        previous_checkpoint_id: made.previous,
        conversation_snapshot_id: snapshot,
        message_count: position.seq,
        created_at: made.at,
    }
}
