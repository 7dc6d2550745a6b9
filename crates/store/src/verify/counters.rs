//! Counts that lists answer as their totals: each is what counting says.

use super::rule::rules;

const WRONG: &str = "lists answer a wrong total and miss nothing: set `count` in `counters` to what was counted, and report it with this line";

/// Counts of a noun that differ from what counting says: `counted` has the scopes, kinds and phases.
macro_rules! counts {
    ($noun:literal, $($counted:expr),+) => {
        concat!(
            "SELECT told.scope_id AS id, CAST(SUM(told.kept) AS BIGINT) AS a, CAST(SUM(told.counted) AS BIGINT) AS b, \
            told.kind || CASE told.phase WHEN '' THEN '' ELSE ' in ' || told.phase END AS word FROM (\
            SELECT owner_id, scope_id, kind, phase, count AS kept, 0 AS counted FROM counters WHERE noun = '",
            $noun,
            "'",
            $(" UNION ALL ", $counted,)+
            ") AS told GROUP BY told.owner_id, told.scope_id, told.kind, told.phase HAVING SUM(told.kept) <> SUM(told.counted)"
        )
    };
}

/// One way of counting: the rows of a table, all or those of which a condition holds, by a scope, a kind and a phase.
macro_rules! counted {
    ($table:literal, $scope:literal, $kind:literal, $phase:literal) => {
        counted!($table, $scope, $kind, $phase, "1 = 1")
    };
    ($table:literal, $scope:literal, $kind:literal, $phase:literal, $condition:literal) => {
        concat!(
            "SELECT owner_id, ",
            $scope,
            ", ",
            $kind,
            ", ",
            $phase,
            ", 0, COUNT(*) FROM ",
            $table,
            " WHERE ",
            $scope,
            " IS NOT NULL AND ",
            $condition,
            " GROUP BY 1, 2, 3, 4"
        )
    };
}

rules! {
    count_contracts: "owner", "{a} contracts that are {word} are counted, and there are {b}", WRONG,
        counts!("contract", counted!("contracts", "owner_id", "status", "''", "deleted_at IS NULL"));
    count_tasks: "owner or contract", "{a} tasks are counted, and there are {b}", WRONG,
        counts!("task", counted!("tasks", "owner_id", "''", "''", "deleted_at IS NULL"),
            counted!("tasks", "contract_id", "''", "''", "deleted_at IS NULL"));
    count_history: "owner, contract or task", "{a} events of the timeline about {word} are counted, and there are {b}", WRONG,
        counts!("history", counted!("history_events", "owner_id", "event_type", "COALESCE(phase, '')"),
            counted!("history_events", "contract_id", "event_type", "COALESCE(phase, '')"),
            counted!("history_events", "task_id", "event_type", "COALESCE(phase, '')"));
    count_events: "task", "{a} of its {word} events are counted, and there are {b}", WRONG,
        counts!("task_event", counted!("task_events", "task_id", "event_type", "''"));
    count_messages: "task", "{a} of its messages are counted, and there are {b}", WRONG,
        counts!("message", counted!("conversation_messages", "task_id", "''", "''"));
    count_snapshots: "task", "{a} of its {word} snapshots are counted, and there are {b}", WRONG,
        counts!("snapshot", counted!("conversation_snapshots", "task_id", "snapshot_type", "''", "put_away_by IS NULL"));
    count_chat_conversations: "owner or contract", "{a} conversations of its chat are counted, and there are {b}", WRONG,
        counts!("chat_conversation", counted!("mesh_chat_conversations", "owner_id", "''", "''"),
            counted!("contract_chat_conversations", "contract_id", "''", "''"));
    count_chat_messages: "conversation", "{a} messages of the chat are counted, and there are {b}", WRONG,
        counts!("chat_message", counted!("mesh_chat_messages", "conversation_id", "''", "''"),
            counted!("contract_chat_messages", "conversation_id", "''", "''"));
}
