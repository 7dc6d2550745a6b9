//! `makima run-host`: what the daemon starts for each run.

use crate::failure::{Exit, Failure, chain};
use clap::Args;
use std::path::PathBuf;

/// Host the agent of a run; the daemon calls this
#[derive(Debug, Args)]
#[command(hide = true)]
pub(crate) struct RunHostArguments {
    /// The run's folder
    folder: PathBuf,
}

/// Hosts a run until its agent has ended.
pub(crate) fn run_host(arguments: &RunHostArguments) -> Result<Exit, Failure> {
    makima_daemon::host::run(&arguments.folder).map_err(|error| Failure::new(chain(&error)))?;
    Ok(Exit::Done)
}
