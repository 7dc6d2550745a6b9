//! The process itself: fed, read and waited for together, and killed with its children when nobody waits any more.

use std::fs::File;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::Command;

use crate::GitError;

/// How much of git's stderr is kept: its last words are the ones that count.
const WORDS: usize = 64 * 1024;

pub(super) struct Ready {
    pub(super) command: Command,
    pub(super) name: String,
    pub(super) stdin: Stdin,
    pub(super) timeout: Option<Duration>,
}

pub(super) enum Stdin {
    Nothing,
    Bytes(Vec<u8>),
    File(File),
}

pub(super) enum Stdout<'a> {
    Whole(&'a mut Vec<u8>, u64),
    Copied(&'a mut (dyn AsyncWrite + Unpin + Send)),
}

pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) stderr: Vec<u8>,
    within_limit: bool,
}

/// git in a process group of its own: helpers (ssh, upload-pack) end with it, and Ctrl-C in a terminal is ours.
struct Group(Option<Pid>);

impl Group {
    fn kill(&mut self) {
        if let Some(leader) = self.0.take() {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(super) async fn run(
    ready: Ready,
    stdout: Stdout<'_>,
    lines: Option<&mut (dyn FnMut(&str) + Send)>,
) -> Result<Ended, GitError> {
    let Ready { mut command, name, stdin, timeout } = ready;
    let most = match &stdout {
        Stdout::Whole(_, limit) => Some(*limit),
        Stdout::Copied(..) => None,
    };
    let work = drive(&mut command, stdin, stdout, lines);
    let ended = match timeout {
        None => work.await,
        Some(after) => match tokio::time::timeout(after, work).await {
            Ok(ended) => ended,
            Err(_) => return Err(GitError::TimedOut { command: name, after }),
        },
    };
    let ended = ended.map_err(|source| GitError::Run { command: name.clone(), source })?;
    match most {
        Some(limit) if !ended.within_limit => Err(GitError::TooMuch { command: name, limit }),
        _ => Ok(ended),
    }
}

async fn drive(
    command: &mut Command,
    stdin: Stdin,
    stdout: Stdout<'_>,
    lines: Option<&mut (dyn FnMut(&str) + Send)>,
) -> io::Result<Ended> {
    let (fed, bytes) = match stdin {
        Stdin::Nothing => (Stdio::null(), Vec::new()),
        Stdin::Bytes(bytes) => (Stdio::piped(), bytes),
        Stdin::File(file) => (Stdio::from(file), Vec::new()),
    };
    command.stdin(fed).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let mut child = command.spawn()?;
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let (to, from, words) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut to) = to {
            // A git that ends early breaks the pipe; its own words say why.
            let _ = to.write_all(&bytes).await;
            let _ = to.shutdown().await;
        }
    };
    let read = async {
        let within = match (from, stdout) {
            (Some(from), Stdout::Whole(all, limit)) => whole(from, all, limit).await,
            (Some(from), Stdout::Copied(out)) => copy(from, out).await.map(|()| true),
            (None, _) => Ok(true),
        };
        if !matches!(within, Ok(true)) {
            group.kill();
        }
        within
    };
    let listen = listen(words, lines);
    let (_, within, stderr) = tokio::join!(feed, read, listen);
    let (within_limit, stderr) = (within?, stderr?);
    let status = child.wait().await?;
    group.0 = None;
    Ok(Ended { code: status.code(), stderr, within_limit })
}

async fn whole(mut from: impl AsyncRead + Unpin, all: &mut Vec<u8>, limit: u64) -> io::Result<bool> {
    (&mut from).take(limit + 1).read_to_end(all).await?;
    Ok(all.len() as u64 <= limit)
}

async fn copy(mut from: impl AsyncRead + Unpin, out: &mut (dyn AsyncWrite + Unpin + Send)) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer).await? {
            0 => return out.flush().await,
            read => out.write_all(&buffer[..read]).await?,
        }
    }
}

async fn listen(
    from: Option<impl AsyncRead + Unpin>,
    mut lines: Option<&mut (dyn FnMut(&str) + Send)>,
) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut line = Vec::new();
    let mut buffer = [0; 8 * 1024];
    let Some(mut from) = from else { return Ok(kept) };
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(kept);
        }
        kept.extend_from_slice(&buffer[..read]);
        if kept.len() > 2 * WORDS {
            kept.drain(..kept.len() - WORDS);
        }
        let Some(lines) = lines.as_deref_mut() else { continue };
        for &byte in &buffer[..read] {
            match byte {
                b'\r' | b'\n' => lines(&String::from_utf8_lossy(&std::mem::take(&mut line))),
                _ => line.push(byte),
            }
        }
    }
}
