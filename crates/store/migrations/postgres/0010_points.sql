-- The checkpoints of a branch, for the nearest one before a position; and those of a commit.
CREATE INDEX task_checkpoints_position ON task_checkpoints (branch_id, message_count);
CREATE INDEX task_checkpoints_commit ON task_checkpoints (owner_id, commit_sha);
