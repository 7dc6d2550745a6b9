-- The same as migrations/sqlite/0009_daemon_trouble.sql, which says what it is for; a test compares the two.
ALTER TABLE daemons ADD COLUMN trouble TEXT;
