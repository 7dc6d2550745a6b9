//! Tasks: where they stand, what they tell of their runs and checkpoints, and the checkpoints themselves.

use super::rule::{LOST, REPORT, rules};

/// What to do with a task that can't go on by itself.
const STUCK: &str = "the task can't go on by itself: restart the server; if this is told again, keep a copy of the data and report it with \
    this line";

rules! {
    task_head: "task", "its conversation goes on at branch {other}, which is another task's", REPORT,
        "SELECT task.id, branch.id AS other FROM tasks AS task \
        JOIN conversation_branches AS branch ON branch.id = task.conversation_branch_id WHERE branch.task_id <> task.id";
    task_run_number: "task", "it says that its newest run is number {a}, and that is number {b}", REPORT,
        "SELECT task.id, task.run_number AS a, COALESCE(MAX(run.number), 0) AS b FROM tasks AS task \
        LEFT JOIN runs AS run ON run.task_id = task.id GROUP BY task.id, task.run_number \
        HAVING task.run_number <> COALESCE(MAX(run.number), 0)";
    task_live: "task", "it is {word}, and its newest run, number {a}, doesn't live", STUCK,
        "SELECT task.id, task.status AS word, task.run_number AS a FROM tasks AS task \
        WHERE task.status IN ('starting', 'running', 'waiting') \
        AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.task_id = task.id AND runs.ended_at IS NULL)";
    task_placed: "task", "it says that daemon {other} has it, and its newest run isn't there", REPORT,
        "SELECT task.id, task.daemon_id AS other FROM tasks AS task \
        JOIN runs AS run ON run.task_id = task.id AND run.number = task.run_number \
        WHERE task.daemon_id IS NULL OR (task.daemon_id <> run.daemon_id \
        AND EXISTS (SELECT 1 FROM daemons WHERE daemons.id = task.daemon_id AND daemons.owner_id = task.owner_id))";
    task_over: "task", "it is {word}, and when it was over disagrees with that", REPORT,
        "SELECT task.id, task.status AS word FROM tasks AS task \
        WHERE (task.completed_at IS NULL) = (task.status IN ('completed', 'failed', 'cancelled', 'interrupted'))";
    task_status_event: "task", "it is {word}, and the last change of its status that is told is another", REPORT,
        "SELECT task.id, task.status AS word FROM tasks AS task WHERE task.status <> COALESCE(\
        (SELECT event.new_status FROM task_events AS event WHERE event.task_id = task.id \
        AND event.event_type = 'status_change' ORDER BY event.seq DESC LIMIT 1), 'pending')";
    checkpoint_count: "task", "it says that it has {a} checkpoints, and it has {b}", REPORT,
        "SELECT task.id, task.checkpoint_count AS a, COUNT(made.id) AS b FROM tasks AS task \
        LEFT JOIN task_checkpoints AS made ON made.task_id = task.id AND made.put_away_by IS NULL \
        GROUP BY task.id, task.checkpoint_count \
        HAVING task.checkpoint_count <> COUNT(made.id)";
    checkpoint_last: "task", "it says that the commit of its newest checkpoint is {word}, and it is another", REPORT,
        "SELECT task.id, task.last_checkpoint_sha AS word FROM tasks AS task \
        WHERE (task.last_checkpoint_sha IS NOT NULL OR task.checkpoint_count > 0) AND NOT EXISTS (\
        SELECT 1 FROM task_checkpoints AS made WHERE made.task_id = task.id AND made.put_away_by IS NULL \
        AND made.commit_sha = task.last_checkpoint_sha AND made.message = task.checkpoint_message \
        AND NOT EXISTS (SELECT 1 FROM task_checkpoints AS newer WHERE newer.task_id = made.task_id AND newer.put_away_by IS NULL \
        AND newer.checkpoint_number > made.checkpoint_number AND newer.created_at > made.created_at))";
    checkpoint_number: "task", "{a} of its checkpoints have number {b}", REPORT,
        "SELECT made.task_id AS id, COUNT(*) AS a, made.checkpoint_number AS b FROM task_checkpoints AS made \
        GROUP BY made.task_id, made.checkpoint_number HAVING COUNT(*) > 1 OR made.checkpoint_number < 1";
    // One that was asked for by hand may come after one that was made behind it: while such a command is open, it is on its way.
    checkpoint_previous: "checkpoint", "the checkpoint {other} that it follows isn't there, or is another task's", LOST,
        "SELECT made.id, made.previous_checkpoint_id AS other FROM task_checkpoints AS made \
        LEFT JOIN task_checkpoints AS previous ON previous.id = made.previous_checkpoint_id \
        WHERE made.previous_checkpoint_id IS NOT NULL AND (previous.task_id <> made.task_id \
        OR (previous.id IS NULL AND NOT EXISTS (SELECT 1 FROM daemon_commands AS command \
        JOIN runs AS run ON run.id = command.run_id \
        WHERE run.task_id = made.task_id AND command.state IN ('queued', 'sent', 'acknowledged'))))";
    checkpoint_circle: "checkpoint", "the checkpoints that it follows lead back to itself", REPORT,
        "SELECT made.id FROM task_checkpoints AS made WHERE made.previous_checkpoint_id IS NOT NULL AND EXISTS (\
        WITH RECURSIVE above (id, previous) AS (\
        SELECT id, previous_checkpoint_id FROM task_checkpoints WHERE id = made.previous_checkpoint_id \
        AND checkpoint_number >= made.checkpoint_number \
        UNION SELECT next.id, next.previous_checkpoint_id FROM task_checkpoints AS next \
        JOIN above ON next.id = above.previous) SELECT 1 FROM above WHERE above.id = made.id)";
    checkpoint_of_run: "checkpoint", "run {other}, in which it was made, is another task's", REPORT,
        "SELECT made.id, run.id AS other FROM task_checkpoints AS made JOIN runs AS run ON run.id = made.run_id \
        JOIN tasks AS task ON task.id = made.task_id WHERE run.task_id <> task.id";
    checkpoint_patch: "checkpoint", "its patch has {a} bytes, and of blob {word} the owner has {b}",
        "what it changed can't be shown; its commit has everything: look whether `blobs` in the data directory has the file of \
        that name, and report it with this line",
        "SELECT made.id, made.patch_hash AS word, made.patch_bytes AS a, blob.bytes AS b FROM task_checkpoints AS made \
        LEFT JOIN blobs AS blob ON blob.owner_id = made.owner_id AND blob.hash = made.patch_hash \
        WHERE made.patch_hash IS NOT NULL AND made.patch_bytes IS DISTINCT FROM blob.bytes";
}
