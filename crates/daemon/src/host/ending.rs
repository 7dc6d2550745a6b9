//! The word that a host leaves of how its agent ended.

use crate::{DaemonError, disk};
use makima_model::RunEnd;
use std::path::Path;

const FILE: &str = "ending.json";

/// Leaves it. Nothing of the agent runs any more.
pub(super) fn leave(folder: &Path, end: &RunEnd) -> Result<(), DaemonError> {
    disk::write_json(&folder.join(FILE), end)
}

/// What the host in this folder left; `None` where it came to no end of its own.
pub(crate) fn left_by(folder: &Path) -> Result<Option<RunEnd>, DaemonError> {
    disk::read_json(&folder.join(FILE))
}
