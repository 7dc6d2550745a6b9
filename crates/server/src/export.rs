//! Exports: all of a task or a contract, as an archive for programs or as a page to read (`docs/export.md`).
//!
//! An archive is gathered in files first, so that whatever goes wrong is an answer of its own and no archive that breaks off, and
//! then packed as it is sent. A page is written as it is sent. Neither is ever held, however long the conversations are.

mod archive;
mod code;
mod conversations;
mod lines;
mod packed;
mod page;
mod rows;
mod spool;

mod walk;

pub(crate) use packed::packed;
pub(crate) use page::PageFormat;
pub(crate) use spool::{Spool, SpoolError};

use makima_model::{ContractId, TaskId, slug};

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exported {
    /// A contract with all its tasks.
    Contract(ContractId),
    /// A task.
    Task(TaskId),
}

/// What an export is called as a file: the same on every system, whatever its name says.
fn file_name(name: &str, short: &str, ending: &str) -> String {
    format!("makima-{}-{short}.{ending}", slug(name))
}
