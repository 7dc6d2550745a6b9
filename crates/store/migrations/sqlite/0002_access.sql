-- What else opens the door beside an owner's keys: a link to sign in with once, the session that comes of it, and the key of an
-- agent's own, which lives as long as its run. All are rows of `api_keys`; `kind` tells them apart.
ALTER TABLE api_keys ADD COLUMN kind TEXT NOT NULL DEFAULT 'key';
ALTER TABLE api_keys ADD COLUMN run_id BLOB REFERENCES runs (id);
ALTER TABLE api_keys ADD COLUMN expires_at TEXT;
CREATE INDEX api_keys_expire ON api_keys (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX api_keys_run ON api_keys (run_id) WHERE run_id IS NOT NULL;

-- Whether its owner has cancelled it while it ran: however the run ends, the task is `cancelled` then.
ALTER TABLE tasks ADD COLUMN cancelling INTEGER NOT NULL DEFAULT 0;
