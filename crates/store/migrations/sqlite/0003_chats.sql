-- Chats: what an owner says about all tasks (the mesh), or about one contract. In each, one conversation goes on.
-- `context_type`, `context_task_id`: what a message is about. `tool_calls`, `pending_questions`: of what answers it.

CREATE TABLE mesh_chat_conversations (
    id BLOB PRIMARY KEY,
    owner_id BLOB NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    is_active INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX mesh_chat_conversations_list ON mesh_chat_conversations (owner_id, created_at, id);
CREATE UNIQUE INDEX mesh_chat_conversations_active ON mesh_chat_conversations (owner_id) WHERE is_active;

CREATE TABLE mesh_chat_messages (
    id BLOB PRIMARY KEY,
    owner_id BLOB NOT NULL REFERENCES users (id),
    conversation_id BLOB NOT NULL REFERENCES mesh_chat_conversations (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    codec INTEGER NOT NULL,
    content BLOB NOT NULL,
    context_type TEXT NOT NULL,
    context_task_id BLOB REFERENCES tasks (id) ON DELETE SET NULL,
    tool_calls TEXT,
    pending_questions TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX mesh_chat_messages_list ON mesh_chat_messages (conversation_id, created_at, id);

CREATE TABLE contract_chat_conversations (
    id BLOB PRIMARY KEY,
    owner_id BLOB NOT NULL REFERENCES users (id),
    contract_id BLOB NOT NULL REFERENCES contracts (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    is_active INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE INDEX contract_chat_conversations_list ON contract_chat_conversations (contract_id, created_at, id);
CREATE UNIQUE INDEX contract_chat_conversations_active ON contract_chat_conversations (contract_id) WHERE is_active;

CREATE TABLE contract_chat_messages (
    id BLOB PRIMARY KEY,
    owner_id BLOB NOT NULL REFERENCES users (id),
    conversation_id BLOB NOT NULL REFERENCES contract_chat_conversations (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    codec INTEGER NOT NULL,
    content BLOB NOT NULL,
    context_type TEXT NOT NULL,
    context_task_id BLOB REFERENCES tasks (id) ON DELETE SET NULL,
    tool_calls TEXT,
    pending_questions TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX contract_chat_messages_list ON contract_chat_messages (conversation_id, created_at, id);

-- Snapshots are counted as they are written from now on: these were before.
INSERT INTO counters (owner_id, scope_id, noun, kind, phase, count)
    SELECT owner_id, task_id, 'snapshot', snapshot_type, '', COUNT(*) FROM conversation_snapshots
    GROUP BY owner_id, task_id, snapshot_type;
