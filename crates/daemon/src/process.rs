//! Processes of this machine, as `/proc` tells of them: whether one still is the one that was meant, and which ones a run
//! has left behind.
//!
//! While a run's host lives, all that came from its agent is found below it. A host that was killed leaves what it was the
//! parent of to others, so whatever belongs to a run carries two marks that go from parent to child: its id in the
//! environment, and a limit that limits nothing but is the run's own, which outlives an environment that was emptied, a
//! session or group of its own, and a parent that is gone. Nothing without either mark and not below a process with one is
//! ever killed. So what remains is what hides on purpose, by setting that limit anew and its environment too, and what
//! another program (an init system, a container's daemon, a terminal multiplexer) started for the agent.

use makima_model::RunId;
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, pidfd_open, pidfd_send_signal, setrlimit};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fs, io, sync::OnceLock, time::Duration};

/// How long processes that were killed may take to be gone: one that waits for a dead disk can't be waited for for ever.
const LONGEST_DEATH: Duration = Duration::from_secs(10);

/// A process, told from a later one that has its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Process {
    pid: i32,
    /// When it started: in ticks since the machine did, mixed with which start of the machine that was.
    started: u64,
}

/// What `/proc/<pid>/stat` says.
struct Stat {
    parent: i32,
    is_zombie: bool,
    started: u64,
}

impl Process {
    /// The process that asks.
    pub(crate) fn own() -> io::Result<Self> {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        Self::with_id(pid).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    /// The process that has this number now.
    pub(crate) fn with_id(pid: i32) -> Option<Self> {
        Some(Self { pid, started: stat(pid)?.started })
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.started == self.started && !stat.is_zombie)
    }

    /// Sends it a signal; one that is gone needs none.
    pub(crate) fn signal(self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        // The handle first, then the question whether it is the one that was meant: no later process is ever hit.
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        if self.is_alive() {
            let _ = pidfd_send_signal(handle, signal);
        }
    }
}

/// Marks the process that asks, and all that will come from it, as the run's. Where that is not allowed, since the limit
/// was lowered before, the environment alone tells them.
pub(crate) fn mark_own(run: RunId) {
    let mark = Some(limit_of(run));
    if let Err(error) = setrlimit(Resource::Rttime, Rlimit { current: mark, maximum: mark }) {
        tracing::warn!(%error, "processes that the run leaves behind are told by their environment alone");
    }
}

/// The limit that marks a run: microseconds that a process may run at real-time priority without sleeping, and more of
/// them than anybody will see pass.
fn limit_of(run: RunId) -> u64 {
    const AGES: u64 = 1 << 62;
    AGES | first_bytes(&blake3::hash(run.to_string().as_bytes())) >> 2
}

/// The processes that carry a mark of a run, those that came from `root`, and all that came from either; but not `root`
/// itself. Children outlive their parents: below a subreaper they are still found.
pub(crate) fn of_run(run: RunId, root: Option<Process>) -> Vec<Process> {
    let all: Vec<(Process, i32)> = numbers().filter_map(alive).collect();
    let (variable, limit) = (format!("MAKIMA_RUN_ID={run}"), limit_of(run).to_string());
    let is_marked = |pid: i32| carries(pid, variable.as_bytes()) || is_limited(pid, &limit);
    let mut found: BTreeSet<i32> = root.iter().map(|root| root.pid).collect();
    found.extend(all.iter().map(|(process, _)| process.pid).filter(|pid| is_marked(*pid)));
    loop {
        let before = found.len();
        found.extend(
            all.iter()
                .filter(|(_, parent)| found.contains(parent))
                .map(|(process, _)| process.pid)
                .collect::<Vec<_>>(),
        );
        if found.len() == before {
            break;
        }
    }
    let spared = root.map(|root| root.pid);
    all.into_iter()
        .map(|(process, _)| process)
        .filter(|process| found.contains(&process.pid) && Some(process.pid) != spared)
        .collect()
}

/// Kills everything that is [of a run](of_run), and waits until it is gone. `reap` is called now and then, for whoever is the
/// parent of some of it.
pub(crate) async fn end_run(run: RunId, root: Option<Process>, reap: impl Fn()) {
    let gone = async {
        loop {
            let left = of_run(run, root);
            if left.is_empty() {
                break;
            }
            left.iter().for_each(|process| process.signal(Signal::KILL));
            tokio::time::sleep(Duration::from_millis(5)).await;
            reap();
        }
    };
    if tokio::time::timeout(LONGEST_DEATH, gone).await.is_err() {
        tracing::warn!(%run, "some processes of the run can't be killed");
    }
}

fn alive(pid: i32) -> Option<(Process, i32)> {
    let stat = stat(pid).filter(|stat| !stat.is_zombie)?;
    Some((Process { pid, started: stat.started }, stat.parent))
}

fn numbers() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Whether the environment that a process was started with has this variable. Another user's can't be read.
fn carries(pid: i32, mark: &[u8]) -> bool {
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|variable| variable == mark))
}

/// Whether a process has this limit for its time at real-time priority.
fn is_limited(pid: i32, limit: &str) -> bool {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max realtime timeout"));
    line.is_some_and(|line| line.split_ascii_whitespace().take(2).any(|value| value == limit))
}

fn stat(pid: i32) -> Option<Stat> {
    let bytes = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The program's name stands in parentheses and may hold any byte.
    let after = memchr::memrchr(b')', &bytes)?;
    let text = std::str::from_utf8(bytes.get(after + 1..)?).ok()?;
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    Some(Stat {
        is_zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse::<u64>().ok()? ^ this_boot(),
    })
}

/// A number that is another one after each start of the machine.
fn this_boot() -> u64 {
    static BOOT: OnceLock<u64> = OnceLock::new();
    *BOOT.get_or_init(|| {
        let id = fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        first_bytes(&blake3::hash(&id))
    })
}

fn first_bytes(hash: &blake3::Hash) -> u64 {
    hash.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use makima_model::Clock;
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_is_known_by_its_start() {
        let own = Process::own().unwrap();
        assert!(own.is_alive());
        assert!(!Process { started: own.started + 1, ..own }.is_alive());
    }

    #[test]
    fn a_runs_processes_are_found_by_their_environment_and_killed() {
        let run: RunId = Clock::system().new_id();
        // The shell carries the id; the sleep below it was given an environment without it.
        let mut shell = Command::new("sh")
            .args(["-c", "env -i sleep 1000 & wait"])
            .env("MAKIMA_RUN_ID", run.to_string())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let found = loop {
            let found = of_run(run, None);
            if found.iter().any(|process| process.pid != i32::try_from(shell.id()).unwrap()) {
                break found;
            }
            std::thread::yield_now();
        };
        found.iter().for_each(|process| process.signal(Signal::KILL));
        shell.wait().unwrap();
        while found.iter().any(|process| process.is_alive()) {
            std::thread::yield_now();
        }
        assert!(of_run(run, None).is_empty());
    }

    #[test]
    fn a_limit_that_limits_nothing_tells_a_runs_processes_and_no_other_runs() {
        let (run, other): (RunId, RunId) = (Clock::system().new_id(), Clock::system().new_id());
        let limit = limit_of(run);
        assert_ne!(limit, limit_of(other));
        // Of a session and an environment of its own, and nobody's child any more.
        let script = format!("ulimit -R {limit}; setsid env -i sleep 1000 >/dev/null 2>&1 & echo $!");
        let output = Command::new("bash").args(["-c", &script]).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let found = loop {
            let found = of_run(run, None);
            if !found.is_empty() {
                break found;
            }
            std::thread::yield_now();
        };
        assert_eq!(found.iter().map(|process| process.pid.to_string()).collect::<Vec<_>>(), [said.trim()]);
        assert!(of_run(other, None).is_empty());
        found.iter().for_each(|process| process.signal(Signal::KILL));
    }
}
