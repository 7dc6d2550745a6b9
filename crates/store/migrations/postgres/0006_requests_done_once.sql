-- The same as migrations/sqlite/0006_requests_done_once.sql, which says what it is for; a test compares the two.
CREATE TABLE idempotency_keys (
    owner_id UUID NOT NULL REFERENCES users (id),
    route TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request BYTEA NOT NULL,
    attempt_id UUID NOT NULL,
    held_until TIMESTAMPTZ NOT NULL,
    effect_id UUID,
    status BIGINT,
    etag TEXT,
    codec BIGINT,
    body BYTEA,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (owner_id, route, idempotency_key)
);
CREATE UNIQUE INDEX idempotency_keys_attempt ON idempotency_keys (attempt_id);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

ALTER TABLE contracts ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
