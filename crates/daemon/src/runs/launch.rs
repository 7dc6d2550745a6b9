//! Starts a run's host.

use crate::{DaemonError, disk, host, process::Process};
use std::{
    fs::OpenOptions,
    os::unix::{fs::OpenOptionsExt, process::ExitStatusExt},
    path::Path,
    process::Stdio,
    time::Duration,
};
use tokio::{io::AsyncReadExt, process::Command};

/// Where a host's own words go.
const LOG: &str = "host.log";
/// How many of them are told if it doesn't start.
const WORDS: usize = 2000;
/// How long it may take to set itself up.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it may take to exit once it has closed its output.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Starts the host of the run in this folder, and waits until it can be talked to.
pub(super) async fn host(folder: &Path, program: &Path) -> Result<Process, DaemonError> {
    let log = folder.join(LOG);
    let stderr = disk::off_thread({
        let log = log.clone();
        move || {
            let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&log);
            opened.map_err(|source| DaemonError::write(&log, source))
        }
    })
    .await?;
    let mut command = Command::new(program);
    // It is told everything by a file: nothing of our environment can reach the agent through it.
    command.arg("run-host").arg(folder).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
    let mut child =
        command.spawn().map_err(|source| DaemonError::HostProgram { program: program.to_owned(), source })?;
    let mut said = vec![0; host::READY.len()];
    let ready = match child.stdout.take() {
        Some(mut stdout) => tokio::time::timeout(PATIENCE, stdout.read_exact(&mut said)).await,
        None => Ok(Ok(0)),
    };
    if !matches!(ready, Ok(Ok(_))) || said != host::READY {
        // One that closed its output is about to exit, if it has not; only one that is late is killed by us.
        let exited = tokio::time::timeout(LAST_WORDS, child.wait()).await;
        if matches!(exited, Ok(Ok(status)) if status.signal().is_some()) {
            return Err(DaemonError::HostKilled);
        }
        let _ = child.kill().await;
        let words = tokio::fs::read(&log).await.unwrap_or_default();
        let words = String::from_utf8_lossy(&words[words.len().saturating_sub(WORDS)..]).trim().to_owned();
        return Err(DaemonError::HostSilent { words });
    }
    // It is our child for as long as we live, and takes its leave through us.
    tokio::spawn(async move { child.wait().await });
    let silent = || DaemonError::HostSilent { words: "it left no word of its process".to_owned() };
    let folder = folder.to_owned();
    disk::off_thread(move || host::started_in(&folder)).await?.ok_or_else(silent)
}
