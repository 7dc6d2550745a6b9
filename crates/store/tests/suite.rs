//! What the store promises, on both engines: every test here runs on SQLite and on PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails here fails its test, and says where")]

#[macro_use]
#[path = "suite/lab.rs"]
mod lab;

#[path = "suite/accounts.rs"]
mod accounts;
#[path = "suite/chats.rs"]
mod chats;
#[path = "suite/concurrency.rs"]
mod concurrency;
#[path = "suite/contracts.rs"]
mod contracts;
#[path = "suite/conversations.rs"]
mod conversations;
#[path = "suite/disks.rs"]
mod disks;
#[path = "suite/events.rs"]
mod events;
#[path = "suite/idempotency.rs"]
mod idempotency;
#[path = "suite/imports.rs"]
mod imports;
#[path = "suite/operations.rs"]
mod operations;
#[path = "suite/places.rs"]
mod places;
#[path = "suite/plans.rs"]
mod plans;
#[path = "suite/runs.rs"]
mod runs;
#[path = "suite/schema.rs"]
mod schema;
#[path = "suite/search.rs"]
mod search;
#[path = "suite/tasks.rs"]
mod tasks;
#[path = "suite/timeline.rs"]
mod timeline;
#[path = "suite/tree.rs"]
mod tree;
#[path = "suite/upgrades.rs"]
mod upgrades;
