-- The same tables and columns as migrations/sqlite/0003_chats.sql, which says what they are for; a test compares the two.

CREATE TABLE mesh_chat_conversations (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    is_active BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX mesh_chat_conversations_list ON mesh_chat_conversations (owner_id, created_at, id);
CREATE UNIQUE INDEX mesh_chat_conversations_active ON mesh_chat_conversations (owner_id) WHERE is_active;

CREATE TABLE mesh_chat_messages (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL REFERENCES users (id),
    conversation_id UUID NOT NULL REFERENCES mesh_chat_conversations (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    codec BIGINT NOT NULL,
    content BYTEA NOT NULL,
    context_type TEXT NOT NULL,
    context_task_id UUID REFERENCES tasks (id) ON DELETE SET NULL,
    tool_calls JSONB,
    pending_questions JSONB,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX mesh_chat_messages_list ON mesh_chat_messages (conversation_id, created_at, id);

CREATE TABLE contract_chat_conversations (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL REFERENCES users (id),
    contract_id UUID NOT NULL REFERENCES contracts (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    is_active BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX contract_chat_conversations_list ON contract_chat_conversations (contract_id, created_at, id);
CREATE UNIQUE INDEX contract_chat_conversations_active ON contract_chat_conversations (contract_id) WHERE is_active;

CREATE TABLE contract_chat_messages (
    id UUID PRIMARY KEY,
    owner_id UUID NOT NULL REFERENCES users (id),
    conversation_id UUID NOT NULL REFERENCES contract_chat_conversations (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    codec BIGINT NOT NULL,
    content BYTEA NOT NULL,
    context_type TEXT NOT NULL,
    context_task_id UUID REFERENCES tasks (id) ON DELETE SET NULL,
    tool_calls JSONB,
    pending_questions JSONB,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX contract_chat_messages_list ON contract_chat_messages (conversation_id, created_at, id);

INSERT INTO counters (owner_id, scope_id, noun, kind, phase, count)
    SELECT owner_id, task_id, 'snapshot', snapshot_type, '', COUNT(*) FROM conversation_snapshots
    GROUP BY owner_id, task_id, snapshot_type;
