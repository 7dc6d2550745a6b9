//! The talk between a daemon and a run's host: JSON lines on a socket in the run's folder.
//!
//! Entries don't go over it: the daemon reads the journal itself, as far as the host says that it is durable. What is said
//! here is said again to whoever comes anew, or asked again by whoever wasn't answered; so either side may go away at any
//! moment.

use crate::{DaemonError, disk, journal::Durable};
use makima_agents::Delta;
use makima_model::{Answer, MessageId, QuestionId, Record, StopReason};
use makima_wire::frame::Input;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{fs::File, io, os::fd::AsRawFd, path::Path, path::PathBuf};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};

const NAME: &str = "socket";

/// From a daemon to a run's host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "say")]
pub(crate) enum ToHost {
    /// Say this to the agent when its turn has come. The same again changes nothing.
    Input { input: Input },
    /// Give this answer to a question.
    Answer { question: QuestionId, answer: Answer },
    /// The turn has its checkpoint: write down what came of it, and go on.
    TurnKept { turn: u32, records: Vec<Record> },
    /// Read the agent while the journal ends before this place. Said first of all.
    Room { until: u64 },
    /// End the agent in good order.
    Stop { reason: StopReason },
}

/// A piece of a message that isn't complete, and the number of the journal's newest entry when it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Piece {
    pub(crate) after: u64,
    pub(crate) delta: Delta,
}

/// From a run's host to its daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "say")]
pub(crate) enum FromHost {
    /// The journal can be read up to here. Said first of all.
    Durable { durable: Durable },
    /// Why its disk takes nothing from it, and with that nothing is read from the agent; `None`: it does again. Said again to a
    /// daemon that comes anew.
    HeldUp { why: Option<String> },
    /// A turn ended, and nothing goes on until it is [kept](ToHost::TurnKept). Said again to a daemon that comes anew.
    TurnEnded { turn: u32 },
    /// A piece of a message that isn't complete.
    Delta { piece: Piece },
    /// Whether the agent is not read, because the journal has no room. Said again to a daemon that comes anew.
    Waits { waits: bool },
    /// What became of an input.
    Input { id: MessageId, is_taken: bool },
    /// What became of an answer; a refusal says why.
    Answer { question: QuestionId, answer: Answer, refusal: Option<String> },
}

/// Where sockets are addressed: through the folder's handle, since a path may be longer than an address.
fn address(folder: &Path) -> Result<(File, PathBuf), DaemonError> {
    let handle = File::open(folder).map_err(|source| DaemonError::read(folder, source))?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", handle.as_raw_fd()));
    Ok((handle, path))
}

/// Listens in a run's folder. A socket that a dead host left there is replaced.
pub(crate) fn listen(folder: &Path) -> Result<UnixListener, DaemonError> {
    disk::remove(&folder.join(NAME))?;
    let (_handle, path) = address(folder)?;
    UnixListener::bind(path).map_err(|source| DaemonError::write(folder.join(NAME), source))
}

/// Connects to the host that listens in a run's folder.
pub(crate) async fn connect(folder: &Path) -> Result<UnixStream, DaemonError> {
    let (_handle, path) = address(folder)?;
    UnixStream::connect(path).await.map_err(|source| DaemonError::read(folder.join(NAME), source))
}

/// What is said by the other side, one line each.
pub(crate) struct Ear<R> {
    from: BufReader<R>,
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Ear<R> {
    pub(crate) fn new(from: R) -> Self {
        Self { from: BufReader::new(from), line: Vec::new() }
    }

    /// The next thing that is said; `None` when the other side is gone. What this version doesn't know is passed over. May
    /// be dropped while it waits: nothing is lost.
    pub(crate) async fn hear<T: DeserializeOwned>(&mut self) -> Option<T> {
        loop {
            let heard = self.from.read_until(b'\n', &mut self.line).await;
            if heard.is_err() || self.line.last() != Some(&b'\n') {
                return None;
            }
            let said = serde_json::from_slice(&self.line);
            self.line.clear();
            match said {
                Ok(said) => return Some(said),
                Err(error) => tracing::warn!(%error, "something unknown was said on a run's socket"),
            }
        }
    }
}

/// Says one thing.
pub(crate) async fn say<T: Serialize>(to: &mut (impl AsyncWrite + Unpin), what: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    to.write_all(&line).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_with_a_very_long_path_can_be_listened_in() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("x".repeat(200)).join("y".repeat(200));
        disk::make_folder(&deep).unwrap();
        // Twice: what a dead host left is in nobody's way.
        drop(listen(&deep).unwrap());
        let listener = listen(&deep).unwrap();
        let mut client = connect(&deep).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let turn = ToHost::TurnKept { turn: 3, records: vec![Record::Unchanged { turn: 3 }] };
        say(&mut client, &serde_json::json!({"say": "something newer"})).await.unwrap();
        say(&mut client, &turn).await.unwrap();
        drop(client);
        let mut ear = Ear::new(server);
        assert_eq!(ear.hear::<ToHost>().await, Some(turn));
        assert_eq!(ear.hear::<ToHost>().await, None);
    }
}
