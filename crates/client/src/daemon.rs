//! The daemon's side of the network: its WebSocket, the blobs that it uploads, the sessions that it downloads.

use crate::ClientError;
use bytes::Bytes;
use futures::{
    SinkExt, Stream, StreamExt,
    stream::{self, SplitSink, SplitStream},
};
use makima_model::{BlobRef, ExportId, RunId};
use makima_wire::{
    API, ErrorBody,
    frame::{FromDaemon, SessionLine, ToDaemon},
};
use reqwest::{RequestBuilder, Response, StatusCode};
use std::{path::Path, time::Duration};
use tokio::{io::AsyncReadExt, net::TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        http::{HeaderValue, header::AUTHORIZATION},
        protocol::WebSocketConfig,
    },
};

/// How long a connection may take to be made, and an answer to begin.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a download or upload may stand still.
const STANDSTILL: Duration = Duration::from_secs(60);
/// The largest frame that is taken. What is said first to an agent may hold whole files.
const LARGEST_FRAME: usize = 256 << 20;
/// The largest line of a session that is taken.
const LARGEST_LINE: usize = 256 << 20;
const CHUNK: usize = 64 << 10;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why the server's WebSocket can't be talked through.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The address is none.
    #[error("{url:?} is no address of a server")]
    Address {
        /// What was given.
        url: String,
        /// Why.
        source: Box<tungstenite::Error>,
    },
    /// The key can't be sent.
    #[error("the API key holds characters that no key has")]
    Key,
    /// Nobody answers in time.
    #[error("no server answers at {url} within {} s", PATIENCE.as_secs())]
    Silent {
        /// The address.
        url: String,
    },
    /// Nobody answers there, or it is no Makima server.
    #[error("no connection to {url}")]
    Unreachable {
        /// The address.
        url: String,
        /// Why.
        source: Box<tungstenite::Error>,
    },
    /// The server said no.
    #[error("{}", body.message)]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// What it said.
        body: Box<ErrorBody>,
    },
    /// The connection broke.
    #[error("the connection broke")]
    Broken {
        /// Why.
        source: Box<tungstenite::Error>,
    },
}

/// A server, and the key that a daemon speaks to it with.
#[derive(Clone, Debug)]
pub struct DaemonClient {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl DaemonClient {
    /// The server at `url`, such as `http://127.0.0.1:7447`.
    pub fn new(url: &str, key: &str) -> Result<Self, ClientError> {
        crate::tls::install();
        let url = url.trim_end_matches('/').to_owned();
        let http = reqwest::Client::builder()
            .connect_timeout(PATIENCE)
            .read_timeout(STANDSTILL)
            // One that was kept could be half-open by now, and be noticed only when it stands still.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|source| ClientError::Unreachable { url: url.clone(), source })?;
        Ok(Self { http, url, key: key.to_owned() })
    }

    /// The server's address, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Opens the WebSocket. A hello has to be said first.
    pub async fn connect(&self) -> Result<(FrameSender, FrameReceiver), LinkError> {
        let url = format!("{}{API}/daemons/connect", self.url.replacen("http", "ws", 1));
        let address = |source| LinkError::Address { url: self.url.clone(), source: Box::new(source) };
        let mut request = url.as_str().into_client_request().map_err(address)?;
        let key = HeaderValue::from_str(&format!("Bearer {}", self.key)).map_err(|_| LinkError::Key)?;
        request.headers_mut().insert(AUTHORIZATION, key);
        let config = WebSocketConfig::default()
            .max_message_size(Some(LARGEST_FRAME))
            .max_frame_size(Some(LARGEST_FRAME));
        let connecting = tokio_tungstenite::connect_async_with_config(request, Some(config), true);
        let (socket, _) = tokio::time::timeout(PATIENCE, connecting)
            .await
            .map_err(|_| LinkError::Silent { url: self.url.clone() })?
            .map_err(|error| self.not_connected(error))?;
        let (sink, stream) = socket.split();
        Ok((FrameSender(sink), FrameReceiver(stream)))
    }

    fn not_connected(&self, error: tungstenite::Error) -> LinkError {
        if let tungstenite::Error::Http(response) = &error {
            let body = response.body().as_deref().and_then(|body| serde_json::from_slice(body).ok());
            let status = StatusCode::from_u16(response.status().as_u16());
            if let (Some(body), Ok(status)) = (body, status) {
                return LinkError::Refused { status, body: Box::new(body) };
            }
        }
        LinkError::Unreachable { url: self.url.clone(), source: Box::new(error) }
    }

    /// Uploads a file to the server's store. The same again changes nothing.
    pub async fn put_blob(&self, blob: &BlobRef, file: &Path) -> Result<(), PutError> {
        let unreadable = |source| PutError::Read { source };
        let file = tokio::fs::File::open(file).await.map_err(unreadable)?;
        let chunks = stream::try_unfold(file, |mut file| async move {
            let mut chunk = vec![0; CHUNK];
            let read = file.read(&mut chunk).await?;
            chunk.truncate(read);
            Ok::<_, std::io::Error>((read > 0).then_some((chunk, file)))
        });
        let request = self
            .http
            .put(format!("{}{API}/daemons/blobs/{}", self.url, blob.hash))
            .body(reqwest::Body::wrap_stream(chunks));
        Ok(self.exchange(request).await.map(|_| ())?)
    }

    /// Sends a part of a git bundle for an export; what was sent from `at` on before is written over.
    pub async fn put_bundle_part(
        &self,
        (export, number): (ExportId, u32),
        at: u64,
        part: Bytes,
    ) -> Result<(), ClientError> {
        let path = format!("{}{API}/daemons/exports/{export}/bundles/{number}", self.url);
        let request = self.http.put(path).query(&[("at", at)]).body(part);
        self.exchange(request).await.map(|_| ())
    }

    /// The conversation that a run goes on with, oldest first, as it arrives.
    pub async fn session(
        &self,
        run: RunId,
    ) -> Result<impl Stream<Item = Result<SessionLine, ClientError>> + Send + use<>, ClientError> {
        let address = format!("{}{API}/daemons/runs/{run}/session", self.url);
        let response = self.exchange(self.http.get(&address)).await?;
        let url = self.url.clone();
        let bytes = response
            .bytes_stream()
            .map(move |chunk| chunk.map_err(|source| ClientError::Unreachable { url: url.clone(), source }));
        let strange = {
            let (url, address) = (self.url.clone(), address.clone());
            move || ClientError::Strange {
                url: url.clone(),
                address: address.clone(),
                source: serde::de::Error::custom("a line is longer than any that an agent writes"),
            }
        };
        let url = self.url.clone();
        Ok(lines(bytes, LARGEST_LINE, strange).map(move |line| {
            serde_json::from_slice(&line?).map_err(|source| ClientError::Strange {
                url: url.clone(),
                address: address.clone(),
                source,
            })
        }))
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request
            .bearer_auth(&self.key)
            .send()
            .await
            .map_err(|source| ClientError::Unreachable { url: self.url.clone(), source })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.bytes().await.unwrap_or_default();
        Err(match serde_json::from_slice(&body) {
            Ok(body) => ClientError::Refused { url: self.url.clone(), status, body },
            Err(_) => ClientError::NotMakima { url: self.url.clone(), status },
        })
    }
}

/// Why a file was not uploaded.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// It can't be read.
    #[error("the file could not be read")]
    Read {
        /// Why.
        source: std::io::Error,
    },
    /// The server didn't take it.
    #[error(transparent)]
    Server(#[from] ClientError),
}

/// Where a daemon speaks.
#[derive(Debug)]
pub struct FrameSender(SplitSink<Socket, Message>);

impl FrameSender {
    /// Sends a frame.
    pub async fn send(&mut self, frame: &FromDaemon) -> Result<(), LinkError> {
        let text = serde_json::to_string(frame)
            .map_err(|error| broken(tungstenite::Error::Io(std::io::Error::other(error))))?;
        self.send_text(text).await
    }

    /// Sends a frame that is JSON already.
    pub async fn send_text(&mut self, frame: String) -> Result<(), LinkError> {
        self.0.send(Message::text(frame)).await.map_err(broken)
    }

    /// Asks the other side for a sign of life, which arrives as [`Heard::Life`].
    pub async fn ping(&mut self) -> Result<(), LinkError> {
        self.0.send(Message::Ping(tungstenite::Bytes::new())).await.map_err(broken)
    }

    /// Says that nothing more will come.
    pub async fn close(&mut self) {
        let _ = self.0.close().await;
    }
}

/// Where a daemon listens.
#[derive(Debug)]
pub struct FrameReceiver(SplitStream<Socket>);

/// Something that came from the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A frame.
    Frame(Box<ToDaemon>),
    /// It is still there.
    Life,
}

impl FrameReceiver {
    /// What comes next; `None` when the server has closed the connection. May be dropped while it waits.
    pub async fn next(&mut self) -> Option<Result<Heard, LinkError>> {
        match self.0.next().await? {
            Ok(Message::Text(text)) => Some(Ok(match serde_json::from_str(&text) {
                Ok(frame) => Heard::Frame(Box::new(frame)),
                Err(error) => {
                    tracing::warn!(%error, "the server sent a frame that this version doesn't know");
                    Heard::Life
                }
            })),
            Ok(Message::Close(_)) => None,
            Ok(_) => Some(Ok(Heard::Life)),
            Err(error) => Some(Err(broken(error))),
        }
    }
}

fn broken(source: tungstenite::Error) -> LinkError {
    LinkError::Broken { source: Box::new(source) }
}

/// The lines of a stream of bytes, without their ends, as they get complete. The last one may lack its end. One that is
/// longer than `largest` ends the stream with `too_long`.
fn lines<B: AsRef<[u8]> + Send>(
    bytes: impl Stream<Item = Result<B, ClientError>> + Send + 'static,
    largest: usize,
    too_long: impl Fn() -> ClientError + Clone + Send + 'static,
) -> impl Stream<Item = Result<Vec<u8>, ClientError>> + Send {
    let start = (Box::pin(bytes), Held::default());
    stream::try_unfold(start, move |(mut bytes, mut held)| {
        let too_long = too_long.clone();
        async move {
            loop {
                if let Some(line) = held.line() {
                    return Ok(Some((line, (bytes, held))));
                }
                match bytes.next().await {
                    Some(_) if held.bytes.len() > largest => return Err(too_long()),
                    Some(chunk) => held.take(chunk?.as_ref()),
                    None => return Ok(held.rest().map(|rest| (rest, (bytes, held)))),
                }
            }
        }
    })
}

/// Bytes that are not given out as lines yet.
#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    start: usize,
    searched: usize,
}

impl Held {
    fn take(&mut self, chunk: &[u8]) {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(chunk);
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        let found = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n');
        let Some(at) = found.map(|at| self.searched + at) else {
            self.searched = self.bytes.len();
            return None;
        };
        let line = self.bytes[self.start..at].to_vec();
        self.start = at + 1;
        self.searched = self.start;
        Some(line)
    }

    fn rest(&mut self) -> Option<Vec<u8>> {
        let rest = self.bytes.split_off(self.start);
        *self = Self::default();
        (!rest.is_empty()).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &[u8], size: usize) -> Vec<Vec<u8>> {
        let chunks: Vec<Result<Vec<u8>, ClientError>> =
            text.chunks(size).map(|chunk| Ok(chunk.to_vec())).collect();
        lines(stream::iter(chunks), 64, too_long).map(Result::unwrap).collect().await
    }

    fn too_long() -> ClientError {
        let (url, address) = ("there".to_owned(), "here".to_owned());
        ClientError::Strange { url, address, source: serde::de::Error::custom("too long") }
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_an_error_and_not_cut_off() {
        let chunks = [&b"short\n"[..], &[b'x'; 65], b"xx\n"].map(|chunk| Ok(chunk.to_vec()));
        let read: Vec<_> = lines(stream::iter(chunks), 64, too_long).collect().await;
        assert_eq!(read[0].as_ref().unwrap(), b"short");
        assert!(matches!(read[1], Err(ClientError::Strange { .. })) && read.len() == 2);
    }

    #[tokio::test]
    async fn lines_are_the_same_however_the_bytes_come() {
        let text = b"{\"one\":1}\n{}\nthe last";
        for size in 1..=text.len() {
            let lines = read(text, size).await;
            assert_eq!(lines, [&b"{\"one\":1}"[..], b"{}", b"the last"], "{size}");
        }
        assert!(read(b"", 1).await.is_empty());
    }
}
