-- The same as migrations/sqlite/0002_access.sql, which says what it is for; a test compares the two.
ALTER TABLE api_keys ADD COLUMN kind TEXT NOT NULL DEFAULT 'key';
ALTER TABLE api_keys ADD COLUMN run_id UUID REFERENCES runs (id);
ALTER TABLE api_keys ADD COLUMN expires_at TIMESTAMPTZ;
CREATE INDEX api_keys_expire ON api_keys (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX api_keys_run ON api_keys (run_id) WHERE run_id IS NOT NULL;

ALTER TABLE tasks ADD COLUMN cancelling BOOLEAN NOT NULL DEFAULT FALSE;
