//! Each rule, and a change by hand that breaks it and no other. `{name}` stands for the id of a task, user or daemon, and
//! `{contract name}` for that of a contract;
//! `{no}` is an id that nothing has where it is put, `{next}` the owner's next number.

/// What is broken, what is found besides since it can't be otherwise, and the statements that break it.
pub(super) type Break = (&'static str, &'static [&'static str], &'static [&'static str]);

/// The columns of a checkpoint that are not its id, task, run, number, predecessor or snapshot.
macro_rules! checkpoint {
    ($run:literal, $task:literal) => {
        concat!(
            "INSERT INTO task_checkpoints (id, owner_id, task_id, run_id, checkpoint_number, kind, turn, commit_sha, branch_name, \
            message, files_changed, lines_added, lines_removed, not_held, branch_id, message_count, created_at) \
            SELECT {no}, owner_id, ",
            $task,
            ", ",
            $run,
            ", 9, kind, turn, commit_sha, branch_name, message, files_changed, lines_added, lines_removed, not_held, branch_id, \
            message_count, created_at FROM task_checkpoints WHERE checkpoint_number = 3"
        )
    };
}

macro_rules! branch {
    ($task:literal, $base:literal, $seq:literal) => {
        concat!(
            "INSERT INTO conversation_branches (id, owner_id, task_id, base_branch_id, base_seq, head_seq, reason, created_at) \
            SELECT {no}, id, ",
            $task,
            ", ",
            $base,
            ", ",
            $seq,
            ", ",
            $seq,
            ", 'created', created_at FROM users WHERE name = 'ada'"
        )
    };
}

const NEXT: &str = "UPDATE owner_sequences SET seq = seq + 1 WHERE owner_id = {ada}";

pub(super) const BREAKS: &[Break] = &[
    // References.
    ("import_task", &["import_place"], &["UPDATE imports SET task_id = {no}"]),
    ("import_place", &[], &["UPDATE imports SET head_seq = 9"]),
    (
        "owner_sequence",
        &[],
        &["INSERT INTO users (id, name, kind, created_at) SELECT {no}, name, kind, created_at FROM users \
        WHERE name = 'ada'"],
    ),
    ("key_owner", &[], &["UPDATE api_keys SET owner_id = {no} WHERE kind = 'key'"]),
    ("key_principal", &[], &["UPDATE api_keys SET principal_id = {no} WHERE kind = 'key'"]),
    ("daemon_owner", &[], &["UPDATE daemons SET owner_id = {no} WHERE name = 'spare'"]),
    (
        "contract_owner",
        &[],
        &[
            "UPDATE contracts SET owner_id = {no} WHERE name = 'stranger'",
            "UPDATE counters SET owner_id = {no}, scope_id = {no} WHERE owner_id = {bob}",
        ],
    ),
    (
        "task_owner",
        &[],
        &[
            "INSERT INTO tasks (id, owner_id, name, plan, role, status, repository, branch_name, include_uncommitted, \
        commit_on_finish, wanted, out_of_reach, run_number, conversation_branch_id, total_tokens, total_cost, checkpoint_count, \
        created_at, updated_at) SELECT {no}, {no}, 'orphan', plan, role, status, repository, branch_name, include_uncommitted, \
        commit_on_finish, wanted, out_of_reach, run_number, {no}, total_tokens, total_cost, checkpoint_count, created_at, \
        updated_at FROM tasks WHERE name = 'idle'",
            "INSERT INTO conversation_branches (id, owner_id, task_id, base_seq, head_seq, reason, created_at) \
        SELECT {no}, {no}, {no}, 0, 0, reason, created_at FROM conversation_branches WHERE task_id = {idle}",
            "INSERT INTO counters (owner_id, scope_id, noun, kind, phase, count) VALUES ({no}, {no}, 'task', '', '', 1)",
        ],
    ),
    (
        "blob_owner",
        &[],
        &[
            "INSERT INTO blobs (owner_id, hash, bytes, created_at) SELECT {no}, hash, bytes, created_at FROM blobs",
        ],
    ),
    (
        "history_owner",
        &[],
        &[
            "INSERT INTO history_events (id, owner_id, seq, event_type, event_subtype, event_data, created_at) \
        SELECT {no}, {no}, 1, 'phase', event_subtype, event_data, created_at FROM history_events WHERE task_id = {idle}",
            "INSERT INTO counters (owner_id, scope_id, noun, kind, phase, count) VALUES ({no}, {no}, 'history', 'phase', '', 1)",
        ],
    ),
    (
        "chat_owner",
        &[],
        &[
            "INSERT INTO mesh_chat_conversations (id, owner_id, name, is_active, created_at, updated_at) \
        SELECT {no}, {no}, name, is_active, created_at, updated_at FROM mesh_chat_conversations WHERE is_active",
            "INSERT INTO counters (owner_id, scope_id, noun, kind, phase, count) \
        VALUES ({no}, {no}, 'chat_conversation', '', '', 1)",
        ],
    ),
    (
        "task_contract",
        &[],
        &[
            "UPDATE tasks SET contract_id = {contract stranger} WHERE name = 'idle'",
            "INSERT INTO counters (owner_id, scope_id, noun, kind, phase, count) VALUES ({ada}, {contract stranger}, 'task', '', '', 1)",
        ],
    ),
    ("task_parent", &[], &["UPDATE tasks SET parent_task_id = {no} WHERE name = 'idle'"]),
    ("task_continued", &[], &["UPDATE tasks SET continue_from_task_id = {no} WHERE name = 'idle'"]),
    ("task_daemon", &[], &["UPDATE tasks SET daemon_id = {no} WHERE name = 'idle'"]),
    ("task_target", &[], &["UPDATE tasks SET target_daemon_id = {no} WHERE name = 'idle'"]),
    ("task_conversation", &[], &["UPDATE tasks SET conversation_branch_id = {no} WHERE name = 'idle'"]),
    ("branch_task", &[], &[branch!("{no}", "NULL", "0")]),
    ("branch_base", &[], &[branch!("{idle}", "{ada}", "0")]),
    (
        "message_branch",
        &[],
        &[
            NEXT,
            "INSERT INTO conversation_messages (owner_id, branch_id, seq, id, task_id, run_number, feed_seq, \
        role, created_at, codec, body) SELECT owner_id, {no}, 0, {no}, task_id, run_number, {next}, role, created_at, codec, body \
        FROM conversation_messages WHERE task_id = {live} AND seq = 1",
            "UPDATE counters SET count = count + 1 WHERE noun = 'message' AND scope_id = {live}",
        ],
    ),
    ("record_branch", &[], &["UPDATE native_entries SET branch_id = {no} WHERE seq = -1"]),
    (
        "run_task",
        &[],
        &[
            "INSERT INTO runs (id, owner_id, task_id, number, daemon_id, agent, branch_id, last_entry, turn_seq, \
        started_at, ended_at, outcome) SELECT {no}, owner_id, {no}, 1, daemon_id, agent, branch_id, 0, 0, started_at, ended_at, \
        outcome FROM runs WHERE task_id = {done} AND number = 2",
        ],
    ),
    ("run_daemon", &[], &["UPDATE runs SET daemon_id = {no} WHERE task_id = {done} AND number = 1"]),
    ("run_branch", &[], &["UPDATE runs SET branch_id = {no} WHERE task_id = {done} AND number = 1"]),
    ("command_daemon", &[], &["UPDATE daemon_commands SET daemon_id = {no} WHERE state = 'done'"]),
    ("command_run", &[], &["UPDATE daemon_commands SET run_id = {no} WHERE state = 'done'"]),
    (
        "snapshot_task",
        &[],
        &[
            "UPDATE conversation_snapshots SET task_id = {no} WHERE snapshot_type = 'manual'",
            "UPDATE counters SET scope_id = {no} WHERE noun = 'snapshot' AND kind = 'manual'",
        ],
    ),
    (
        "snapshot_branch",
        &[],
        &["UPDATE conversation_snapshots SET branch_id = {no} WHERE snapshot_type = 'manual'"],
    ),
    (
        "snapshot_checkpoint",
        &[],
        &["UPDATE conversation_snapshots SET checkpoint_id = {no} WHERE snapshot_type = 'manual'"],
    ),
    ("checkpoint_task", &[], &[checkpoint!("NULL", "{no}")]),
    ("checkpoint_run", &[], &["UPDATE task_checkpoints SET run_id = {no} WHERE checkpoint_number = 3"]),
    ("checkpoint_branch", &[], &["UPDATE task_checkpoints SET branch_id = {no} WHERE checkpoint_number = 3"]),
    (
        "checkpoint_snapshot",
        &[],
        &["UPDATE task_checkpoints SET conversation_snapshot_id = {no} WHERE checkpoint_number = 3"],
    ),
    ("question_task", &[], &["UPDATE task_questions SET task_id = {no} WHERE answered_at IS NOT NULL"]),
    ("question_run", &[], &["UPDATE task_questions SET run_id = {no} WHERE answered_at IS NOT NULL"]),
    ("question_person", &[], &["UPDATE task_questions SET answered_by = {no} WHERE answered_at IS NOT NULL"]),
    ("inbox_task", &[], &["UPDATE task_inbox SET task_id = {no} WHERE delivered_run_id IS NULL"]),
    ("inbox_run", &[], &["UPDATE task_inbox SET delivered_run_id = {no} WHERE task_id = {done}"]),
    ("inbox_person", &[], &["UPDATE task_inbox SET principal_id = {no} WHERE delivered_run_id IS NULL"]),
    (
        "history_contract",
        &[],
        &[
            "UPDATE history_events SET contract_id = {contract stranger} WHERE task_id = {idle}",
            "INSERT INTO counters (owner_id, scope_id, noun, kind, phase, count) VALUES ({ada}, {contract stranger}, 'history', 'task', '', 1)",
        ],
    ),
    (
        "history_task",
        &[],
        &[
            "UPDATE history_events SET task_id = {no} WHERE task_id = {idle}",
            "UPDATE counters SET scope_id = {no} WHERE noun = 'history' AND scope_id = {idle}",
        ],
    ),
    (
        "event_task",
        &[],
        &[
            NEXT,
            "INSERT INTO task_events (id, owner_id, task_id, seq, run_number, event_type, event_data, created_at) \
        SELECT {no}, owner_id, {no}, {next}, 0, event_type, event_data, created_at FROM task_events \
        WHERE event_type = 'output' ORDER BY seq LIMIT 1",
            "INSERT INTO counters (owner_id, scope_id, noun, kind, phase, count) VALUES ({ada}, {no}, 'task_event', 'output', '', 1)",
        ],
    ),
    ("key_run", &[], &["UPDATE api_keys SET run_id = {no} WHERE kind = 'tool'"]),
    (
        "chat_contract",
        &[],
        &[
            "INSERT INTO contract_chat_conversations (id, owner_id, contract_id, name, is_active, created_at, \
        updated_at) SELECT {no}, owner_id, {no}, name, is_active, created_at, updated_at FROM mesh_chat_conversations \
        WHERE is_active",
            "INSERT INTO counters (owner_id, scope_id, noun, kind, phase, count) \
        VALUES ({ada}, {no}, 'chat_conversation', '', '', 1)",
        ],
    ),
    (
        "chat_message",
        &[],
        &[
            "UPDATE counters SET scope_id = {no} WHERE scope_id IN (SELECT conversation_id FROM mesh_chat_messages)",
            "UPDATE mesh_chat_messages SET conversation_id = {no}",
        ],
    ),
    ("chat_message_task", &[], &["UPDATE mesh_chat_messages SET context_task_id = {no}"]),
    (
        "contract_chat_message",
        &[],
        &[
            "UPDATE counters SET scope_id = {no} \
        WHERE scope_id IN (SELECT conversation_id FROM contract_chat_messages)",
            "UPDATE contract_chat_messages SET conversation_id = {no}",
        ],
    ),
    ("contract_chat_message_task", &[], &["UPDATE contract_chat_messages SET context_task_id = {no}"]),
    // Conversations.
    (
        "branch_start",
        &[],
        &[branch!("{idle}", "(SELECT conversation_branch_id FROM tasks WHERE name = 'done')", "99")],
    ),
    ("branch_beginning", &[], &[branch!("{idle}", "NULL", "5")]),
    ("branch_circle", &[], &[branch!("{idle}", "{no}", "0")]),
    (
        "branch_head",
        &[],
        &["UPDATE conversation_branches SET head_seq = head_seq + 1 WHERE task_id = {idle}"],
    ),
    (
        "message_numbers",
        &[],
        &[
            "DELETE FROM conversation_messages WHERE task_id = {live} AND seq = 1",
            "UPDATE counters SET count = count - 1 WHERE noun = 'message' AND scope_id = {live}",
        ],
    ),
    (
        "message_task",
        &[],
        &[
            "UPDATE conversation_messages SET task_id = {done} WHERE task_id = {live} AND seq = 1",
            "UPDATE counters SET count = count - 1 WHERE noun = 'message' AND scope_id = {live}",
            "UPDATE counters SET count = count + 1 WHERE noun = 'message' AND scope_id = {done}",
        ],
    ),
    (
        "message_run",
        &["message_order"],
        &["UPDATE conversation_messages SET run_number = 9 WHERE task_id = {live} AND seq = 1"],
    ),
    (
        "message_order",
        &[],
        &["UPDATE conversation_messages SET run_number = 2 WHERE task_id = {done} AND seq = 0"],
    ),
    (
        "message_double",
        &[],
        &["UPDATE conversation_messages SET id = \
        (SELECT id FROM conversation_messages AS one WHERE one.task_id = {live} AND one.seq = 1) WHERE task_id = {live} AND seq = 2"],
    ),
    ("record_place", &[], &["UPDATE native_entries SET seq = 99 WHERE seq = -1"]),
    (
        "snapshot_place",
        &[],
        &["UPDATE conversation_snapshots SET message_count = 99 WHERE snapshot_type = 'manual'"],
    ),
    (
        "snapshot_owner_task",
        &[],
        &["UPDATE conversation_snapshots SET branch_id = \
        (SELECT conversation_branch_id FROM tasks WHERE name = 'done') WHERE snapshot_type = 'manual'"],
    ),
    (
        "checkpoint_place",
        &[],
        &["UPDATE task_checkpoints SET message_count = 99 WHERE checkpoint_number = 3"],
    ),
    (
        "checkpoint_owner_task",
        &[],
        &["UPDATE task_checkpoints SET message_count = 0, branch_id = \
        (SELECT conversation_branch_id FROM tasks WHERE name = 'live') WHERE checkpoint_number = 3"],
    ),
    (
        "snapshot_of_checkpoint",
        &[],
        &["UPDATE conversation_snapshots SET message_count = 0 \
        WHERE checkpoint_id = (SELECT id FROM task_checkpoints WHERE checkpoint_number = 1)"],
    ),
    (
        "checkpoint_of_snapshot",
        &[],
        &["UPDATE task_checkpoints SET conversation_snapshot_id = \
        (SELECT id FROM conversation_snapshots WHERE snapshot_type = 'manual') WHERE checkpoint_number = 3"],
    ),
    // Tasks and checkpoints.
    (
        "task_head",
        &[],
        &[
            "UPDATE tasks SET conversation_branch_id = (SELECT id FROM conversation_branches WHERE task_id = {live}) \
        WHERE name = 'idle'",
        ],
    ),
    ("task_run_number", &[], &["UPDATE tasks SET run_number = 4 WHERE name = 'idle'"]),
    (
        "task_live",
        &[],
        &[
            "UPDATE runs SET ended_at = started_at, outcome = 'interrupted' WHERE task_id = {live}",
            "UPDATE task_questions SET withdrawn_at = asked_at WHERE task_id = {live} AND answered_at IS NULL",
        ],
    ),
    ("task_placed", &[], &["UPDATE tasks SET daemon_id = NULL WHERE name = 'live'"]),
    ("task_over", &[], &["UPDATE tasks SET completed_at = NULL WHERE name = 'done'"]),
    (
        "task_status_event",
        &[],
        &["UPDATE tasks SET status = 'failed', completed_at = created_at WHERE name = 'idle'"],
    ),
    ("task_usage", &[], &["UPDATE tasks SET total_tokens = total_tokens + 1 WHERE name = 'done'"]),
    ("task_usage", &[], &["UPDATE tasks SET total_cost = total_cost + 0.01 WHERE name = 'idle'"]),
    ("checkpoint_count", &[], &["UPDATE tasks SET checkpoint_count = 9 WHERE name = 'done'"]),
    ("checkpoint_last", &[], &["UPDATE tasks SET last_checkpoint_sha = '0000' WHERE name = 'done'"]),
    (
        "checkpoint_number",
        &[],
        &["UPDATE task_checkpoints SET checkpoint_number = 0 WHERE checkpoint_number = 3"],
    ),
    (
        "checkpoint_previous",
        &[],
        &["UPDATE task_checkpoints SET previous_checkpoint_id = {no} WHERE checkpoint_number = 3"],
    ),
    (
        "checkpoint_circle",
        &[],
        &["UPDATE task_checkpoints SET previous_checkpoint_id = id WHERE checkpoint_number = 1"],
    ),
    (
        "checkpoint_of_run",
        &[],
        &["UPDATE task_checkpoints SET run_id = (SELECT id FROM runs WHERE task_id = {live}) \
        WHERE checkpoint_number = 3"],
    ),
    ("checkpoint_patch", &[], &["UPDATE blobs SET bytes = bytes + 1"]),
    ("checkpoint_patch", &[], &["DELETE FROM blobs"]),
    // Runs.
    (
        "run_numbers",
        &[],
        &[
            "UPDATE runs SET number = 3 WHERE task_id = {done} AND number = 2",
            "UPDATE tasks SET run_number = 3 WHERE name = 'done'",
            "UPDATE conversation_messages SET run_number = 3 WHERE task_id = {done} AND run_number = 2",
        ],
    ),
    (
        "run_lives",
        &[],
        &[
            "DROP INDEX runs_live_of_task",
            "INSERT INTO runs (id, owner_id, task_id, number, daemon_id, agent, branch_id, last_entry, turn_seq, started_at) \
        SELECT {no}, owner_id, task_id, 2, daemon_id, agent, branch_id, 0, 0, started_at FROM runs WHERE task_id = {live}",
            "UPDATE tasks SET run_number = 2 WHERE name = 'live'",
        ],
    ),
    (
        "run_live",
        &[],
        &["UPDATE runs SET ended_at = NULL, outcome = NULL WHERE task_id = {done} AND number = 2"],
    ),
    ("run_end", &[], &["UPDATE runs SET outcome = NULL WHERE task_id = {done} AND number = 1"]),
    (
        "run_speaks",
        &[],
        &[
            "UPDATE runs SET turn_seq = 0, branch_id = (SELECT id FROM conversation_branches WHERE task_id = {live}) \
        WHERE task_id = {done} AND number = 1",
        ],
    ),
    ("run_turn", &[], &["UPDATE runs SET turn_seq = 99 WHERE task_id = {live}"]),
    ("question_waits", &[], &["UPDATE task_questions SET withdrawn_at = NULL WHERE task_id = {done}"]),
    ("question_answer", &[], &["UPDATE task_questions SET answered_by = NULL WHERE answered_at IS NOT NULL"]),
    (
        "question_of_run",
        &[],
        &["UPDATE task_questions SET run_id = (SELECT id FROM runs WHERE task_id = {done} AND number = 1) \
        WHERE answered_at IS NOT NULL"],
    ),
    (
        "inbox_of_run",
        &[],
        &["UPDATE task_inbox SET delivered_run_id = (SELECT id FROM runs WHERE task_id = {live}) \
        WHERE task_id = {done}"],
    ),
    ("inbox_delivered", &[], &["UPDATE task_inbox SET message_id = {no} WHERE task_id = {done}"]),
    ("inbox_waits", &[], &["UPDATE task_inbox SET delivered_run_id = NULL WHERE task_id = {done}"]),
    (
        "command_result",
        &[],
        &["UPDATE daemon_commands SET result = NULL, result_codec = NULL WHERE state = 'done'"],
    ),
    ("command_of_run", &[], &["UPDATE daemon_commands SET daemon_id = {spare} WHERE run_id IS NOT NULL"]),
    // Events.
    (
        "feed_double",
        &[],
        &["UPDATE task_events SET seq = (SELECT MIN(seq) FROM history_events WHERE owner_id = {ada}) \
        WHERE id = {notice}"],
    ),
    (
        "feed_history_and_message",
        &[],
        &["UPDATE conversation_messages SET feed_seq = \
        (SELECT MIN(seq) FROM history_events WHERE owner_id = {ada}) WHERE task_id = {live} AND seq = 1"],
    ),
    (
        "feed_event_and_message",
        &[],
        &["UPDATE conversation_messages SET feed_seq = \
        (SELECT MIN(seq) FROM task_events WHERE owner_id = {ada}) WHERE task_id = {live} AND seq = 1"],
    ),
    (
        "feed_messages",
        &[],
        &["UPDATE conversation_messages SET feed_seq = (SELECT feed_seq FROM conversation_messages AS one \
        WHERE one.task_id = {live} AND one.seq = 1) WHERE task_id = {live} AND seq = 2"],
    ),
    ("feed_history_ahead", &[], &["UPDATE history_events SET seq = 9999 WHERE task_id = {idle}"]),
    ("feed_event_ahead", &[], &["UPDATE task_events SET seq = 9999 WHERE id = {notice}"]),
    (
        "feed_message_ahead",
        &[],
        &["UPDATE conversation_messages SET feed_seq = 9999 WHERE task_id = {live} AND seq = 1"],
    ),
    ("record_ahead", &[], &["UPDATE native_entries SET ordinal = 9999 WHERE seq = -1"]),
    ("event_run", &[], &["UPDATE task_events SET run_number = 9 WHERE id = {notice}"]),
    (
        "event_status",
        &[],
        &[
            "UPDATE task_events SET previous_status = 'failed' WHERE task_id = {done} AND new_status = 'pending'",
        ],
    ),
    // Counts.
    (
        "count_contracts",
        &[],
        &["UPDATE counters SET count = count + 1 WHERE noun = 'contract' AND owner_id = {ada}"],
    ),
    ("count_tasks", &[], &["UPDATE counters SET count = count + 1 WHERE noun = 'task' AND scope_id = {ada}"]),
    (
        "count_history",
        &[],
        &["DELETE FROM counters WHERE noun = 'history' AND scope_id = {contract work} AND kind = 'task'"],
    ),
    (
        "count_events",
        &[],
        &["UPDATE counters SET count = count + 1 WHERE noun = 'task_event' AND scope_id = {live}"],
    ),
    (
        "count_messages",
        &[],
        &["UPDATE counters SET count = count + 1 WHERE noun = 'message' AND scope_id = {live}"],
    ),
    (
        "count_snapshots",
        &[],
        &["UPDATE counters SET count = count + 1 WHERE noun = 'snapshot' AND kind = 'manual'"],
    ),
    (
        "count_chat_conversations",
        &[],
        &["UPDATE counters SET count = 1 WHERE noun = 'chat_conversation' AND scope_id = {contract work}"],
    ),
    ("count_chat_messages", &[], &["UPDATE counters SET count = count + 1 WHERE noun = 'chat_message'"]),
    // Operations.
    ("operation_owner", &[], &["UPDATE operations SET owner_id = {no} WHERE state = 'abandoned'"]),
    ("operation_person", &[], &["UPDATE operations SET principal_id = {no} WHERE state = 'abandoned'"]),
    (
        "operation_undoes_none",
        &[],
        &["UPDATE operations SET kind = 'undo', undoes = {no} WHERE state = 'abandoned'"],
    ),
    ("operation_undone_by_none", &[], &["UPDATE operations SET undone_by = {no} WHERE state = 'abandoned'"]),
    ("task_deleted_by", &["trash_put"], &["UPDATE tasks SET deleted_by = {no} WHERE name = 'trashed'"]),
    (
        "contract_deleted_by",
        &["trash_put"],
        &["UPDATE contracts SET deleted_by = {no} WHERE name = 'dropped'"],
    ),
    (
        "checkpoint_put_away_by",
        &["put_away", "put_away_both"],
        &["UPDATE task_checkpoints SET put_away_by = {no} WHERE put_away_by IS NOT NULL"],
    ),
    (
        "snapshot_put_away_by",
        &["put_away_both"],
        &["UPDATE conversation_snapshots SET put_away_by = {no} WHERE put_away_by IS NOT NULL"],
    ),
    ("command_operation", &[], &["UPDATE daemon_commands SET operation_id = {no} WHERE state = 'failed'"]),
    ("request_owner", &[], &["UPDATE idempotency_keys SET owner_id = {no} WHERE status IS NULL"]),
    ("operation_end", &[], &["UPDATE operations SET finished_at = NULL WHERE state = 'abandoned'"]),
    ("operation_end", &[], &["UPDATE operations SET after = NULL WHERE kind = 'restore'"]),
    ("operation_end", &[], &["UPDATE operations SET error = 'no' WHERE kind = 'restore'"]),
    (
        "operation_on",
        &[],
        &["UPDATE operations SET task_id = NULL, contract_id = NULL WHERE kind = 'restore'"],
    ),
    ("operation_on", &[], &["UPDATE operations SET kind = 'undo' WHERE kind = 'restore'"]),
    (
        "operation_open_twice",
        &[],
        &[
            "UPDATE operations SET contract_id = {contract work} WHERE state = 'prepared' AND task_id = {live}",
            "INSERT INTO operations (id, owner_id, kind, state, contract_id, principal_id, origin, request, before, created_at) \
        SELECT {no}, owner_id, 'delete', state, contract_id, principal_id, origin, request, before, created_at FROM operations \
        WHERE state = 'prepared' AND task_id = {live}",
        ],
    ),
    (
        "operation_undone",
        &[],
        &[
            "UPDATE operations SET undone_by = (SELECT id FROM operations WHERE kind = 'restore') WHERE state = 'abandoned'",
        ],
    ),
    (
        "operation_undoes",
        &["trash_put"],
        &["UPDATE operations SET undone_by = NULL WHERE kind = 'delete' AND task_id = {returned}"],
    ),
    (
        "operation_undoes",
        &[],
        &[
            "UPDATE operations SET kind = 'undo', undoes = (SELECT id FROM operations WHERE kind = 'restore') \
        WHERE state = 'abandoned'",
        ],
    ),
    ("trash_time", &["count_tasks"], &["UPDATE tasks SET deleted_at = NULL WHERE name = 'trashed'"]),
    ("trash_time", &["count_contracts"], &["UPDATE contracts SET deleted_at = NULL WHERE name = 'dropped'"]),
    (
        "trash_task",
        &["count_tasks"],
        &[
            "UPDATE tasks SET deleted_at = created_at, deleted_by = (SELECT id FROM operations WHERE kind = 'restore') \
        WHERE name = 'returned'",
        ],
    ),
    (
        "trash_task",
        &["count_tasks"],
        &[
            "UPDATE tasks SET deleted_at = created_at, deleted_by = (SELECT id FROM operations WHERE kind = 'delete' \
        AND task_id = {returned}) WHERE name = 'returned'",
        ],
    ),
    (
        "trash_contract",
        &["count_contracts", "trash_of_contract"],
        &[
            "UPDATE contracts SET deleted_at = created_at, deleted_by = (SELECT id FROM operations WHERE kind = 'delete' \
        AND contract_id = {contract dropped}) WHERE name = 'work'",
        ],
    ),
    (
        "trash_of_contract",
        &["count_tasks"],
        &["UPDATE tasks SET deleted_at = NULL, deleted_by = NULL WHERE name = 'dropped'"],
    ),
    (
        "trash_put",
        &["count_tasks"],
        &["UPDATE tasks SET deleted_at = NULL, deleted_by = NULL WHERE name = 'redone'"],
    ),
    (
        "trash_put",
        &["count_contracts"],
        &["UPDATE contracts SET deleted_at = NULL, deleted_by = NULL WHERE name = 'dropped'"],
    ),
    (
        "put_away_by",
        &["put_away"],
        &[
            "UPDATE task_checkpoints SET put_away_by = (SELECT id FROM operations WHERE kind = 'restore') WHERE put_away_by IS NOT NULL",
            "UPDATE conversation_snapshots SET put_away_by = (SELECT id FROM operations WHERE kind = 'restore') \
        WHERE put_away_by IS NOT NULL",
        ],
    ),
    (
        "put_away_both",
        &["count_snapshots"],
        &["UPDATE conversation_snapshots SET put_away_by = NULL WHERE put_away_by IS NOT NULL"],
    ),
    (
        "put_away",
        &["count_snapshots", "checkpoint_count", "checkpoint_last"],
        &[
            "UPDATE task_checkpoints SET put_away_by = NULL",
            "UPDATE conversation_snapshots SET put_away_by = NULL",
        ],
    ),
    (
        "erased_is_there",
        &["trash_put", "erased_is_counted"],
        &[
            "UPDATE operations SET task_id = {idle} WHERE kind IN ('purge', 'delete') AND task_id = (SELECT task_id FROM operations \
        WHERE kind = 'purge' AND state = 'done' AND task_id IS NOT NULL)",
        ],
    ),
    (
        "erased_is_counted",
        &[],
        &[
            "INSERT INTO counters (owner_id, scope_id, noun, kind, phase, count) SELECT owner_id, task_id, 'message', '', '', 0 \
        FROM operations WHERE kind = 'purge' AND state = 'done' AND task_id IS NOT NULL",
        ],
    ),
    (
        "erased_is_counted",
        &[],
        &[
            "INSERT INTO counters (owner_id, scope_id, noun, kind, phase, count) SELECT owner_id, contract_id, 'task', '', '', 0 \
        FROM operations WHERE kind = 'purge' AND state = 'done' AND task_id IS NULL",
        ],
    ),
    (
        "erased_is_told",
        &[],
        &[
            "UPDATE operations SET error = NULL, request = '{\"message\": \"a secret\"}' WHERE kind = 'delete' \
        AND contract_id IN (SELECT contract_id FROM operations WHERE kind = 'purge' AND state = 'done')",
        ],
    ),
    (
        "operation_waits",
        &[],
        &[
            "UPDATE operations SET created_at = '2026-01-15T09:30:00.000000Z' WHERE state = 'prepared'",
            "UPDATE daemon_commands SET state = 'failed', error = 'no', updated_at = '2026-01-15T09:30:00.000000Z' \
        WHERE operation_id IS NOT NULL AND run_id IS NULL",
        ],
    ),
    // Keys and chats.
    ("key_of_agent", &[], &["UPDATE api_keys SET run_id = NULL WHERE kind = 'tool'"]),
    ("key_expiry", &[], &["UPDATE api_keys SET expires_at = NULL WHERE kind = 'session'"]),
    ("chat_active", &[], &["UPDATE mesh_chat_conversations SET is_active = FALSE"]),
    ("contract_chat_active", &[], &["UPDATE contract_chat_conversations SET is_active = FALSE"]),
    // Contents.
    ("unreadable", &[], &["UPDATE users SET kind = 'ghost' WHERE name = 'ada'"]),
    ("unreadable", &[], &["UPDATE daemons SET status = 'asleep' WHERE name = 'spare'"]),
    ("unreadable", &[], &["UPDATE contracts SET phase = 'dreams' WHERE name = 'work'"]),
    ("unreadable", &[], &["UPDATE tasks SET role = 'ghost' WHERE name = 'idle'"]),
    ("unreadable", &[], &["UPDATE conversation_branches SET reason = 'whim' WHERE task_id = {idle}"]),
    ("unreadable", &[], &["UPDATE runs SET outcome = 'bored' WHERE task_id = {done} AND number = 1"]),
    ("unreadable", &[], &["UPDATE daemon_commands SET codec = 99 WHERE state = 'queued'"]),
    ("unreadable", &[], &["UPDATE daemon_commands SET result_codec = 99 WHERE state = 'done'"]),
    ("unreadable", &[], &["UPDATE task_checkpoints SET kind = 'whim' WHERE checkpoint_number = 3"]),
    (
        "unreadable",
        &["count_snapshots"],
        &["UPDATE conversation_snapshots SET snapshot_type = 'whim' WHERE checkpoint_id IS NULL"],
    ),
    ("unreadable", &[], &["UPDATE task_questions SET codec = 99 WHERE task_id = {done}"]),
    ("unreadable", &[], &["UPDATE task_inbox SET codec = 99 WHERE task_id = {done}"]),
    (
        "unreadable",
        &["count_history"],
        &["UPDATE history_events SET phase = 'dreams' WHERE task_id = {idle}"],
    ),
    ("unreadable", &["count_events"], &["UPDATE task_events SET event_type = 'whim' WHERE id = {notice}"]),
    (
        "task_usage",
        &[],
        &["UPDATE task_events SET event_data = '{\"turn\": \"none\"}' \
        WHERE event_type = 'turn' AND run_number = 1"],
    ),
    ("unreadable", &["checkpoint_patch"], &["UPDATE blobs SET bytes = -1"]),
    ("unreadable", &[], &["UPDATE imports SET source = 'whim'"]),
    ("unreadable", &[], &["UPDATE operations SET origin = 'whim' WHERE state = 'abandoned'"]),
    ("unreadable", &[], &["UPDATE idempotency_keys SET codec = 99 WHERE status IS NOT NULL"]),
    ("unreadable", &[], &["UPDATE mesh_chat_messages SET codec = 99"]),
    ("unreadable", &[], &["UPDATE contract_chat_messages SET codec = 99"]),
    ("unreadable", &[], &["UPDATE conversation_messages SET codec = 99 WHERE task_id = {live} AND seq = 1"]),
    (
        "unreadable",
        &[],
        &["UPDATE conversation_messages SET role = 'prompter' WHERE task_id = {live} AND seq = 1"],
    ),
    ("unreadable", &[], &["UPDATE native_entries SET codec = 99 WHERE seq = -1"]),
    // A record that is read beside another message than it was packed with.
    ("unreadable", &[], &["UPDATE native_entries SET seq = seq - 1 WHERE seq = 1"]),
];
