//! References: each leads to something that is there and is of the same owner. The databases see to most of them, but not
//! behind a change by hand, and not to owners.

use super::rule::{REPORT, rules};

/// Rows of a table whose column names none of another, or one of another owner.
macro_rules! reference {
    ($table:literal, $id:literal, $column:literal, $target:literal) => {
        concat!(
            "SELECT entry.",
            $id,
            " AS id, entry.",
            $column,
            " AS other FROM ",
            $table,
            " AS entry LEFT JOIN ",
            $target,
            " AS target ON target.id = entry.",
            $column,
            " WHERE entry.",
            $column,
            " IS NOT NULL AND (target.id IS NULL OR target.owner_id <> entry.owner_id)"
        )
    };
}

/// Rows of a table whose column names no user.
macro_rules! user {
    ($table:literal, $id:literal, $column:literal) => {
        concat!(
            "SELECT entry.",
            $id,
            " AS id, entry.",
            $column,
            " AS other FROM ",
            $table,
            " AS entry LEFT JOIN users AS target ON target.id = entry.",
            $column,
            " WHERE entry.",
            $column,
            " IS NOT NULL AND target.id IS NULL"
        )
    };
}

rules! {
    owner_sequence: "user", "it has no number for what happens next", REPORT,
        "SELECT users.id FROM users LEFT JOIN owner_sequences ON owner_sequences.owner_id = users.id \
        WHERE owner_sequences.owner_id IS NULL";
    key_owner: "key", "it opens what {other} has, who isn't there", REPORT, user!("api_keys", "id", "owner_id");
    key_principal: "key", "{other} acts with it, who isn't there", REPORT, user!("api_keys", "id", "principal_id");
    daemon_owner: "daemon", "its owner {other} isn't there", REPORT, user!("daemons", "id", "owner_id");
    contract_owner: "contract", "its owner {other} isn't there", REPORT, user!("contracts", "id", "owner_id");
    task_owner: "task", "its owner {other} isn't there", REPORT, user!("tasks", "id", "owner_id");
    blob_owner: "blob", "its owner {other} isn't there", REPORT, user!("blobs", "owner_id", "owner_id");
    history_owner: "event", "its owner {other} isn't there", REPORT, user!("history_events", "id", "owner_id");
    chat_owner: "conversation", "its owner {other} isn't there", REPORT, user!("mesh_chat_conversations", "id", "owner_id");
    import_task: "import", "the task {other} that it became isn't there, or is another owner's", REPORT,
        reference!("imports", "id", "task_id", "tasks");
    task_contract: "task", "its contract {other} isn't there, or is another owner's", REPORT,
        reference!("tasks", "id", "contract_id", "contracts");
    task_parent: "task", "the task {other} that spawned it isn't there, or is another owner's", REPORT,
        reference!("tasks", "id", "parent_task_id", "tasks");
    task_continued: "task", "the task {other} that it goes on from isn't there, or is another owner's", REPORT,
        reference!("tasks", "id", "continue_from_task_id", "tasks");
    task_daemon: "task", "its daemon {other} isn't there, or is another owner's", REPORT,
        reference!("tasks", "id", "daemon_id", "daemons");
    task_target: "task", "the daemon {other} that it is for isn't there, or is another owner's", REPORT,
        reference!("tasks", "id", "target_daemon_id", "daemons");
    task_conversation: "task", "the branch {other} of its conversation isn't there, or is another owner's", REPORT,
        reference!("tasks", "id", "conversation_branch_id", "conversation_branches");
    branch_task: "branch", "its task {other} isn't there, or is another owner's", REPORT,
        reference!("conversation_branches", "id", "task_id", "tasks");
    branch_base: "branch", "the branch {other} that it goes on from isn't there, or is another owner's", REPORT,
        reference!("conversation_branches", "id", "base_branch_id", "conversation_branches");
    message_branch: "message", "its branch {other} isn't there, or is another owner's", REPORT,
        reference!("conversation_messages", "id", "branch_id", "conversation_branches");
    record_branch: "branch", "an agent's record is of it, and it isn't there, or is another owner's", REPORT,
        reference!("native_entries", "branch_id", "branch_id", "conversation_branches");
    run_task: "run", "its task {other} isn't there, or is another owner's", REPORT,
        reference!("runs", "id", "task_id", "tasks");
    run_daemon: "run", "its daemon {other} isn't there, or is another owner's", REPORT,
        reference!("runs", "id", "daemon_id", "daemons");
    run_branch: "run", "the branch {other} that it speaks on isn't there, or is another owner's", REPORT,
        reference!("runs", "id", "branch_id", "conversation_branches");
    command_daemon: "command", "its daemon {other} isn't there, or is another owner's", REPORT,
        reference!("daemon_commands", "id", "daemon_id", "daemons");
    command_run: "command", "the run {other} that it is about isn't there, or is another owner's", REPORT,
        reference!("daemon_commands", "id", "run_id", "runs");
    snapshot_task: "snapshot", "its task {other} isn't there, or is another owner's", REPORT,
        reference!("conversation_snapshots", "id", "task_id", "tasks");
    snapshot_branch: "snapshot", "its branch {other} isn't there, or is another owner's", REPORT,
        reference!("conversation_snapshots", "id", "branch_id", "conversation_branches");
    snapshot_checkpoint: "snapshot", "its checkpoint {other} isn't there, or is another owner's", REPORT,
        reference!("conversation_snapshots", "id", "checkpoint_id", "task_checkpoints");
    checkpoint_task: "checkpoint", "its task {other} isn't there, or is another owner's", REPORT,
        reference!("task_checkpoints", "id", "task_id", "tasks");
    checkpoint_run: "checkpoint", "the run {other} that it was made in isn't there, or is another owner's", REPORT,
        reference!("task_checkpoints", "id", "run_id", "runs");
    checkpoint_branch: "checkpoint", "its branch {other} isn't there, or is another owner's", REPORT,
        reference!("task_checkpoints", "id", "branch_id", "conversation_branches");
    checkpoint_snapshot: "checkpoint", "its snapshot {other} isn't there, or is another owner's", REPORT,
        reference!("task_checkpoints", "id", "conversation_snapshot_id", "conversation_snapshots");
    question_task: "question", "its task {other} isn't there, or is another owner's", REPORT,
        reference!("task_questions", "id", "task_id", "tasks");
    question_run: "question", "the run {other} that asks isn't there, or is another owner's", REPORT,
        reference!("task_questions", "id", "run_id", "runs");
    question_person: "question", "{other} answered it, who isn't there", REPORT, user!("task_questions", "id", "answered_by");
    inbox_task: "message", "its task {other} isn't there, or is another owner's", REPORT,
        reference!("task_inbox", "message_id", "task_id", "tasks");
    inbox_run: "message", "the run {other} that was given it isn't there, or is another owner's", REPORT,
        reference!("task_inbox", "message_id", "delivered_run_id", "runs");
    inbox_person: "message", "{other} said it, who isn't there", REPORT, user!("task_inbox", "message_id", "principal_id");
    history_contract: "event", "its contract {other} isn't there, or is another owner's", REPORT,
        reference!("history_events", "id", "contract_id", "contracts");
    history_task: "event", "its task {other} isn't there, or is another owner's", REPORT,
        reference!("history_events", "id", "task_id", "tasks");
    event_task: "event", "its task {other} isn't there, or is another owner's", REPORT,
        reference!("task_events", "id", "task_id", "tasks");
    key_run: "key", "the run {other} whose agent has it isn't there, or is another owner's", REPORT,
        reference!("api_keys", "id", "run_id", "runs");
    chat_contract: "conversation", "its contract {other} isn't there, or is another owner's", REPORT,
        reference!("contract_chat_conversations", "id", "contract_id", "contracts");
    chat_message: "message", "the chat's conversation {other} isn't there, or is another owner's", REPORT,
        reference!("mesh_chat_messages", "id", "conversation_id", "mesh_chat_conversations");
    chat_message_task: "message", "the task {other} that it is about isn't there, or is another owner's", REPORT,
        reference!("mesh_chat_messages", "id", "context_task_id", "tasks");
    contract_chat_message: "message", "the chat's conversation {other} isn't there, or is another owner's", REPORT,
        reference!("contract_chat_messages", "id", "conversation_id", "contract_chat_conversations");
    contract_chat_message_task: "message", "the task {other} that it is about isn't there, or is another owner's", REPORT,
        reference!("contract_chat_messages", "id", "context_task_id", "tasks");
    operation_owner: "operation", "its owner {other} isn't there", REPORT, user!("operations", "id", "owner_id");
    operation_person: "operation", "{other} asked for it, who isn't there", REPORT, user!("operations", "id", "principal_id");
    operation_undoes_none: "operation", "the operation {other} that it undoes isn't there, or is another owner's", REPORT,
        reference!("operations", "id", "undoes", "operations");
    operation_undone_by_none: "operation", "the operation {other} that undid it isn't there, or is another owner's", REPORT,
        reference!("operations", "id", "undone_by", "operations");
    task_deleted_by: "task", "the operation {other} that put it into the trash isn't there, or is another owner's", REPORT,
        reference!("tasks", "id", "deleted_by", "operations");
    contract_deleted_by: "contract", "the operation {other} that put it into the trash isn't there, or is another owner's", REPORT,
        reference!("contracts", "id", "deleted_by", "operations");
    checkpoint_put_away_by: "checkpoint", "the operation {other} that put it away isn't there, or is another owner's", REPORT,
        reference!("task_checkpoints", "id", "put_away_by", "operations");
    snapshot_put_away_by: "snapshot", "the operation {other} that put it away isn't there, or is another owner's", REPORT,
        reference!("conversation_snapshots", "id", "put_away_by", "operations");
    command_operation: "command", "the operation {other} whose effect it is isn't there, or is another owner's", REPORT,
        reference!("daemon_commands", "id", "operation_id", "operations");
    request_owner: "request", "its owner {other} isn't there", REPORT, user!("idempotency_keys", "attempt_id", "owner_id");
}
