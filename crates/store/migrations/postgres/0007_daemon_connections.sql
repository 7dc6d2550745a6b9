-- The same as migrations/sqlite/0007_daemon_connections.sql, which says what it is for; a test compares the two.
ALTER TABLE daemons ADD COLUMN connection BIGINT NOT NULL DEFAULT 0;
