-- The same tables and columns as migrations/sqlite/0001_main_job.sql, which says what they are for; a test compares the two.
-- Large content is compressed by us: STORAGE EXTERNAL keeps the server from trying again.

CREATE TABLE users (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE api_keys (
    id UUID PRIMARY KEY,
    principal_id UUID NOT NULL REFERENCES users (id),
    owner_id UUID NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    hash BYTEA NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ
);
CREATE INDEX api_keys_owner ON api_keys (owner_id, created_at, id);

CREATE TABLE owner_sequences (
    owner_id UUID PRIMARY KEY REFERENCES users (id),
    seq BIGINT NOT NULL
);

CREATE TABLE counters (
    owner_id UUID NOT NULL REFERENCES users (id),
    scope_id UUID NOT NULL,
    noun TEXT NOT NULL,
    kind TEXT NOT NULL,
    phase TEXT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (owner_id, scope_id, noun, kind, phase)
);

CREATE TABLE daemons (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    hostname TEXT NOT NULL,
    status TEXT NOT NULL,
    max_concurrent_tasks BIGINT NOT NULL,
    agents JSONB NOT NULL,
    last_heartbeat_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX daemons_owner ON daemons (owner_id, name, id);
CREATE INDEX daemons_online ON daemons (last_heartbeat_at) WHERE status = 'online';

CREATE TABLE contracts (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    repository TEXT NOT NULL,
    base_branch TEXT,
    agent TEXT,
    phase TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX contracts_owner ON contracts (owner_id, created_at, id);
CREATE INDEX contracts_status ON contracts (owner_id, status, created_at, id);

CREATE TABLE tasks (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL REFERENCES users (id),
    contract_id UUID REFERENCES contracts (id),
    parent_task_id UUID REFERENCES tasks (id),
    name TEXT NOT NULL,
    plan TEXT NOT NULL,
    role TEXT NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT,
    agent TEXT,
    permission_mode TEXT,
    target_daemon_id UUID REFERENCES daemons (id),
    daemon_id UUID REFERENCES daemons (id),
    repository TEXT NOT NULL,
    base_branch TEXT,
    base_commit TEXT,
    branch_name TEXT NOT NULL,
    worktree_path TEXT,
    include_uncommitted BOOLEAN NOT NULL,
    commit_on_finish BOOLEAN NOT NULL,
    wanted BOOLEAN NOT NULL,
    out_of_reach JSONB NOT NULL,
    run_number BIGINT NOT NULL,
    conversation_branch_id UUID NOT NULL,
    total_tokens BIGINT NOT NULL,
    total_cost DOUBLE PRECISION NOT NULL,
    checkpoint_count BIGINT NOT NULL,
    last_checkpoint_sha TEXT,
    checkpoint_message TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    started_at TIMESTAMPTZ,
    completed_at TIMESTAMPTZ
);
CREATE INDEX tasks_owner ON tasks (owner_id, created_at, id);
CREATE INDEX tasks_contract ON tasks (contract_id, created_at, id) WHERE contract_id IS NOT NULL;
CREATE INDEX tasks_pending ON tasks (owner_id, created_at, id) WHERE status = 'pending';

CREATE TABLE conversation_branches (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL REFERENCES users (id),
    task_id UUID NOT NULL REFERENCES tasks (id),
    base_branch_id UUID REFERENCES conversation_branches (id),
    base_seq BIGINT NOT NULL,
    head_seq BIGINT NOT NULL,
    reason TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX conversation_branches_task ON conversation_branches (task_id, created_at, id);

ALTER TABLE tasks ADD FOREIGN KEY (conversation_branch_id) REFERENCES conversation_branches (id)
    DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE conversation_messages (
    owner_id UUID NOT NULL,
    branch_id UUID NOT NULL REFERENCES conversation_branches (id),
    seq BIGINT NOT NULL,
    id UUID NOT NULL,
    task_id UUID NOT NULL,
    run_number BIGINT NOT NULL,
    feed_seq BIGINT NOT NULL,
    role TEXT NOT NULL,
    token_count BIGINT,
    cost_usd DOUBLE PRECISION,
    created_at TIMESTAMPTZ NOT NULL,
    codec BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (branch_id, seq)
);
CREATE INDEX conversation_messages_id ON conversation_messages (id);
CREATE INDEX conversation_messages_feed ON conversation_messages (owner_id, feed_seq);
CREATE INDEX conversation_messages_task ON conversation_messages (task_id, feed_seq);
ALTER TABLE conversation_messages ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE native_entries (
    owner_id UUID NOT NULL,
    branch_id UUID NOT NULL REFERENCES conversation_branches (id),
    seq BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    file TEXT NOT NULL,
    codec BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (branch_id, seq, ordinal)
);
ALTER TABLE native_entries ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE runs (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL REFERENCES users (id),
    task_id UUID NOT NULL REFERENCES tasks (id),
    number BIGINT NOT NULL,
    daemon_id UUID NOT NULL REFERENCES daemons (id),
    agent TEXT NOT NULL,
    branch_id UUID NOT NULL REFERENCES conversation_branches (id),
    last_entry BIGINT NOT NULL,
    turn_seq BIGINT NOT NULL,
    session_id TEXT,
    started_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    outcome TEXT,
    reason TEXT,
    UNIQUE (task_id, number)
);
CREATE UNIQUE INDEX runs_live_of_task ON runs (task_id) WHERE ended_at IS NULL;
CREATE INDEX runs_live_of_daemon ON runs (daemon_id, started_at, id) WHERE ended_at IS NULL;

CREATE TABLE daemon_commands (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL REFERENCES users (id),
    daemon_id UUID NOT NULL REFERENCES daemons (id),
    run_id UUID REFERENCES runs (id),
    state TEXT NOT NULL,
    codec BIGINT NOT NULL,
    body BYTEA NOT NULL,
    result_codec BIGINT,
    result BYTEA,
    error TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX daemon_commands_open ON daemon_commands (daemon_id, state, created_at, id)
    WHERE state IN ('queued', 'sent', 'acknowledged');
CREATE INDEX daemon_commands_run ON daemon_commands (run_id, created_at, id) WHERE run_id IS NOT NULL;
ALTER TABLE daemon_commands ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE conversation_snapshots (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL REFERENCES users (id),
    task_id UUID NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    checkpoint_id UUID,
    snapshot_type TEXT NOT NULL,
    branch_id UUID NOT NULL REFERENCES conversation_branches (id),
    message_count BIGINT NOT NULL,
    metadata JSONB,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX conversation_snapshots_task ON conversation_snapshots (task_id, created_at, id);
CREATE INDEX conversation_snapshots_checkpoint ON conversation_snapshots (checkpoint_id);

CREATE TABLE task_checkpoints (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL REFERENCES users (id),
    task_id UUID NOT NULL REFERENCES tasks (id),
    run_id UUID REFERENCES runs (id),
    checkpoint_number BIGINT NOT NULL,
    kind TEXT NOT NULL,
    turn BIGINT,
    commit_sha TEXT NOT NULL,
    branch_name TEXT NOT NULL,
    message TEXT NOT NULL,
    previous_checkpoint_id UUID,
    files_changed JSONB NOT NULL,
    lines_added BIGINT NOT NULL,
    lines_removed BIGINT NOT NULL,
    not_held JSONB NOT NULL,
    patch_hash TEXT,
    patch_bytes BIGINT,
    branch_id UUID NOT NULL REFERENCES conversation_branches (id),
    message_count BIGINT NOT NULL,
    conversation_snapshot_id UUID REFERENCES conversation_snapshots (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    created_at TIMESTAMPTZ NOT NULL,
    UNIQUE (task_id, checkpoint_number)
);
CREATE INDEX task_checkpoints_task ON task_checkpoints (task_id, created_at, id);

ALTER TABLE conversation_snapshots ADD FOREIGN KEY (checkpoint_id) REFERENCES task_checkpoints (id)
    ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE task_questions (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL REFERENCES users (id),
    task_id UUID NOT NULL REFERENCES tasks (id),
    run_id UUID NOT NULL REFERENCES runs (id),
    codec BIGINT NOT NULL,
    body BYTEA NOT NULL,
    asked_at TIMESTAMPTZ NOT NULL,
    answer_codec BIGINT,
    answer BYTEA,
    answered_by UUID REFERENCES users (id),
    answered_at TIMESTAMPTZ,
    withdrawn_at TIMESTAMPTZ
);
CREATE INDEX task_questions_pending ON task_questions (task_id, asked_at, id)
    WHERE answered_at IS NULL AND withdrawn_at IS NULL;

CREATE TABLE task_inbox (
    message_id UUID PRIMARY KEY,
    owner_id UUID NOT NULL REFERENCES users (id),
    task_id UUID NOT NULL REFERENCES tasks (id),
    principal_id UUID NOT NULL REFERENCES users (id),
    codec BIGINT NOT NULL,
    body BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    delivered_run_id UUID REFERENCES runs (id)
);
CREATE INDEX task_inbox_undelivered ON task_inbox (task_id, created_at, message_id) WHERE delivered_run_id IS NULL;

CREATE TABLE history_events (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    seq BIGINT NOT NULL,
    contract_id UUID REFERENCES contracts (id) ON DELETE CASCADE,
    task_id UUID REFERENCES tasks (id) ON DELETE CASCADE,
    event_type TEXT NOT NULL,
    event_subtype TEXT NOT NULL,
    phase TEXT,
    event_data JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX history_events_feed ON history_events (owner_id, seq);
CREATE INDEX history_events_task ON history_events (task_id, seq) WHERE task_id IS NOT NULL;
CREATE INDEX history_events_contract ON history_events (contract_id, seq) WHERE contract_id IS NOT NULL;

CREATE TABLE task_events (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL,
    task_id UUID NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    seq BIGINT NOT NULL,
    run_number BIGINT NOT NULL,
    event_type TEXT NOT NULL,
    previous_status TEXT,
    new_status TEXT,
    event_data JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX task_events_feed ON task_events (owner_id, seq);
CREATE INDEX task_events_task ON task_events (task_id, seq);
CREATE INDEX task_events_kind ON task_events (task_id, event_type, seq);

CREATE TABLE blobs (
    owner_id UUID NOT NULL REFERENCES users (id),
    hash TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (owner_id, hash)
);
