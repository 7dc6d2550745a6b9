//! A daemon's connection: hello, then entries and results in, commands and acknowledgements out.
//!
//! The connection holds no state that matters: what it must not lose is in the database before it is acknowledged, and a
//! connection that breaks is begun again by the daemon from there.

use crate::{
    App, Settings,
    app::{Hearing, Piece, Voice},
    caller::Caller,
    error::ApiError,
    ingest::{IngestError, Job, What},
};
use axum::{
    body::Bytes,
    extract::ws::{CloseFrame, Message, WebSocket},
};
use futures::{SinkExt, StreamExt, stream::SplitStream};
use makima_model::{DaemonId, OwnerId};
use makima_store::Wake;
use makima_wire::frame::{Command, FromDaemon, Hello, PROTOCOL, Secret, ToDaemon};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, broadcast::error::RecvError, mpsc, watch},
    time::{sleep, timeout},
};

/// How long a daemon may take to say who it is.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// How often commands are looked for when nothing says that there are any.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// How many frames may wait to be sent.
const OUTGOING: usize = 1024;

/// Why a connection ended, for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ending {
    #[error("it closed the connection")]
    Closed,
    #[error("the connection broke")]
    Broken(#[source] axum::Error),
    #[error("it was silent for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("it connected anew")]
    Replaced,
    #[error("{0}")]
    Refused(String),
    #[error("what it sent could not be stored")]
    Ingest,
    #[error("the key of a run's agent could not be made")]
    Key(#[source] ApiError),
    #[error("its runs could not be settled")]
    Runs(#[from] IngestError),
    #[error("the database failed")]
    Store(#[from] makima_store::StoreError),
}

/// Serves one connection to its end.
pub(crate) async fn serve(app: App, caller: Caller, socket: WebSocket) {
    let (mut sink, mut stream) = socket.split();
    let (out, mut outgoing) = mpsc::channel::<ToDaemon>(OUTGOING);
    let life = app.settings().heartbeat;
    let writer = tokio::spawn(async move {
        loop {
            let frame = match timeout(life, outgoing.recv()).await {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                // A server that waits for its database doesn't listen: so it says that it is there.
                Err(_) => match sink.send(Message::Ping(Bytes::new())).await {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            };
            let last = matches!(frame, ToDaemon::Refused { .. });
            let Ok(text) = serde_json::to_string(&frame) else { break };
            if sink.send(Message::Text(text.into())).await.is_err() {
                return;
            }
            if last {
                break;
            }
        }
        let _ = sink.send(Message::Close(None::<CloseFrame>)).await;
    });

    match greet(&app, caller, &mut stream, &out).await {
        Ok((daemon, voice)) => {
            app.metrics().daemons.inc();
            let ending = attend(&app, (caller.owner, daemon), &voice, &mut stream, &out).await;
            app.metrics().daemons.dec();
            voice.lost.cancel();
            match ending {
                Ending::Store(_) | Ending::Ingest | Ending::Runs(_) | Ending::Refused(_) => {
                    tracing::warn!(%daemon, "connection ended: {}", crate::error::chain(Some(&ending)));
                }
                // It begins anew by itself: nothing that anybody must look after.
                _ => tracing::info!(%daemon, "connection ended: {}", crate::error::chain(Some(&ending))),
            }
        }
        Err(ending) => {
            tracing::warn!("a daemon was not taken: {}", crate::error::chain(Some(&ending)));
            // Only what is final is said: anything else passes, and the daemon tries again.
            if let Ending::Refused(message) = ending {
                let _ = out.send(ToDaemon::Refused { message }).await;
            }
        }
    }
    drop(out);
    let _ = timeout(HELLO_WITHIN, writer).await;
}

async fn greet(
    app: &App,
    caller: Caller,
    stream: &mut SplitStream<WebSocket>,
    out: &mpsc::Sender<ToDaemon>,
) -> Result<(DaemonId, Voice), Ending> {
    let frame = timeout(HELLO_WITHIN, next(stream)).await.map_err(|_| Ending::Silent(HELLO_WITHIN))??;
    let FromDaemon::Hello(hello) = frame else {
        return Err(Ending::Refused("the first frame must be a hello".to_owned()));
    };
    check(&hello)?;
    let (known, connection) = match app.hear_hello(caller, &hello).await? {
        Hearing::Taken { known, connection } => (known, connection),
        Hearing::AnothersDaemon => {
            return Err(Ending::Refused(
                "this daemon belongs to another owner: use a data directory of its own for each owner"
                    .to_owned(),
            ));
        }
    };
    let heartbeat_seconds = app.settings().heartbeat.as_secs();
    // Before anything else is said to it.
    let _ = out.send(ToDaemon::Welcome { heartbeat_seconds, runs: known }).await;
    let voice = app.connections().take(caller.owner, hello.daemon, connection, out);
    tracing::info!(daemon = %hello.daemon, name = hello.name, "daemon connected");
    Ok((hello.daemon, voice))
}

fn check(hello: &Hello) -> Result<(), Ending> {
    if hello.protocol != PROTOCOL {
        return Err(Ending::Refused(format!(
            "the daemon speaks version {} of the protocol and the server version {PROTOCOL}: install the same release on both",
            hello.protocol
        )));
    }
    let named = |name: &str| {
        !name.trim().is_empty() && name.chars().count() <= 200 && !name.contains(char::is_control)
    };
    if !named(&hello.name)
        || !named(&hello.hostname)
        || hello.max_concurrent_tasks < 1
        || hello.agents.len() > 100
    {
        return Err(Ending::Refused("the hello has a name or a number that can't be".to_owned()));
    }
    Ok(())
}

async fn attend(
    app: &App,
    (owner, daemon): (OwnerId, DaemonId),
    voice: &Voice,
    stream: &mut SplitStream<WebSocket>,
    out: &mpsc::Sender<ToDaemon>,
) -> Ending {
    let failed = Arc::new(Notify::new());
    let beats = watch::Sender::new(None);
    // Its own runs are known again, so new ones can be counted right. Beside, since it asks this daemon.
    tokio::spawn({
        let app = app.clone();
        async move {
            if let Err(error) = app.place_with(owner, daemon).await {
                tracing::warn!("waiting tasks could not be placed: {}", crate::error::chain(Some(&error)));
            }
        }
    });
    // Beside each other: what waits for the database keeps nobody from listening.
    tokio::select! {
        () = voice.lost.cancelled() => Ending::Replaced,
        () = failed.notified() => Ending::Ingest,
        ending = listen(app, (owner, daemon), stream, (out, &failed), &beats) => ending,
        ending = note_beats(app, (owner, daemon), voice, beats.subscribe()) => ending,
        ending = send_commands(app, (owner, daemon), voice, out) => ending,
    }
}

/// Hands on what the daemon reports, until it is silent: as long as reports are not taken, that is not its silence.
async fn listen(
    app: &App,
    (owner, daemon): (OwnerId, DaemonId),
    stream: &mut SplitStream<WebSocket>,
    (out, failed): (&mpsc::Sender<ToDaemon>, &Arc<Notify>),
    beats: &watch::Sender<Option<String>>,
) -> Ending {
    let Settings { silence, heartbeat, .. } = app.settings();
    loop {
        let what = match timeout(silence, next(stream)).await {
            Err(_) => return Ending::Silent(silence),
            Ok(Err(ending)) => return ending,
            Ok(Ok(FromDaemon::Hello(_))) => return Ending::Refused("it said hello twice".to_owned()),
            Ok(Ok(FromDaemon::Heartbeat { trouble })) => {
                beats.send_replace(trouble);
                continue;
            }
            Ok(Ok(FromDaemon::Delta { run, after, message, kind, text })) => {
                if !app.is_listened_to() {
                    continue;
                }
                What::Delta(Piece { run, after, message, kind, text })
            }
            Ok(Ok(FromDaemon::Acknowledged { command })) => What::Acknowledged { command },
            Ok(Ok(FromDaemon::Finished { command, outcome })) => {
                match app.waiting().hand((owner, daemon), command, outcome) {
                    Ok(()) => {
                        let _ = out.send(ToDaemon::Settled { command }).await;
                        continue;
                    }
                    Err(outcome) => What::Finished { command, outcome },
                }
            }
            Ok(Ok(FromDaemon::Entries { run, entries })) => What::Entries { run, entries },
        };
        let job = Job { daemon, what, out: out.clone(), failed: failed.clone() };
        let mut handing = pin!(app.ingest(owner, job));
        loop {
            tokio::select! {
                () = &mut handing => break,
                // Its heartbeats lie unread behind what can't be taken yet: to all who ask, it is there.
                () = sleep(heartbeat) => beats.send_modify(|_| {}),
            }
        }
    }
}

/// Notes each beat of the daemon's heart, and what it said of itself with it. When nothing is in its way any more, tasks may have
/// waited for that.
async fn note_beats(
    app: &App,
    (owner, daemon): (OwnerId, DaemonId),
    voice: &Voice,
    mut beats: watch::Receiver<Option<String>>,
) -> Ending {
    let mut had_trouble = false;
    while beats.changed().await.is_ok() {
        let trouble = beats.borrow_and_update().clone();
        let newest = app.hear_heartbeat(owner, daemon, voice.number, trouble.as_deref()).await;
        // Where that can't be looked up now, the next one tells.
        match newest.or_else(|error| app.tolerate(error).map(|()| true)) {
            Ok(true) => {}
            Ok(false) => return Ending::Replaced,
            Err(error) => return error.into(),
        }
        if std::mem::replace(&mut had_trouble, trouble.is_some()) && trouble.is_none() {
            app.place_soon(owner);
        }
    }
    Ending::Closed
}

/// Sends what is queued for the daemon, whenever something is.
async fn send_commands(
    app: &App,
    (owner, daemon): (OwnerId, DaemonId),
    voice: &Voice,
    out: &mpsc::Sender<ToDaemon>,
) -> Ending {
    let mut wakes = app.db().wakeups();
    loop {
        if let Err(ending) = send_queued(app, (owner, daemon), voice, out).await {
            return ending;
        }
        let mut again = pin!(sleep(LOOK_AGAIN));
        loop {
            tokio::select! {
                wake = wakes.recv() => match wake {
                    Ok(Wake::Commands(of)) if of == daemon => break,
                    Ok(Wake::Lagged) | Err(RecvError::Lagged(_)) => break,
                    Ok(_) => {}
                    Err(RecvError::Closed) => return Ending::Closed,
                },
                () = &mut again => break,
            }
        }
    }
}

/// Sends what is queued for the daemon.
async fn send_queued(
    app: &App,
    (owner, daemon): (OwnerId, DaemonId),
    voice: &Voice,
    out: &mpsc::Sender<ToDaemon>,
) -> Result<(), Ending> {
    let claimed = app.claim_commands(owner, daemon, voice.number).await;
    // What can't be claimed now is looked for again.
    let claimed = claimed.or_else(|error| app.tolerate(error).map(|()| Some(Vec::new())))?;
    for (id, mut command) in claimed.ok_or(Ending::Replaced)? {
        if let Command::StartRun(start) = &mut command {
            let key = app.create_tool_key(owner, start.run).await.map_err(Ending::Key)?;
            start.tool_key = Some(Secret(key));
        }
        if out.send(ToDaemon::Command { id, command }).await.is_err() {
            return Err(Ending::Closed);
        }
    }
    Ok(())
}

/// The next frame. What isn't one of ours ends the connection: the daemon would wait for an answer for ever.
async fn next(stream: &mut SplitStream<WebSocket>) -> Result<FromDaemon, Ending> {
    loop {
        let text = match stream.next().await {
            None | Some(Ok(Message::Close(_))) => return Err(Ending::Closed),
            Some(Err(source)) => return Err(Ending::Broken(source)),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Binary(_))) => return Err(Ending::Refused("it sent a binary frame".to_owned())),
            Some(Ok(Message::Text(text))) => text,
        };
        return serde_json::from_str(&text)
            .map_err(|error| Ending::Refused(format!("it sent a frame that doesn't parse: {error}")));
    }
}
