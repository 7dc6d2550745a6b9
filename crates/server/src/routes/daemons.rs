//! Daemons: what owners see of them, and what they themselves use.

pub(crate) mod blob;
pub(crate) mod bundle;
pub(crate) mod connect;
pub(crate) mod list;
pub(crate) mod session;
