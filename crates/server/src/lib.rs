//! The server: the HTTP API, the daemons' connections, the live feed.
//!
//! It asks daemons and keeps what they tell; it never runs git, an agent or any other program itself.

mod app;
mod blobs;
mod caller;
mod connection;
mod cursor;
mod error;
mod export;
mod extract;
mod feed;
mod hosts;
mod ingest;
mod limits;
mod metrics;
mod once;
mod precondition;
mod reference;
mod routes;
mod server;
pub mod verify;
mod web;

pub use app::{App, NewUser, Settings};
pub use caller::{Caller, Via};
pub use error::ApiError;
pub use hosts::Hosts;
pub use reference::api_reference;
pub use routes::{
    access::{Reach, Rule, rule},
    openapi,
};
pub use server::{Server, ServerConfig, ServerError};
pub use web::{Asset, Assets};

pub(crate) use app::WeakApp;
