-- The number of a daemon's newest connection, which alone is given its commands, whichever replica holds it.
ALTER TABLE daemons ADD COLUMN connection INTEGER NOT NULL DEFAULT 0;
