//! Runs, and what hangs on them: questions, messages to their agents, commands.

use super::rule::{LOST, REPORT, rules};

rules! {
    run_numbers: "task", "it has {a} runs, and the newest is number {b}", REPORT,
        "SELECT run.task_id AS id, COUNT(*) AS a, MAX(run.number) AS b FROM runs AS run GROUP BY run.task_id \
        HAVING COUNT(*) <> MAX(run.number) OR MIN(run.number) <> 1";
    run_lives: "task", "{a} of its runs live", REPORT,
        "SELECT run.task_id AS id, COUNT(*) AS a FROM runs AS run WHERE run.ended_at IS NULL \
        GROUP BY run.task_id HAVING COUNT(*) > 1";
    run_live: "run", "it lives, and its task {other} is {word}, or has a newer run", REPORT,
        "SELECT run.id, task.id AS other, task.status AS word FROM runs AS run JOIN tasks AS task ON task.id = run.task_id \
        WHERE run.ended_at IS NULL AND (task.status NOT IN ('starting', 'running', 'waiting') OR \
        (run.number <> task.run_number AND NOT EXISTS (SELECT 1 FROM runs AS newer WHERE newer.task_id = run.task_id \
        AND newer.id <> run.id AND newer.ended_at IS NULL)))";
    run_end: "run", "whether it ended and how it ended disagree: {word}", REPORT,
        "SELECT run.id, run.outcome AS word FROM runs AS run WHERE (run.ended_at IS NULL) <> (run.outcome IS NULL)";
    run_speaks: "run", "the branch {other} that it speaks on is another task's", REPORT,
        "SELECT run.id, branch.id AS other FROM runs AS run JOIN conversation_branches AS branch ON branch.id = run.branch_id \
        JOIN tasks AS task ON task.id = run.task_id WHERE branch.task_id <> task.id";
    run_turn: "run", "its turn begins at message {a}, and its branch has {b}", LOST,
        "SELECT run.id, run.turn_seq AS a, branch.head_seq AS b FROM runs AS run \
        JOIN conversation_branches AS branch ON branch.id = run.branch_id \
        WHERE run.turn_seq < 0 OR run.turn_seq > branch.head_seq OR run.last_entry < 0";
    question_waits: "question", "it waits for an answer, and run {other}, which asked, has ended",
        "nobody waits for the answer any more: restart the server; if this is told again, report it with this line",
        "SELECT question.id, run.id AS other FROM task_questions AS question JOIN runs AS run ON run.id = question.run_id \
        WHERE question.answered_at IS NULL AND question.withdrawn_at IS NULL AND run.ended_at IS NOT NULL";
    question_answer: "question", "when it was answered, what was answered and by whom disagree", REPORT,
        "SELECT question.id FROM task_questions AS question \
        WHERE (question.answered_at IS NULL) <> (question.answer IS NULL) \
        OR (question.answer IS NULL) <> (question.answer_codec IS NULL) \
        OR (question.answer IS NULL) <> (question.answered_by IS NULL) \
        OR (question.answered_at IS NOT NULL AND question.withdrawn_at IS NOT NULL)";
    question_of_run: "question", "run {other}, which asked, is another task's", REPORT,
        "SELECT question.id, run.id AS other FROM task_questions AS question JOIN runs AS run ON run.id = question.run_id \
        JOIN tasks AS task ON task.id = question.task_id WHERE run.task_id <> task.id";
    inbox_of_run: "message", "run {other}, which was given it, is another task's", REPORT,
        "SELECT inbox.message_id AS id, run.id AS other FROM task_inbox AS inbox \
        JOIN runs AS run ON run.id = inbox.delivered_run_id \
        JOIN tasks AS task ON task.id = inbox.task_id WHERE run.task_id <> task.id";
    inbox_delivered: "message", "run {other} was given it, and it is not in the conversation", LOST,
        "SELECT inbox.message_id AS id, inbox.delivered_run_id AS other FROM task_inbox AS inbox \
        WHERE inbox.delivered_run_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM conversation_messages AS message \
        WHERE message.id = inbox.message_id AND message.owner_id = inbox.owner_id)";
    inbox_waits: "message", "it is in the conversation of task {other}, and would be said again by the next run", REPORT,
        "SELECT inbox.message_id AS id, inbox.task_id AS other FROM task_inbox AS inbox \
        WHERE inbox.delivered_run_id IS NULL AND EXISTS (SELECT 1 FROM conversation_messages AS message \
        WHERE message.id = inbox.message_id AND message.owner_id = inbox.owner_id)";
    command_result: "command", "it is {word}, and what is kept of its result disagrees with that", REPORT,
        "SELECT command.id, command.state AS word FROM daemon_commands AS command \
        WHERE (command.state = 'done') <> (command.result IS NOT NULL) \
        OR (command.result IS NULL) <> (command.result_codec IS NULL) \
        OR (command.state = 'failed') <> (command.error IS NOT NULL)";
    command_of_run: "command", "it is for another daemon than run {other}, which it is about", REPORT,
        "SELECT command.id, run.id AS other FROM daemon_commands AS command JOIN runs AS run ON run.id = command.run_id \
        WHERE run.daemon_id <> command.daemon_id";
}
