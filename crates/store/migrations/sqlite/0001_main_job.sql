-- The tables of the main job. Columns that the specification names are called as there (§1.1, §5.3); what it keeps as a copy of
-- a conversation is a position here: a branch and how many messages of it.
--
-- STRICT types, and what stands behind them: ids are 16 bytes in a BLOB, times are RFC 3339 with six fractional digits in a
-- TEXT, so that they sort, truth values are 0 or 1. Words of the model's enums are TEXT. Content is a BLOB with the number of
-- the codec that reads it beside it.

-- Owners and principals: persons, and teams.
CREATE TABLE users (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

-- Only the BLAKE3 hash of a key is kept.
CREATE TABLE api_keys (
    id BLOB PRIMARY KEY,
    principal_id BLOB NOT NULL REFERENCES users (id),
    owner_id BLOB NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    revoked_at TEXT
) STRICT;
CREATE INDEX api_keys_owner ON api_keys (owner_id, created_at, id);

-- The number of the newest event, task event or message of an owner. Its row is locked last in a transaction.
CREATE TABLE owner_sequences (
    owner_id BLOB PRIMARY KEY REFERENCES users (id),
    seq INTEGER NOT NULL
) STRICT;

-- How many rows of a noun a scope (an owner, a contract, a task) has: what lists answer as their total.
CREATE TABLE counters (
    owner_id BLOB NOT NULL REFERENCES users (id),
    scope_id BLOB NOT NULL,
    noun TEXT NOT NULL,
    kind TEXT NOT NULL,
    phase TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (owner_id, scope_id, noun, kind, phase)
) STRICT;

-- Machines that run agents.
CREATE TABLE daemons (
    id BLOB PRIMARY KEY,
    owner_id BLOB NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    hostname TEXT NOT NULL,
    status TEXT NOT NULL,
    max_concurrent_tasks INTEGER NOT NULL,
    agents TEXT NOT NULL,
    last_heartbeat_at TEXT NOT NULL
) STRICT;
CREATE INDEX daemons_owner ON daemons (owner_id, name, id);
CREATE INDEX daemons_online ON daemons (last_heartbeat_at) WHERE status = 'online';

CREATE TABLE contracts (
    id BLOB PRIMARY KEY,
    owner_id BLOB NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    repository TEXT NOT NULL,
    base_branch TEXT,
    agent TEXT,
    phase TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX contracts_owner ON contracts (owner_id, created_at, id);
CREATE INDEX contracts_status ON contracts (owner_id, status, created_at, id);

-- `wanted`: whether placement may take it while it is pending. `out_of_reach`: daemons that can't reach its repository.
CREATE TABLE tasks (
    id BLOB PRIMARY KEY,
    owner_id BLOB NOT NULL REFERENCES users (id),
    contract_id BLOB REFERENCES contracts (id),
    parent_task_id BLOB REFERENCES tasks (id),
    name TEXT NOT NULL,
    plan TEXT NOT NULL,
    role TEXT NOT NULL,
    status TEXT NOT NULL,
    status_reason TEXT,
    agent TEXT,
    permission_mode TEXT,
    target_daemon_id BLOB REFERENCES daemons (id),
    daemon_id BLOB REFERENCES daemons (id),
    repository TEXT NOT NULL,
    base_branch TEXT,
    base_commit TEXT,
    branch_name TEXT NOT NULL,
    worktree_path TEXT,
    include_uncommitted INTEGER NOT NULL,
    commit_on_finish INTEGER NOT NULL,
    wanted INTEGER NOT NULL,
    out_of_reach TEXT NOT NULL,
    run_number INTEGER NOT NULL,
    conversation_branch_id BLOB NOT NULL REFERENCES conversation_branches (id) DEFERRABLE INITIALLY DEFERRED,
    total_tokens INTEGER NOT NULL,
    total_cost REAL NOT NULL,
    checkpoint_count INTEGER NOT NULL,
    last_checkpoint_sha TEXT,
    checkpoint_message TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    started_at TEXT,
    completed_at TEXT
) STRICT;
CREATE INDEX tasks_owner ON tasks (owner_id, created_at, id);
CREATE INDEX tasks_contract ON tasks (contract_id, created_at, id) WHERE contract_id IS NOT NULL;
CREATE INDEX tasks_pending ON tasks (owner_id, created_at, id) WHERE status = 'pending';

-- A conversation is a tree: a branch goes on from the first `base_seq` messages of its base.
CREATE TABLE conversation_branches (
    id BLOB PRIMARY KEY,
    owner_id BLOB NOT NULL REFERENCES users (id),
    task_id BLOB NOT NULL REFERENCES tasks (id),
    base_branch_id BLOB REFERENCES conversation_branches (id),
    base_seq INTEGER NOT NULL,
    head_seq INTEGER NOT NULL,
    reason TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX conversation_branches_task ON conversation_branches (task_id, created_at, id);

-- Ids are unique by their making and not by an index that could refuse a batch. `feed_seq` is the owner's number.
CREATE TABLE conversation_messages (
    owner_id BLOB NOT NULL,
    branch_id BLOB NOT NULL REFERENCES conversation_branches (id),
    seq INTEGER NOT NULL,
    id BLOB NOT NULL,
    task_id BLOB NOT NULL,
    run_number INTEGER NOT NULL,
    feed_seq INTEGER NOT NULL,
    role TEXT NOT NULL,
    token_count INTEGER,
    cost_usd REAL,
    created_at TEXT NOT NULL,
    codec INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (branch_id, seq)
) STRICT;
CREATE INDEX conversation_messages_id ON conversation_messages (id);
CREATE INDEX conversation_messages_feed ON conversation_messages (owner_id, feed_seq);
CREATE INDEX conversation_messages_task ON conversation_messages (task_id, feed_seq);

-- The agent's own record: the lines that it wrote at once, verbatim, with the number of the message that they belong to.
CREATE TABLE native_entries (
    owner_id BLOB NOT NULL,
    branch_id BLOB NOT NULL REFERENCES conversation_branches (id),
    seq INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    file TEXT NOT NULL,
    codec INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (branch_id, seq, ordinal)
) STRICT;

-- `last_entry`: the last journal entry that was taken. `turn_seq`: the first message of the turn that runs.
CREATE TABLE runs (
    id BLOB PRIMARY KEY,
    owner_id BLOB NOT NULL REFERENCES users (id),
    task_id BLOB NOT NULL REFERENCES tasks (id),
    number INTEGER NOT NULL,
    daemon_id BLOB NOT NULL REFERENCES daemons (id),
    agent TEXT NOT NULL,
    branch_id BLOB NOT NULL REFERENCES conversation_branches (id),
    last_entry INTEGER NOT NULL,
    turn_seq INTEGER NOT NULL,
    session_id TEXT,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    outcome TEXT,
    reason TEXT,
    UNIQUE (task_id, number)
) STRICT;
CREATE UNIQUE INDEX runs_live_of_task ON runs (task_id) WHERE ended_at IS NULL;
CREATE INDEX runs_live_of_daemon ON runs (daemon_id, started_at, id) WHERE ended_at IS NULL;

-- What a daemon shall do: queued, sent, acknowledged, done or failed.
CREATE TABLE daemon_commands (
    id BLOB PRIMARY KEY,
    owner_id BLOB NOT NULL REFERENCES users (id),
    daemon_id BLOB NOT NULL REFERENCES daemons (id),
    run_id BLOB REFERENCES runs (id),
    state TEXT NOT NULL,
    codec INTEGER NOT NULL,
    body BLOB NOT NULL,
    result_codec INTEGER,
    result BLOB,
    error TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX daemon_commands_open ON daemon_commands (daemon_id, state, created_at, id)
    WHERE state IN ('queued', 'sent', 'acknowledged');
CREATE INDEX daemon_commands_run ON daemon_commands (run_id, created_at, id) WHERE run_id IS NOT NULL;

-- Kept positions.
CREATE TABLE conversation_snapshots (
    id BLOB PRIMARY KEY,
    owner_id BLOB NOT NULL REFERENCES users (id),
    task_id BLOB NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    checkpoint_id BLOB REFERENCES task_checkpoints (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    snapshot_type TEXT NOT NULL,
    branch_id BLOB NOT NULL REFERENCES conversation_branches (id),
    message_count INTEGER NOT NULL,
    metadata TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX conversation_snapshots_task ON conversation_snapshots (task_id, created_at, id);
CREATE INDEX conversation_snapshots_checkpoint ON conversation_snapshots (checkpoint_id);

-- Commits that hold a worktree, with the position of the conversation at that moment.
CREATE TABLE task_checkpoints (
    id BLOB PRIMARY KEY,
    owner_id BLOB NOT NULL REFERENCES users (id),
    task_id BLOB NOT NULL REFERENCES tasks (id),
    run_id BLOB REFERENCES runs (id),
    checkpoint_number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    turn INTEGER,
    commit_sha TEXT NOT NULL,
    branch_name TEXT NOT NULL,
    message TEXT NOT NULL,
    previous_checkpoint_id BLOB,
    files_changed TEXT NOT NULL,
    lines_added INTEGER NOT NULL,
    lines_removed INTEGER NOT NULL,
    not_held TEXT NOT NULL,
    patch_hash TEXT,
    patch_bytes INTEGER,
    branch_id BLOB NOT NULL REFERENCES conversation_branches (id),
    message_count INTEGER NOT NULL,
    conversation_snapshot_id BLOB REFERENCES conversation_snapshots (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    created_at TEXT NOT NULL,
    UNIQUE (task_id, checkpoint_number)
) STRICT;
CREATE INDEX task_checkpoints_task ON task_checkpoints (task_id, created_at, id);

-- Questions of agents to their owner.
CREATE TABLE task_questions (
    id BLOB PRIMARY KEY,
    owner_id BLOB NOT NULL REFERENCES users (id),
    task_id BLOB NOT NULL REFERENCES tasks (id),
    run_id BLOB NOT NULL REFERENCES runs (id),
    codec INTEGER NOT NULL,
    body BLOB NOT NULL,
    asked_at TEXT NOT NULL,
    answer_codec INTEGER,
    answer BLOB,
    answered_by BLOB REFERENCES users (id),
    answered_at TEXT,
    withdrawn_at TEXT
) STRICT;
CREATE INDEX task_questions_pending ON task_questions (task_id, asked_at, id)
    WHERE answered_at IS NULL AND withdrawn_at IS NULL;

-- Messages to a task's agent that no run has been given yet, and those that one was.
CREATE TABLE task_inbox (
    message_id BLOB PRIMARY KEY,
    owner_id BLOB NOT NULL REFERENCES users (id),
    task_id BLOB NOT NULL REFERENCES tasks (id),
    principal_id BLOB NOT NULL REFERENCES users (id),
    codec INTEGER NOT NULL,
    body BLOB NOT NULL,
    created_at TEXT NOT NULL,
    delivered_run_id BLOB REFERENCES runs (id)
) STRICT;
CREATE INDEX task_inbox_undelivered ON task_inbox (task_id, created_at, message_id) WHERE delivered_run_id IS NULL;

-- The timeline.
CREATE TABLE history_events (
    id BLOB PRIMARY KEY,
    owner_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    contract_id BLOB REFERENCES contracts (id) ON DELETE CASCADE,
    task_id BLOB REFERENCES tasks (id) ON DELETE CASCADE,
    event_type TEXT NOT NULL,
    event_subtype TEXT NOT NULL,
    phase TEXT,
    event_data TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX history_events_feed ON history_events (owner_id, seq);
CREATE INDEX history_events_task ON history_events (task_id, seq) WHERE task_id IS NOT NULL;
CREATE INDEX history_events_contract ON history_events (contract_id, seq) WHERE contract_id IS NOT NULL;

-- What happened in a task's runs.
CREATE TABLE task_events (
    id BLOB PRIMARY KEY,
    owner_id BLOB NOT NULL,
    task_id BLOB NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    run_number INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    previous_status TEXT,
    new_status TEXT,
    event_data TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX task_events_feed ON task_events (owner_id, seq);
CREATE INDEX task_events_task ON task_events (task_id, seq);
CREATE INDEX task_events_kind ON task_events (task_id, event_type, seq);

-- Which blobs of the server's blob store are whose.
CREATE TABLE blobs (
    owner_id BLOB NOT NULL REFERENCES users (id),
    hash TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (owner_id, hash)
) STRICT;
