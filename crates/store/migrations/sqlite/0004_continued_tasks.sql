-- The task whose worktree a task was begun from, and which files beside the commit are copied from a worktree: `{"task", "files"}`.
ALTER TABLE tasks ADD COLUMN continue_from_task_id BLOB REFERENCES tasks (id);
ALTER TABLE tasks ADD COLUMN copied TEXT;
