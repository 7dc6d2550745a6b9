//! The server as its clients and daemons see it, on both engines.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod imports;
mod lab;

mod access;
mod chats;
mod continued;
mod contracts;
mod conversations;
mod diffs;
mod disks;
mod examples;
mod exports;
mod feed;
mod idempotency;
mod operations;
mod pages;
mod points;
mod preconditions;
mod reading;
mod refusals;
mod replicas;
mod runs;
mod search;
mod snapshots;
mod tasks;
mod timeline;
mod together;

/// One test a scenario and engine.
macro_rules! on_both {
    ($($(#[$attribute:meta])* async fn $name:ident($engine:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn scenario($engine: $crate::lab::Engine) $body

            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                scenario($crate::lab::Engine::Sqlite).await;
            }

            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                scenario($crate::lab::Engine::Postgres).await;
            }
        }
    )*};
}
pub(crate) use on_both;
