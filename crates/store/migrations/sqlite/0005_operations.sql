-- Changes of history, each written before its effect and finished after it. `task_id`, `contract_id`: no references, since an
-- operation is told of after what it was done to has been erased.
CREATE TABLE operations (
    id BLOB PRIMARY KEY,
    owner_id BLOB NOT NULL REFERENCES users (id),
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    task_id BLOB,
    contract_id BLOB,
    principal_id BLOB NOT NULL REFERENCES users (id),
    origin TEXT NOT NULL,
    request TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT,
    undoes BLOB REFERENCES operations (id),
    undone_by BLOB REFERENCES operations (id),
    error TEXT,
    created_at TEXT NOT NULL,
    finished_at TEXT
) STRICT;
CREATE INDEX operations_list ON operations (owner_id, created_at, id);
CREATE INDEX operations_task ON operations (task_id, created_at, id) WHERE task_id IS NOT NULL;
CREATE INDEX operations_contract ON operations (contract_id, created_at, id) WHERE contract_id IS NOT NULL;
CREATE INDEX operations_open ON operations (created_at, id) WHERE state = 'prepared';
CREATE UNIQUE INDEX operations_open_of_task ON operations (task_id) WHERE state = 'prepared' AND task_id IS NOT NULL;
CREATE UNIQUE INDEX operations_open_of_contract ON operations (contract_id)
    WHERE state = 'prepared' AND task_id IS NULL AND contract_id IS NOT NULL;

-- The trash: when something was put there, and by which operation.
ALTER TABLE contracts ADD COLUMN deleted_at TEXT;
ALTER TABLE contracts ADD COLUMN deleted_by BLOB REFERENCES operations (id);
ALTER TABLE tasks ADD COLUMN deleted_at TEXT;
ALTER TABLE tasks ADD COLUMN deleted_by BLOB REFERENCES operations (id);
CREATE INDEX tasks_deleted ON tasks (deleted_by) WHERE deleted_by IS NOT NULL;

-- A checkpoint by hand that was undone, and the snapshot that was taken with it: by which operation.
ALTER TABLE task_checkpoints ADD COLUMN put_away_by BLOB REFERENCES operations (id);
ALTER TABLE conversation_snapshots ADD COLUMN put_away_by BLOB REFERENCES operations (id);

-- The operation whose effect a command is.
ALTER TABLE daemon_commands ADD COLUMN operation_id BLOB REFERENCES operations (id);
CREATE INDEX daemon_commands_operation ON daemon_commands (operation_id) WHERE operation_id IS NOT NULL;

-- Blobs that nobody has any more, and whose files have yet to be removed.
CREATE TABLE erased_blobs (
    hash TEXT PRIMARY KEY,
    erased_at TEXT NOT NULL
) STRICT;

-- Whether anything else has a blob.
CREATE INDEX task_checkpoints_patch ON task_checkpoints (patch_hash) WHERE patch_hash IS NOT NULL;
