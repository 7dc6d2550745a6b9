//! Ids, entities, state machines and the branch algebra: pure
