-- The same as migrations/sqlite/0004_continued_tasks.sql, which says what it is for; a test compares the two.
ALTER TABLE tasks ADD COLUMN continue_from_task_id UUID REFERENCES tasks (id);
ALTER TABLE tasks ADD COLUMN copied JSONB;
