//! The agent's program: its pipes, its signals, and everything that came from it.

use super::spec::ProgramSpec;
use crate::process::{self, Process};
use makima_agents::Exit;
use makima_model::RunId;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, wait};
use std::{
    io,
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{ChildStderr, ChildStdin, ChildStdout},
    sync::mpsc,
    task::JoinHandle,
};

/// How much of the end of its standard error is kept.
const STDERR: usize = 8 << 10;

/// An agent's program that was started.
pub(super) struct AgentProcess {
    run: RunId,
    pid: Pid,
    input: Option<mpsc::UnboundedSender<Vec<u8>>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    stderr_read: JoinHandle<()>,
}

impl AgentProcess {
    /// Starts it, and answers what it will write to.
    pub(super) fn start(run: RunId, program: &ProgramSpec) -> io::Result<(Self, ChildStdout)> {
        let (name, arguments) =
            program.command.split_first().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut command = Command::new(name);
        command.args(arguments).env_clear().envs(&program.environment).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(folder) = &program.working_folder {
            command.current_dir(folder);
        }
        // Not tokio's: all children are reaped in one place, orphans that were adopted among them.
        let mut child = command.spawn()?;
        let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(missing)?;
        let stdin = ChildStdin::from_std(child.stdin.take().ok_or_else(missing)?)?;
        let stdout = ChildStdout::from_std(child.stdout.take().ok_or_else(missing)?)?;
        let stderr = ChildStderr::from_std(child.stderr.take().ok_or_else(missing)?)?;
        let (input, inputs) = mpsc::unbounded_channel();
        tokio::spawn(feed(stdin, inputs));
        let kept = Arc::new(Mutex::new(Vec::new()));
        let stderr_read = tokio::spawn(keep_end(stderr, Arc::clone(&kept)));
        Ok((Self { run, pid, input: Some(input), stderr: kept, stderr_read }, stdout))
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Writes to its standard input, as fast as it reads.
    pub(super) fn write(&self, bytes: Vec<u8>) {
        if let Some(input) = &self.input {
            // An agent that is gone is told of by its exit.
            let _ = input.send(bytes);
        }
    }

    /// Closes its standard input, once all is written.
    pub(super) fn close_input(&mut self) {
        self.input = None;
    }

    /// Signals it and those of its children that share its process group.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.pid, signal);
    }

    /// Takes leave of all children that have exited. Answers how the agent did, if it is among them.
    pub(super) fn reap(&self) -> Option<WaitStatus> {
        let mut agent = None;
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if pid == self.pid {
                agent = Some(status);
            }
        }
        agent
    }

    /// Kills everything that came from the agent, whichever session it is in, and waits until it is gone.
    pub(super) async fn end_descendants(&self) {
        process::end_run(self.run, Process::own().ok(), || {
            self.reap();
        })
        .await;
        self.reap();
    }

    /// How it ended, in its own last words. All that could hold its pipes is gone.
    pub(super) async fn exit(self, status: WaitStatus) -> Exit {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.stderr_read).await;
        let stderr = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        Exit {
            code: status.exit_status(),
            signal: status.terminating_signal(),
            stderr: String::from_utf8_lossy(&stderr).trim().to_owned(),
        }
    }
}

async fn feed(mut stdin: ChildStdin, mut inputs: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(bytes) = inputs.recv().await {
        if stdin.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn keep_end(mut stderr: ChildStderr, kept: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&buffer[..read]);
        let surplus = kept.len().saturating_sub(STDERR);
        kept.drain(..surplus);
    }
}
