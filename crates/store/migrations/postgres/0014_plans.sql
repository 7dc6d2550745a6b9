-- Whatever refers to what goes when a task is erased is found by an index: without one, each row that goes costs a look through
-- all of another table.
CREATE INDEX tasks_continued ON tasks (continue_from_task_id) WHERE continue_from_task_id IS NOT NULL;
CREATE INDEX tasks_branch ON tasks (conversation_branch_id) WHERE conversation_branch_id IS NOT NULL;
CREATE INDEX conversation_branches_base ON conversation_branches (base_branch_id) WHERE base_branch_id IS NOT NULL;
CREATE INDEX conversation_snapshots_branch ON conversation_snapshots (branch_id);
CREATE INDEX task_checkpoints_run ON task_checkpoints (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX task_checkpoints_snapshot ON task_checkpoints (conversation_snapshot_id)
    WHERE conversation_snapshot_id IS NOT NULL;
CREATE INDEX runs_branch ON runs (branch_id);
CREATE INDEX task_questions_task ON task_questions (task_id);
CREATE INDEX task_questions_run ON task_questions (run_id);
CREATE INDEX task_inbox_task ON task_inbox (task_id);
CREATE INDEX task_inbox_run ON task_inbox (delivered_run_id) WHERE delivered_run_id IS NOT NULL;
CREATE INDEX imports_branch ON imports (branch_id);
CREATE INDEX mesh_chat_messages_task ON mesh_chat_messages (context_task_id) WHERE context_task_id IS NOT NULL;
CREATE INDEX contract_chat_messages_task ON contract_chat_messages (context_task_id) WHERE context_task_id IS NOT NULL;
CREATE INDEX blobs_hash ON blobs (hash);

-- Asked for each owner, before anything changes: not to be looked for among all that was ever done.
DROP INDEX operations_open;
CREATE INDEX operations_open ON operations (owner_id, created_at, id) WHERE state = 'prepared';
