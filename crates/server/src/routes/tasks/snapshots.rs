use crate::{
    App,
    app::SnapshotView,
    caller::Caller,
    error::ApiError,
    extract::{Body, Path, Query},
    routes::{
        operations::{Answer, answered},
        streamed::with_messages,
    },
};
use axum::{Json, extract::State, http::StatusCode, response::Response};
use makima_model::{SnapshotId, TaskId};
use makima_store as store;
use makima_wire::{CreateSnapshot, List, Operation, RestoreSnapshot, Snapshot, SnapshotList, SnapshotState};
use serde_json::{Map, Value};

/// The snapshots of a task's conversation, newest first.
#[utoipa::path(get, path = "/api/v1/mesh/tasks/{id}/snapshots", tag = "snapshots",
    params(("id" = TaskId, Path), List), responses((status = 200, body = SnapshotList), ApiError))]
pub(crate) async fn list_snapshots(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<TaskId>,
    Query(list): Query<List>,
) -> Result<Json<SnapshotList>, ApiError> {
    let page = app.snapshots(caller, id, &list).await?;
    let snapshots = page.rows.into_iter().map(shown).collect();
    Ok(Json(SnapshotList { snapshots, total_count: page.total, cursor: page.cursor }))
}

/// Takes a snapshot of a task's conversation: keeps where it stands now.
///
/// Nothing is copied, and no daemon is needed. The worktree is not part of it: that is what checkpoints are for.
#[utoipa::path(post, path = "/api/v1/mesh/tasks/{id}/snapshots", tag = "snapshots",
    params(("id" = TaskId, Path)), request_body = CreateSnapshot,
    responses((status = 201, body = Snapshot), ApiError))]
pub(crate) async fn create_snapshot(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<TaskId>,
    Body(wanted): Body<CreateSnapshot>,
) -> Result<(StatusCode, Json<Snapshot>), ApiError> {
    let snapshot = app.take_snapshot(caller, id, wanted.metadata).await?;
    Ok((StatusCode::CREATED, Json(shown(snapshot))))
}

/// A snapshot, with the conversation as it was, oldest message first. It is streamed.
#[utoipa::path(get, path = "/api/v1/mesh/tasks/{id}/snapshots/{sid}", tag = "snapshots",
    params(("id" = TaskId, Path), ("sid" = SnapshotId, Path)),
    responses((status = 200, body = SnapshotState), ApiError))]
pub(crate) async fn get_snapshot(
    caller: Caller,
    State(app): State<App>,
    Path((id, snapshot)): Path<(TaskId, SnapshotId)>,
) -> Result<Response, ApiError> {
    let SnapshotView { snapshot, messages } = app.snapshot(caller, id, snapshot).await?;
    with_messages(&SnapshotState { snapshot: shown(snapshot), conversation_state: Vec::new() }, messages)
        .await
}

/// Restores a snapshot: the conversation goes on from where it stood then.
///
/// Nothing is deleted: what was said since stays readable on its branch, and undoing the operation goes back there. The worktree stays
/// as it is. With an agent at work 409 `ALREADY_RUNNING`, unless `stop`: then it is stopped first.
#[utoipa::path(post, path = "/api/v1/mesh/tasks/{id}/snapshots/{sid}/restore", tag = "snapshots",
    params(("id" = TaskId, Path), ("sid" = SnapshotId, Path)), request_body = RestoreSnapshot,
    responses((status = 200, body = Operation),
        (status = 202, body = Operation, description = "It goes on: look at the operation"), ApiError))]
pub(crate) async fn restore_snapshot(
    caller: Caller,
    State(app): State<App>,
    Path((id, snapshot)): Path<(TaskId, SnapshotId)>,
    Body(how): Body<RestoreSnapshot>,
) -> Result<Answer, ApiError> {
    Ok(answered(app.restore_snapshot(caller, id, snapshot, how.stop).await?))
}

pub(crate) fn shown(snapshot: store::Snapshot) -> Snapshot {
    let metadata = match snapshot.metadata {
        Some(Value::Object(metadata)) => metadata,
        _ => Map::new(),
    };
    Snapshot {
        id: snapshot.id,
        task_id: snapshot.task,
        checkpoint_id: snapshot.checkpoint,
        snapshot_type: snapshot.kind,
        message_count: snapshot.position.seq,
        metadata,
        created_at: snapshot.created_at,
    }
}
