-- The timeline, by time: what is imported comes late and tells of times long past, so its order is not that of the numbers that
-- events are given as they come. One index for each thing that has a timeline, and one more for each kind of entry where entries
-- of a rare kind would be looked for among very many others.
CREATE INDEX history_events_of_owner ON history_events (owner_id, created_at, id);
CREATE INDEX history_events_of_owner_by_kind ON history_events (owner_id, event_type, created_at, id);
CREATE INDEX history_events_of_contract ON history_events (contract_id, created_at, id) WHERE contract_id IS NOT NULL;
CREATE INDEX history_events_of_contract_by_kind ON history_events (contract_id, event_type, created_at, id)
    WHERE contract_id IS NOT NULL;
CREATE INDEX history_events_of_task ON history_events (task_id, created_at, id) WHERE task_id IS NOT NULL;

-- What tells of the trash: it is told though what it is about lies there.
CREATE INDEX history_events_of_trash ON history_events (owner_id, created_at, id)
    WHERE event_subtype IN ('task_deleted', 'contract_deleted');

-- What lies in the trash, and the tree of tasks.
CREATE INDEX tasks_trash ON tasks (owner_id, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX contracts_trash ON contracts (owner_id, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX tasks_parent ON tasks (parent_task_id) WHERE parent_task_id IS NOT NULL;
