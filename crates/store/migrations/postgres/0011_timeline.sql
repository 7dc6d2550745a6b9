-- The same indexes as migrations/sqlite/0011_timeline.sql, which says what they are for.
CREATE INDEX history_events_of_owner ON history_events (owner_id, created_at, id);
CREATE INDEX history_events_of_owner_by_kind ON history_events (owner_id, event_type, created_at, id);
CREATE INDEX history_events_of_contract ON history_events (contract_id, created_at, id) WHERE contract_id IS NOT NULL;
CREATE INDEX history_events_of_contract_by_kind ON history_events (contract_id, event_type, created_at, id)
    WHERE contract_id IS NOT NULL;
CREATE INDEX history_events_of_task ON history_events (task_id, created_at, id) WHERE task_id IS NOT NULL;

CREATE INDEX history_events_of_trash ON history_events (owner_id, created_at, id)
    WHERE event_subtype IN ('task_deleted', 'contract_deleted');

CREATE INDEX tasks_trash ON tasks (owner_id, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX contracts_trash ON contracts (owner_id, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX tasks_parent ON tasks (parent_task_id) WHERE parent_task_id IS NOT NULL;
