//! The client of the server's API: the command line, the daemon and the server's own tests use this one.

mod again;
pub mod daemon;
mod error;
mod export;
mod http;
mod messages;
mod sse;
mod tls;

pub use error::ClientError;
pub use export::Export;
pub use http::{Client, FeedEvent, Making, ServerHealth};
