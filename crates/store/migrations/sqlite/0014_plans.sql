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

-- What SQLite is to think of each index: how many rows it has, then how many of them have the same first column, the same first
-- two, and so on (https://www.sqlite.org/fileformat2.html#the_sqlite_stat1_table). Without this it takes all that an owner has for
-- no more than what one task has, and goes through all of it. Not counted but imagined: ten owners with a thousand tasks each, so
-- that a statement is done alike in every database.
ANALYZE sqlite_schema;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('users', 'sqlite_autoindex_users_1', '10 1'),
    ('api_keys', 'sqlite_autoindex_api_keys_1', '1000 1'),
    ('api_keys', 'sqlite_autoindex_api_keys_2', '1000 1'),
    ('api_keys', 'api_keys_owner', '1000 100 1 1'),
    ('api_keys', 'api_keys_expire', '1000 1'),
    ('api_keys', 'api_keys_run', '1000 1'),
    ('owner_sequences', 'sqlite_autoindex_owner_sequences_1', '10 1'),
    ('counters', 'sqlite_autoindex_counters_1', '100000 10000 1 1 1 1'),
    ('daemons', 'sqlite_autoindex_daemons_1', '100 1'),
    ('daemons', 'daemons_owner', '100 10 2 1'),
    ('daemons', 'daemons_online', '10 1'),
    ('contracts', 'sqlite_autoindex_contracts_1', '1000 1'),
    ('contracts', 'contracts_owner', '1000 100 1 1'),
    ('contracts', 'contracts_status', '1000 100 20 1 1'),
    ('contracts', 'contracts_trash', '100 10 1'),
    ('tasks', 'sqlite_autoindex_tasks_1', '10000 1'),
    ('tasks', 'tasks_owner', '10000 1000 1 1'),
    ('tasks', 'tasks_contract', '10000 10 1 1'),
    ('tasks', 'tasks_pending', '100 10 1 1'),
    ('tasks', 'tasks_deleted', '100 1'),
    ('tasks', 'tasks_trash', '100 10 1'),
    ('tasks', 'tasks_parent', '5000 1'),
    ('tasks', 'tasks_continued', '10000 1'),
    ('tasks', 'tasks_branch', '10000 1'),
    ('conversation_branches', 'sqlite_autoindex_conversation_branches_1', '20000 1'),
    ('conversation_branches', 'conversation_branches_task', '20000 2 1 1'),
    ('conversation_branches', 'conversation_branches_base', '20000 1'),
    ('conversation_messages', 'sqlite_autoindex_conversation_messages_1', '10000000 500 1'),
    ('conversation_messages', 'conversation_messages_id', '10000000 1'),
    ('conversation_messages', 'conversation_messages_feed', '10000000 1000000 1'),
    ('conversation_messages', 'conversation_messages_task', '10000000 1000 1'),
    ('native_entries', 'sqlite_autoindex_native_entries_1', '10000000 500 1 1'),
    ('runs', 'sqlite_autoindex_runs_1', '20000 1'),
    ('runs', 'sqlite_autoindex_runs_2', '20000 2 1'),
    ('runs', 'runs_live_of_task', '100 1'),
    ('runs', 'runs_live_of_daemon', '100 1 1 1'),
    ('runs', 'runs_session', '20000 2000 1'),
    ('runs', 'runs_branch', '20000 1'),
    ('daemon_commands', 'sqlite_autoindex_daemon_commands_1', '100000 1'),
    ('daemon_commands', 'daemon_commands_open', '1000 10 2 1 1'),
    ('daemon_commands', 'daemon_commands_run', '100000 5 1 1'),
    ('daemon_commands', 'daemon_commands_operation', '100000 1'),
    ('conversation_snapshots', 'sqlite_autoindex_conversation_snapshots_1', '100000 1'),
    ('conversation_snapshots', 'conversation_snapshots_task', '100000 10 1 1'),
    ('conversation_snapshots', 'conversation_snapshots_checkpoint', '100000 1'),
    ('conversation_snapshots', 'conversation_snapshots_branch', '100000 5'),
    ('task_checkpoints', 'sqlite_autoindex_task_checkpoints_1', '100000 1'),
    ('task_checkpoints', 'sqlite_autoindex_task_checkpoints_2', '100000 10 1'),
    ('task_checkpoints', 'task_checkpoints_task', '100000 10 1 1'),
    ('task_checkpoints', 'task_checkpoints_patch', '100000 1'),
    ('task_checkpoints', 'task_checkpoints_position', '100000 5 1'),
    ('task_checkpoints', 'task_checkpoints_commit', '100000 10000 1'),
    ('task_checkpoints', 'task_checkpoints_run', '100000 5'),
    ('task_checkpoints', 'task_checkpoints_snapshot', '100000 1'),
    ('task_questions', 'sqlite_autoindex_task_questions_1', '10000 1'),
    ('task_questions', 'task_questions_pending', '100 1 1 1'),
    ('task_questions', 'task_questions_task', '10000 1'),
    ('task_questions', 'task_questions_run', '10000 1'),
    ('task_inbox', 'sqlite_autoindex_task_inbox_1', '10000 1'),
    ('task_inbox', 'task_inbox_undelivered', '100 1 1 1'),
    ('task_inbox', 'task_inbox_task', '10000 1'),
    ('task_inbox', 'task_inbox_run', '10000 1'),
    ('history_events', 'sqlite_autoindex_history_events_1', '1000000 1'),
    ('history_events', 'history_events_feed', '1000000 100000 1'),
    ('history_events', 'history_events_task', '1000000 100 1'),
    ('history_events', 'history_events_contract', '1000000 1000 1'),
    ('history_events', 'history_events_of_owner', '1000000 100000 1 1'),
    ('history_events', 'history_events_of_owner_by_kind', '1000000 100000 20000 1 1'),
    ('history_events', 'history_events_of_contract', '1000000 1000 1 1'),
    ('history_events', 'history_events_of_contract_by_kind', '1000000 1000 200 1 1'),
    ('history_events', 'history_events_of_task', '1000000 100 1 1'),
    ('history_events', 'history_events_of_trash', '1000 100 1 1'),
    ('task_events', 'sqlite_autoindex_task_events_1', '1000000 1'),
    ('task_events', 'task_events_feed', '1000000 100000 1'),
    ('task_events', 'task_events_task', '1000000 100 1'),
    ('task_events', 'task_events_kind', '1000000 100 20 1'),
    ('blobs', 'sqlite_autoindex_blobs_1', '100000 10000 1'),
    ('blobs', 'blobs_hash', '100000 1'),
    ('mesh_chat_conversations', 'sqlite_autoindex_mesh_chat_conversations_1', '100 1'),
    ('mesh_chat_conversations', 'mesh_chat_conversations_list', '100 10 1 1'),
    ('mesh_chat_conversations', 'mesh_chat_conversations_active', '100 1'),
    ('mesh_chat_messages', 'sqlite_autoindex_mesh_chat_messages_1', '10000 1'),
    ('mesh_chat_messages', 'mesh_chat_messages_list', '10000 1 1 1'),
    ('mesh_chat_messages', 'mesh_chat_messages_task', '10000 1'),
    ('contract_chat_conversations', 'sqlite_autoindex_contract_chat_conversations_1', '1000 1'),
    ('contract_chat_conversations', 'contract_chat_conversations_list', '1000 1 1 1'),
    ('contract_chat_conversations', 'contract_chat_conversations_active', '1000 1'),
    ('contract_chat_messages', 'sqlite_autoindex_contract_chat_messages_1', '100000 1'),
    ('contract_chat_messages', 'contract_chat_messages_list', '100000 5 1 1'),
    ('contract_chat_messages', 'contract_chat_messages_task', '100000 10'),
    ('operations', 'sqlite_autoindex_operations_1', '10000 1'),
    ('operations', 'operations_list', '10000 1000 1 1'),
    ('operations', 'operations_task', '10000 1 1 1'),
    ('operations', 'operations_contract', '10000 10 1 1'),
    ('operations', 'operations_open_of_task', '10 1'),
    ('operations', 'operations_open_of_contract', '10 1'),
    ('operations', 'operations_open', '10 1 1 1'),
    ('erased_blobs', 'sqlite_autoindex_erased_blobs_1', '100 1'),
    ('idempotency_keys', 'sqlite_autoindex_idempotency_keys_1', '10000 1000 200 1'),
    ('idempotency_keys', 'idempotency_keys_attempt', '10000 1'),
    ('idempotency_keys', 'idempotency_keys_age', '10000 1'),
    ('search_owners', 'sqlite_autoindex_search_owners_1', '10 1'),
    ('imports', 'sqlite_autoindex_imports_1', '10000 1'),
    ('imports', 'sqlite_autoindex_imports_2', '10000 1000 200 1 1'),
    ('imports', 'imports_list', '10000 1000 1 1'),
    ('imports', 'imports_task', '10000 1'),
    ('imports', 'imports_branch', '10000 1'),
    ('import_ends', 'sqlite_autoindex_import_ends_1', '100000 5 1');

-- Reads them anew.
ANALYZE sqlite_schema;
