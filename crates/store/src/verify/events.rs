//! Events, and the one number that they and messages have of their owner.

use super::rule::{REPORT, rules};

/// Numbers that two tables have both, of one owner.
macro_rules! twice {
    ($table:literal, $seq:literal, $other:literal, $other_seq:literal) => {
        concat!(
            "SELECT one.owner_id AS id, one.id AS other, one.",
            $seq,
            " AS a FROM ",
            $table,
            " AS one JOIN ",
            $other,
            " AS another ON another.owner_id = one.owner_id AND another.",
            $other_seq,
            " = one.",
            $seq
        )
    };
}

/// Rows that have a number which their owner has not come to.
macro_rules! ahead {
    ($table:literal, $id:literal, $seq:literal) => {
        concat!(
            "SELECT entry.",
            $id,
            " AS id, entry.",
            $seq,
            " AS a, owner.seq AS b FROM owner_sequences AS owner JOIN ",
            $table,
            " AS entry ON entry.owner_id = owner.owner_id AND (entry.",
            $seq,
            " > owner.seq OR entry.",
            $seq,
            " < 1)"
        )
    };
}

rules! {
    feed_double: "user", "event {other} and an event of a task have the same number {a}", REPORT,
        twice!("history_events", "seq", "task_events", "seq");
    feed_history_and_message: "user", "event {other} and a message have the same number {a}", REPORT,
        twice!("history_events", "seq", "conversation_messages", "feed_seq");
    feed_event_and_message: "user", "event {other} of a task and a message have the same number {a}", REPORT,
        twice!("task_events", "seq", "conversation_messages", "feed_seq");
    feed_messages: "user", "{b} messages have the same number {a}", REPORT,
        "SELECT message.owner_id AS id, message.feed_seq AS a, COUNT(*) AS b FROM conversation_messages AS message \
        GROUP BY message.owner_id, message.feed_seq HAVING COUNT(*) > 1";
    feed_history_ahead: "event", "its number is {a}, and the newest of its owner is {b}: who follows the feed misses what comes", REPORT,
        ahead!("history_events", "id", "seq");
    feed_event_ahead: "event", "its number is {a}, and the newest of its owner is {b}: who follows the feed misses what comes", REPORT,
        ahead!("task_events", "id", "seq");
    feed_message_ahead: "message", "its number is {a}, and the newest of its owner is {b}: who follows the feed misses what comes", REPORT,
        ahead!("conversation_messages", "id", "feed_seq");
    record_ahead: "branch", "a line of its agent's own record has number {a}, and the newest of its owner is {b}", REPORT,
        ahead!("native_entries", "branch_id", "ordinal");
    event_run: "event", "it happened in run {a} of task {other}, whose newest is number {b}", REPORT,
        "SELECT event.id, task.id AS other, event.run_number AS a, task.run_number AS b FROM task_events AS event \
        JOIN tasks AS task ON task.id = event.task_id WHERE event.run_number < 0 OR (event.run_number > task.run_number \
        AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.task_id = task.id AND runs.number = event.run_number))";
    event_status: "event", "it tells of a change of task {other} from {word}, which it was not", REPORT,
        "SELECT told.id, told.task_id AS other, told.previous_status AS word FROM (SELECT event.id, event.task_id, \
        event.previous_status, LAG(event.new_status, 1, 'pending') OVER (PARTITION BY event.task_id ORDER BY event.seq) \
        AS before FROM task_events AS event WHERE event.event_type = 'status_change') AS told \
        WHERE told.previous_status IS DISTINCT FROM told.before";
}
