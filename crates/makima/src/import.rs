//! Reading sessions that agents recorded without us, and handing them to the server.

mod commits;
mod files;
mod lines;
mod session;

pub(crate) use files::session_files;
pub(crate) use session::{Importer, Outcome, State};
