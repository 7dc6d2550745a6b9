//! The server: the HTTP API, the daemons' connections, the live feed.
//!
//! It asks daemons and keeps what they tell; it never runs git, an agent or any other program itself.

mod app;
mod blobs;
mod caller;
mod connection;
mod cursor;
mod error;
mod extract;
mod feed;
mod ingest;
mod routes;
mod server;

pub use app::{App, NewUser, Settings};
pub use caller::Caller;
pub use error::ApiError;
pub use routes::openapi;
pub use server::{Server, ServerConfig, ServerError};

pub(crate) use app::WeakApp;
