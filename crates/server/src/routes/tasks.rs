//! Tasks.

pub(crate) mod answer;
pub(crate) mod cancel;
pub(crate) mod checkpoints;
pub(crate) mod conversation;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod events;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod messages;
pub(crate) mod output;
pub(crate) mod reassign;
pub(crate) mod snapshots;
pub(crate) mod stop;

use crate::app::TaskView;
use makima_wire as wire;

pub(crate) fn shown(view: TaskView) -> wire::Task {
    let TaskView { task, question, snapshot } = view;
    wire::Task {
        id: task.id,
        contract_id: task.contract,
        parent_task_id: task.parent,
        name: task.name,
        plan: task.plan,
        role: task.role,
        status: task.status,
        status_reason: task.status_reason,
        agent: task.agent,
        permission_mode: task.permission_mode,
        daemon_id: task.daemon,
        repository: task.repository,
        continue_from_task_id: task.continue_from,
        base_branch: task.base_branch,
        base_commit: task.base_commit,
        branch_name: task.branch_name,
        worktree_path: task.worktree_path,
        run_number: task.run_number,
        message_count: task.message_count,
        total_tokens: task.total_tokens,
        total_cost: task.total_cost,
        checkpoint_count: task.checkpoint_count,
        last_checkpoint_sha: task.last_checkpoint_sha,
        checkpoint_message: task.checkpoint_message,
        conversation_state: wire::ConversationState {
            branch_id: task.conversation,
            message_count: task.message_count,
            snapshot_id: snapshot,
        },
        pending_question: question,
        created_at: task.created_at,
        updated_at: task.updated_at,
        started_at: task.started_at,
        completed_at: task.completed_at,
    }
}
