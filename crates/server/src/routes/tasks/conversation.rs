use crate::{
    App,
    app::ConversationView,
    caller::Caller,
    error::ApiError,
    extract::{Path, Query},
    routes::streamed::with_messages,
};
use axum::{Json, extract::State, response::Response};
use makima_model::{self as model, TaskId};
use makima_wire::{Branch, BranchList, Conversation, List, Moment, ReadConversation};

/// The conversation of a task, oldest message first: all of it, the last messages, or those around one.
///
/// As it is now, or as it was at any point, also where that was rewound away. Without a limit it is streamed: however long it is, it is
/// never held. `cursor` goes on with what is older, of the same conversation whatever was said or rewound since.
#[utoipa::path(get, path = "/api/v1/mesh/tasks/{id}/conversation", tag = "conversations",
    params(("id" = TaskId, Path), ReadConversation), responses((status = 200, body = Conversation), ApiError))]
pub(crate) async fn get_conversation(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<TaskId>,
    Query(wanted): Query<ReadConversation>,
) -> Result<Response, ApiError> {
    let ConversationView { task, moment, cursor, messages } = app.conversation(caller, id, &wanted).await?;
    let moment = moment.map(|moment| Moment {
        branch_id: moment.position.branch,
        message_count: moment.position.seq,
        checkpoint_id: moment.checkpoint.map(|checkpoint| checkpoint.made.id),
        commit_sha: moment.commit,
        timestamp: moment.at,
    });
    let head = Conversation {
        task_id: task.id,
        task_name: task.name,
        status: task.status,
        total_tokens: task.total_tokens,
        total_cost: task.total_cost,
        moment,
        cursor,
        messages: Vec::new(),
    };
    with_messages(&head, messages).await
}

/// The branches of a task's conversation, newest first: the one that goes on, and those that were left.
///
/// What one of them has is read with `at`: a point of it, such as `message:<id>` of its last message.
#[utoipa::path(get, path = "/api/v1/mesh/tasks/{id}/conversation/branches", tag = "conversations",
    params(("id" = TaskId, Path), List), responses((status = 200, body = BranchList), ApiError))]
pub(crate) async fn list_branches(
    caller: Caller,
    State(app): State<App>,
    Path(id): Path<TaskId>,
    Query(list): Query<List>,
) -> Result<Json<BranchList>, ApiError> {
    let (task, page) = app.branches(caller, id, &list).await?;
    let branches = page.rows.into_iter().map(|branch| {
        let is_current = branch.id == task.conversation;
        shown(branch, is_current)
    });
    Ok(Json(BranchList { branches: branches.collect(), total_count: page.total, cursor: page.cursor }))
}

pub(crate) fn shown(branch: model::Branch, current: bool) -> Branch {
    Branch {
        id: branch.id,
        base_branch_id: branch.base.map(|base| base.branch),
        base_seq: branch.base_seq(),
        head_seq: branch.head_seq,
        reason: branch.reason,
        current,
        created_at: branch.created_at,
    }
}
