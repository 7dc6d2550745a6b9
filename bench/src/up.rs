//! `makima up`, as a user starts it, but for its folders: a process of its own.

use crate::environment;
use anyhow::{Context, Result, ensure};
use makima_model::OwnerId;
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

/// One that is ready.
pub(crate) struct Up {
    child: Child,
    pub(crate) ready: Ready,
    /// How long that took from its start.
    pub(crate) ready_after: Duration,
}

/// What it says when it is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ready {
    pub(crate) url: String,
    pub(crate) api_key: String,
    pub(crate) owner_id: OwnerId,
}

/// In bytes, as ratios are made of them.
#[derive(Debug, PartialEq)]
pub(crate) struct Memory {
    /// All pages that it has in memory.
    pub(crate) rss: f64,
    /// The same, those that other processes have too counted in part.
    pub(crate) pss: f64,
}

/// What it is built with.
const BUILT: &str = "cargo build --release --package makima --bin makima";

/// The release build, which lies beside this program.
pub(crate) fn program() -> Result<PathBuf> {
    let program = environment::beside("makima")?;
    ensure!(program.is_file(), "{} is not there: build it with `{BUILT}`", program.display());
    Ok(program)
}

impl Up {
    /// Starts it with a data folder in `home`, where its configuration may be. It finds git, and no agent but what that names.
    pub(crate) fn start(program: &Path, home: &Path) -> Result<Self> {
        let path = home.join("bin");
        if !path.exists() {
            let git = environment::hermetic(home).program("git").context("git is on PATH")?;
            fs::create_dir(&path)?;
            symlink(git, path.join("git"))?;
        }
        let mut command = Command::new(program);
        command.args(["up", "--json", "--listen", "127.0.0.1:0", "--data-dir"]).arg(home.join("data"));
        command.env_clear().env("PATH", path).env("HOME", home);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let start = Instant::now();
        let mut child = command.spawn().with_context(|| format!("{} did not start", program.display()))?;
        let ready = child.stdout.take().context("its output is a pipe").and_then(Ready::read);
        let ready_after = start.elapsed();
        match ready {
            Ok(ready) => Ok(Self { child, ready, ready_after }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error).context("`makima up` did not say that it is ready")
            }
        }
    }

    pub(crate) fn memory(&self) -> Result<Memory> {
        let said = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        Memory::read(&said).context("the system does not tell what memory a process has")
    }

    /// Ends it in good order.
    pub(crate) fn stop(mut self) -> Result<()> {
        let pid = Pid::from_raw(self.child.id().cast_signed()).context("a process has a number")?;
        kill_process(pid, Signal::INT)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "`makima up` ended badly: {status}");
        Ok(())
    }
}

impl Ready {
    fn read(stdout: ChildStdout) -> Result<Self> {
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Up {
    /// Where a measurement failed it would go on.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Memory {
    /// `Rss:   29536 kB`, one a line.
    fn read(rollup: &str) -> Option<Self> {
        let bytes = |name: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            Some(line.trim().strip_suffix(" kB")?.parse::<f64>().ok()? * 1024.0)
        };
        Some(Self { rss: bytes("Rss")?, pss: bytes("Pss")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_the_system_tells_it() {
        let said = "5500-7ffd ---p 00000000 00:00 0   [rollup]\nRss:           29536 kB\nPss:           27430 kB\nPss_Anon:       5068 kB\n";
        assert_eq!(Memory::read(said), Some(Memory { rss: 29536.0 * 1024.0, pss: 27430.0 * 1024.0 }));
        assert_eq!(Memory::read("Rss: 1 kB\n"), None);
    }
}
