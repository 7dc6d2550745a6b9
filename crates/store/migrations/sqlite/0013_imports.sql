-- Sessions that agents recorded without us, and that were imported: each copy of one is a task. `branch_id` and `head_seq`: where
-- in the conversation the file's next message goes. `bytes` and `digest`: how much of the file is here, and its hash.
-- `finished_bytes`: how much there was of it when its task was last made to stand where the session ended.
CREATE TABLE imports (
    id BLOB PRIMARY KEY,
    owner_id BLOB NOT NULL REFERENCES users (id),
    source TEXT NOT NULL,
    session_id TEXT NOT NULL,
    copy INTEGER NOT NULL,
    task_id BLOB NOT NULL REFERENCES tasks (id),
    branch_id BLOB NOT NULL REFERENCES conversation_branches (id),
    head_seq INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    digest TEXT NOT NULL,
    created_at TEXT NOT NULL,
    finished_at TEXT,
    finished_bytes INTEGER,
    UNIQUE (owner_id, source, session_id, copy)
) STRICT;
CREATE INDEX imports_list ON imports (owner_id, created_at, id);
CREATE INDEX imports_task ON imports (task_id);

-- Where a file ended when it was read to its end: what is said in a message before that is told, whatever comes behind it.
CREATE TABLE import_ends (
    import_id BLOB NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
    bytes INTEGER NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (import_id, bytes)
) STRICT;

-- Whether a session is one of a run's own.
CREATE INDEX runs_session ON runs (owner_id, session_id) WHERE session_id IS NOT NULL;
