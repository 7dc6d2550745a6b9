//! Conversations: the tree of branches, their messages, the agents' records beside them, and the positions that are kept.

use super::rule::{LOST, REPORT, rules};

/// Rows of a table whose position is none that its branch has, or is one of another task's branch.
macro_rules! position {
    ($table:literal, outside) => {
        concat!(
            "SELECT entry.id, entry.branch_id AS other, entry.message_count AS a, branch.head_seq AS b FROM ",
            $table,
            " AS entry JOIN conversation_branches AS branch ON branch.id = entry.branch_id \
            WHERE entry.message_count < 0 OR entry.message_count > branch.head_seq"
        )
    };
    ($table:literal, foreign) => {
        concat!(
            "SELECT entry.id, entry.branch_id AS other FROM ",
            $table,
            " AS entry JOIN conversation_branches AS branch ON branch.id = entry.branch_id \
            JOIN tasks AS task ON task.id = entry.task_id WHERE branch.task_id <> task.id"
        )
    };
}

rules! {
    branch_start: "branch", "it goes on after message {a} of branch {other}, which has {b}", REPORT,
        "SELECT branch.id, base.id AS other, branch.base_seq AS a, base.head_seq AS b \
        FROM conversation_branches AS branch JOIN conversation_branches AS base ON base.id = branch.base_branch_id \
        WHERE branch.base_seq < base.base_seq OR branch.base_seq > base.head_seq";
    branch_beginning: "branch", "it goes on from no other branch, and begins after message {a}", REPORT,
        "SELECT id, base_seq AS a FROM conversation_branches WHERE base_branch_id IS NULL AND base_seq <> 0";
    branch_circle: "branch", "the branches that it goes on from lead back to itself", REPORT,
        "SELECT branch.id FROM conversation_branches AS branch WHERE branch.base_branch_id IS NOT NULL AND EXISTS (\
        WITH RECURSIVE above (id, base) AS (\
        SELECT id, base_branch_id FROM conversation_branches WHERE id = branch.base_branch_id \
        UNION SELECT next.id, next.base_branch_id FROM conversation_branches AS next JOIN above ON next.id = above.base) \
        SELECT 1 FROM above WHERE above.id = branch.id)";
    branch_head: "branch", "it says that it has {a} messages, and its last one is number {b}, counted from 1", LOST,
        "SELECT branch.id, branch.head_seq AS a, COALESCE(own.last + 1, branch.base_seq) AS b \
        FROM conversation_branches AS branch LEFT JOIN (SELECT branch_id, MAX(seq) AS last FROM conversation_messages \
        GROUP BY branch_id) AS own ON own.branch_id = branch.id \
        WHERE branch.head_seq <> COALESCE(own.last + 1, branch.base_seq)";
    message_numbers: "branch", "it has {a} messages of its own where its numbers tell of {b}", LOST,
        "SELECT branch.id, own.messages AS a, own.last + 1 - branch.base_seq AS b FROM conversation_branches AS branch \
        JOIN (SELECT branch_id, COUNT(*) AS messages, MIN(seq) AS first, MAX(seq) AS last FROM conversation_messages \
        GROUP BY branch_id) AS own ON own.branch_id = branch.id \
        WHERE own.first <> branch.base_seq OR own.messages <> own.last + 1 - branch.base_seq";
    message_task: "message", "it says that task {other} said it, whose branch it isn't on", REPORT,
        "SELECT message.id, message.task_id AS other FROM conversation_messages AS message \
        JOIN conversation_branches AS branch ON branch.id = message.branch_id WHERE branch.task_id <> message.task_id";
    // Those of a task that was erased, which another goes on from, are of no run.
    message_run: "message", "run {a} of task {other} said it, and there is no such run", REPORT,
        "SELECT message.id, message.task_id AS other, message.run_number AS a FROM conversation_messages AS message \
        WHERE message.run_number <> 0 \
        AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.task_id = message.task_id AND runs.number = message.run_number)";
    // A run that another has replaced says what it still says on a branch of its own.
    message_order: "message", "run {a} said it, after what run {b} had said", REPORT,
        "SELECT message.id, message.run_number AS a, before.run_number AS b FROM conversation_messages AS message \
        JOIN conversation_messages AS before ON before.branch_id = message.branch_id AND before.seq = message.seq - 1 \
        WHERE message.run_number < before.run_number";
    // What a run that was replaced said comes late, on a branch of its own; so may what both were told.
    message_double: "message", "it is there {a} times", REPORT,
        "SELECT message.id, COUNT(*) AS a FROM conversation_messages AS message \
        JOIN conversation_branches AS branch ON branch.id = message.branch_id \
        WHERE message.id IN (SELECT id FROM conversation_messages GROUP BY id HAVING COUNT(*) > 1) \
        GROUP BY message.id HAVING COUNT(CASE WHEN branch.reason <> 'late_run' THEN 1 END) > 1 \
        OR COUNT(DISTINCT message.branch_id) < COUNT(*)";
    record_place: "branch", "a line of its agent's own record belongs to message {a}, and it has {b}", REPORT,
        "SELECT record.branch_id AS id, record.seq AS a, branch.head_seq AS b FROM native_entries AS record \
        JOIN conversation_branches AS branch ON branch.id = record.branch_id \
        WHERE record.seq < branch.base_seq - 1 OR record.seq >= branch.head_seq";
    snapshot_place: "snapshot", "it was taken after {a} messages of branch {other}, which has {b}", LOST,
        position!("conversation_snapshots", outside);
    snapshot_owner_task: "snapshot", "its branch {other} is another task's", REPORT,
        position!("conversation_snapshots", foreign);
    checkpoint_place: "checkpoint", "it was made after {a} messages of branch {other}, which has {b}", LOST,
        position!("task_checkpoints", outside);
    checkpoint_owner_task: "checkpoint", "its branch {other} is another task's", REPORT,
        position!("task_checkpoints", foreign);
    import_place: "import", "its file goes on after message {a} of branch {other}, which has {b}, or is another task's", REPORT,
        "SELECT import.id, branch.id AS other, import.head_seq AS a, branch.head_seq AS b FROM imports AS import \
        JOIN conversation_branches AS branch ON branch.id = import.branch_id \
        WHERE import.head_seq < branch.base_seq OR import.head_seq > branch.head_seq OR branch.task_id <> import.task_id";
    snapshot_of_checkpoint: "snapshot", "it was taken with checkpoint {other}, which was made at another moment, or tells of another snapshot", REPORT,
        "SELECT snapshot.id, made.id AS other FROM conversation_snapshots AS snapshot \
        JOIN task_checkpoints AS made ON made.id = snapshot.checkpoint_id \
        WHERE snapshot.task_id <> made.task_id OR snapshot.branch_id <> made.branch_id \
        OR snapshot.message_count <> made.message_count OR made.conversation_snapshot_id IS DISTINCT FROM snapshot.id";
    checkpoint_of_snapshot: "checkpoint", "snapshot {other} was taken with it, and tells of another checkpoint", REPORT,
        "SELECT made.id, snapshot.id AS other FROM task_checkpoints AS made \
        JOIN conversation_snapshots AS snapshot ON snapshot.id = made.conversation_snapshot_id \
        WHERE snapshot.checkpoint_id IS NULL OR (snapshot.checkpoint_id <> made.id AND EXISTS \
        (SELECT 1 FROM task_checkpoints AS told WHERE told.id = snapshot.checkpoint_id \
        AND told.conversation_snapshot_id = snapshot.id))";
}
