-- The same as migrations/sqlite/0013_imports.sql, which says what it is for; a test compares the two.
CREATE TABLE imports (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL REFERENCES users (id),
    source TEXT NOT NULL,
    session_id TEXT NOT NULL,
    copy BIGINT NOT NULL,
    task_id UUID NOT NULL REFERENCES tasks (id),
    branch_id UUID NOT NULL REFERENCES conversation_branches (id),
    head_seq BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    digest TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ,
    finished_bytes BIGINT,
    UNIQUE (owner_id, source, session_id, copy)
);
CREATE INDEX imports_list ON imports (owner_id, created_at, id);
CREATE INDEX imports_task ON imports (task_id);

CREATE TABLE import_ends (
    import_id UUID NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
    bytes BIGINT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (import_id, bytes)
);

CREATE INDEX runs_session ON runs (owner_id, session_id) WHERE session_id IS NOT NULL;
