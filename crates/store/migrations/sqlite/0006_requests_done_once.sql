-- What has become of requests that were sent with an `Idempotency-Key`, so that each is carried out once however often it is
-- sent: (owner, route, key) names it, `request` is the hash of what was asked. An attempt holds the row while it works, for a
-- lease at a time. `effect_id` is written in the transaction of the effect itself: what was made or changed, or the command
-- that was queued; another attempt goes on from there. `status` and what follows are the answer.
CREATE TABLE idempotency_keys (
    owner_id BLOB NOT NULL REFERENCES users (id),
    route TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request BLOB NOT NULL,
    attempt_id BLOB NOT NULL,
    held_until TEXT NOT NULL,
    effect_id BLOB,
    status INTEGER,
    etag TEXT,
    codec INTEGER,
    body BLOB,
    created_at TEXT NOT NULL,
    PRIMARY KEY (owner_id, route, idempotency_key)
) STRICT;
CREATE UNIQUE INDEX idempotency_keys_attempt ON idempotency_keys (attempt_id);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- How often a contract was changed, so that who changes it can say which one it was that they saw.
ALTER TABLE contracts ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
