//! The run host: a process of its own for each run, so that an agent outlives its daemon.
//!
//! It owns the agent's pipes and, while it lives, the run's journal; it feeds the agent's [dialogue](makima_agents::Dialogue),
//! and stops the agent in order. It knows no database, no network and no git: what those are needed for it leaves to the
//! daemon, which it waits for between two turns. When the agent is gone, with every process that came from it, the host
//! leaves word of how it ended and exits. The run's last entry is the daemon's: what has to be done with the worktree
//! comes before it.

mod agent_process;
mod course;
mod daemon_side;
mod ending;
mod lines;
mod quiet;
mod reached;
mod spec;
mod streamed;

pub(crate) use course::stopped;
pub(crate) use ending::left_by;
pub(crate) use reached::Reached;
pub use spec::Patience;
pub(crate) use spec::{AgentSpec, HostSpec, ProgramSpec, ResumeSpec};
pub(crate) use streamed::streamed_in;

use crate::{
    DaemonError, disk,
    error::told,
    journal::Journal,
    process::{self, Process},
    socket,
};
use course::Course;
use makima_model::Clock;
use std::{io::Write, path::Path, time::Duration};

/// What a host writes to its standard output when it can be talked to.
pub(crate) const READY: &[u8] = b"ready\n";

/// How long to wait before something is tried again that the disk did not take.
const NEXT_TRY: Duration = Duration::from_secs(1);

/// The file that tells which process the host is.
const PROCESS: &str = "process.json";

/// Hosts the run whose folder this is, until its agent has ended: `makima run-host <run folder>`.
///
/// To be called outside of any asynchronous runtime, in a process that does nothing else: it becomes the parent of all
/// orphans below it.
pub fn run(folder: &Path) -> Result<(), DaemonError> {
    // Whoever leads a session already, such as a host that was started by hand, needs none of its own.
    let _ = rustix::process::setsid();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(|source| {
        DaemonError::Host { act: "become the parent of its orphans", source: source.into() }
    })?;
    let spec = HostSpec::read(folder)?;
    process::mark_own(spec.run);
    let (journal, _) = Journal::open(folder, Clock::system())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| DaemonError::Host { act: "set up its runtime", source })?;
    runtime.block_on(host(folder, spec, journal))
}

async fn host(folder: &Path, spec: HostSpec, journal: Journal) -> Result<(), DaemonError> {
    let listener = socket::listen(folder)?;
    let own = Process::own().map_err(|source| DaemonError::Host { act: "find itself in /proc", source })?;
    disk::write_json(&folder.join(PROCESS), &own)?;
    announce();
    let end = Course::begin(folder, spec, journal, listener)?.run().await?;
    // Without its word the run would count as killed.
    while let Err(error) = ending::leave(folder, &end) {
        tracing::error!(error = told(&error), "how the agent ended can't be written; trying again");
        tokio::time::sleep(NEXT_TRY).await;
    }
    Ok(())
}

/// Tells whoever started the host that it listens. A daemon that is gone already will find the socket by itself.
fn announce() {
    let mut out = std::io::stdout();
    let _ = out.write_all(READY).and_then(|()| out.flush());
}

/// The host that was started for the run in this folder; `None` where none ever was.
pub(crate) fn started_in(folder: &Path) -> Result<Option<Process>, DaemonError> {
    disk::read_json(&folder.join(PROCESS))
}
