//! What the store promises, on both engines: every test here runs on SQLite and on PostgreSQL.

#[macro_use]
#[path = "suite/lab.rs"]
mod lab;

#[path = "suite/accounts.rs"]
mod accounts;
#[path = "suite/schema.rs"]
mod schema;
