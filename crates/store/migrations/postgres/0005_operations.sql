-- The same as migrations/sqlite/0005_operations.sql, which says what it is for; a test compares the two.
CREATE TABLE operations (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL REFERENCES users (id),
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    task_id UUID,
    contract_id UUID,
    principal_id UUID NOT NULL REFERENCES users (id),
    origin TEXT NOT NULL,
    request JSONB NOT NULL,
    before JSONB NOT NULL,
    after JSONB,
    undoes UUID REFERENCES operations (id),
    undone_by UUID REFERENCES operations (id),
    error TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ
);
CREATE INDEX operations_list ON operations (owner_id, created_at, id);
CREATE INDEX operations_task ON operations (task_id, created_at, id) WHERE task_id IS NOT NULL;
CREATE INDEX operations_contract ON operations (contract_id, created_at, id) WHERE contract_id IS NOT NULL;
CREATE INDEX operations_open ON operations (created_at, id) WHERE state = 'prepared';
CREATE UNIQUE INDEX operations_open_of_task ON operations (task_id) WHERE state = 'prepared' AND task_id IS NOT NULL;
CREATE UNIQUE INDEX operations_open_of_contract ON operations (contract_id)
    WHERE state = 'prepared' AND task_id IS NULL AND contract_id IS NOT NULL;

ALTER TABLE contracts ADD COLUMN deleted_at TIMESTAMPTZ;
ALTER TABLE contracts ADD COLUMN deleted_by UUID REFERENCES operations (id);
ALTER TABLE tasks ADD COLUMN deleted_at TIMESTAMPTZ;
ALTER TABLE tasks ADD COLUMN deleted_by UUID REFERENCES operations (id);
CREATE INDEX tasks_deleted ON tasks (deleted_by) WHERE deleted_by IS NOT NULL;

ALTER TABLE task_checkpoints ADD COLUMN put_away_by UUID REFERENCES operations (id);
ALTER TABLE conversation_snapshots ADD COLUMN put_away_by UUID REFERENCES operations (id);

ALTER TABLE daemon_commands ADD COLUMN operation_id UUID REFERENCES operations (id);
CREATE INDEX daemon_commands_operation ON daemon_commands (operation_id) WHERE operation_id IS NOT NULL;

CREATE TABLE erased_blobs (
    hash TEXT PRIMARY KEY,
    erased_at TIMESTAMPTZ NOT NULL
);

CREATE INDEX task_checkpoints_patch ON task_checkpoints (patch_hash) WHERE patch_hash IS NOT NULL;
