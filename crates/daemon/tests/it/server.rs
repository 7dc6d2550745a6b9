//! A server that keeps what daemons send, says what it is told to say, and notes what must not happen.

use axum::{
    Router,
    body::Bytes,
    extract::{
        Path, State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::StatusCode,
    routing,
};
use makima_model::{
    CheckpointMade, CommandId, DaemonId, Entry, Record, RunId, TaskId,
    verify::{Known, KnownCheckpoint, KnownRun},
};
use makima_wire::frame::{
    Command, CommandOutcome, CommandResult, FromDaemon, Hello, KnownRun as Greeted, SessionLine, ToDaemon,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::sync::{broadcast, watch};

/// What the server has.
#[derive(Default)]
pub struct Kept {
    pub hellos: Vec<Hello>,
    pub entries: BTreeMap<RunId, Vec<Entry>>,
    pub finished: BTreeMap<CommandId, CommandOutcome>,
    pub acknowledged: BTreeSet<CommandId>,
    pub settled: BTreeSet<CommandId>,
    pub commands: BTreeMap<CommandId, Command>,
    pub blobs: BTreeMap<String, Vec<u8>>,
    pub sessions: BTreeMap<RunId, Vec<SessionLine>>,
    pub deltas: Vec<(RunId, String)>,
    /// How often each command was told to be finished.
    pub finishes: BTreeMap<CommandId, usize>,
    /// Runs whose entries are kept but not acknowledged.
    pub is_mute: bool,
    /// Whether results of commands are left unsettled.
    pub is_unsettled: bool,
    /// What to say to a hello instead of a welcome.
    pub refusal: Option<String>,
    /// Runs that are not known any more.
    pub unknown: BTreeSet<RunId>,
    /// What each heartbeat said that keeps the daemon from working.
    pub troubles: Vec<Option<String>>,
    /// Whether it wants a heartbeat each second, so that its silence is soon noticed.
    pub is_impatient: bool,
    /// Whether an entry may come a second time: where an old connection is open beside a new one.
    pub may_double: bool,
    /// What must not happen, and did.
    pub violations: Vec<String>,
}

#[derive(Clone)]
pub struct Server {
    pub url: String,
    kept: Arc<Mutex<Kept>>,
    changes: watch::Sender<u64>,
    out: broadcast::Sender<ToDaemon>,
    cuts: broadcast::Sender<()>,
}

impl Server {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            kept: Arc::default(),
            changes: watch::channel(0).0,
            out: broadcast::channel(1024).0,
            cuts: broadcast::channel(16).0,
        };
        let routes = Router::new()
            .route("/api/v1/daemons/connect", routing::get(connect))
            .route("/api/v1/daemons/blobs/{hash}", routing::put(put_blob))
            .route("/api/v1/daemons/runs/{run}/session", routing::get(session))
            .with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        server
    }

    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }

    /// Waits until something holds of what is kept, and answers it.
    pub async fn until<T>(&self, found: impl Fn(&Kept) -> Option<T>) -> T {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if let Some(found) = found(&self.kept()) {
                return found;
            }
            changes.changed().await.unwrap();
        }
    }

    /// Gives a command, now and after every reconnection until it is acknowledged.
    pub fn command(&self, id: CommandId, command: Command) {
        self.kept().commands.insert(id, command.clone());
        let _ = self.out.send(ToDaemon::Command { id, command });
    }

    /// Breaks every connection.
    pub fn cut(&self) {
        let _ = self.cuts.send(());
    }

    fn change<T>(&self, change: impl FnOnce(&mut Kept) -> T) -> T {
        let changed = change(&mut self.kept());
        self.changes.send_modify(|count| *count += 1);
        changed
    }

    async fn serve(self, mut socket: WebSocket) {
        // Before the hello is answered, so that nothing falls between.
        let (mut out, mut cut) = (self.out.subscribe(), self.cuts.subscribe());
        let Some(FromDaemon::Hello(hello)) = receive(&mut socket).await else { return };
        let answer = self.change(|kept| {
            let runs = hello.runs.iter().filter(|run| !kept.unknown.contains(run));
            let known = |run: &RunId| Greeted { run: *run, last_entry: kept.last(*run), replaced: false };
            let runs = runs.map(known).collect();
            kept.hellos.push(hello);
            match kept.refusal.clone() {
                Some(message) => ToDaemon::Refused { message },
                None => ToDaemon::Welcome { heartbeat_seconds: if kept.is_impatient { 1 } else { 10 }, runs },
            }
        });
        let refused = matches!(answer, ToDaemon::Refused { .. });
        if !say(&mut socket, &answer).await || refused {
            return;
        }
        let open: Vec<_> = {
            let kept = self.kept();
            let open = kept.commands.iter().filter(|(id, _)| !kept.acknowledged.contains(id));
            open.map(|(id, command)| (*id, command.clone())).collect()
        };
        for (id, command) in open {
            say(&mut socket, &ToDaemon::Command { id, command }).await;
        }
        loop {
            tokio::select! {
                _ = cut.recv() => return,
                Ok(frame) = out.recv() => { say(&mut socket, &frame).await; }
                frame = receive(&mut socket) => {
                    let Some(frame) = frame else { return };
                    let answer = self.change(|kept| kept.take(frame));
                    if let Some(answer) = answer {
                        say(&mut socket, &answer).await;
                    }
                }
            }
        }
    }
}

impl Kept {
    pub fn records(&self, run: RunId) -> Vec<Record> {
        self.entries.get(&run).into_iter().flatten().map(|entry| entry.record.clone()).collect()
    }

    fn has(&self, run: RunId, entry: &Entry) -> bool {
        self.entries.get(&run).is_some_and(|entries| entries.get(entry.n as usize - 1) == Some(entry))
    }

    /// What it knows of its only daemon, as far as that daemon's folder has to agree with it.
    pub fn known(&self, daemon: DaemonId) -> Known {
        let mut known = Known::default();
        for id in self.commands.keys() {
            known.commands.insert(*id, self.acknowledged.contains(id) && !self.finished.contains_key(id));
        }
        let starts: BTreeMap<RunId, (CommandId, TaskId)> = (self.commands.iter())
            .filter_map(|(id, command)| match command {
                Command::StartRun(spec) => Some((spec.run, (*id, spec.task))),
                _ => None,
            })
            .collect();
        for run in starts.keys().chain(self.entries.keys()).copied().collect::<BTreeSet<_>>() {
            let records = self.records(run);
            let start = starts.get(&run);
            let worktree = records.iter().find_map(|record| match record {
                Record::Prepared { worktree_path, .. } => worktree_path.rsplit('/').next()?.parse().ok(),
                _ => None,
            });
            let Some(task) = start.map(|(_, task)| *task).or(worktree) else { continue };
            let has_ended = records.iter().any(|record| matches!(record, Record::Ended(_)));
            let is_the_daemons = !has_ended && start.is_some_and(|(id, _)| self.acknowledged.contains(id));
            known.runs.insert(run, KnownRun { daemon, task, last_entry: self.last(run), is_the_daemons });
            // A task without a worktree has nothing on the daemon yet.
            if worktree.is_some() {
                known.tasks.entry(task).or_default().extend(records.iter().filter_map(
                    |record| match record {
                        Record::Checkpoint(made) => Some(checkpoint(made)),
                        _ => None,
                    },
                ));
            }
        }
        for (id, outcome) in &self.finished {
            if let CommandOutcome::Done(CommandResult::Checkpoint(made)) = outcome
                && let Some(Command::Checkpoint { task, .. }) = self.commands.get(id)
            {
                known.tasks.entry(*task).or_default().push(checkpoint(&made.made));
            }
        }
        for (id, command) in &self.commands {
            let Command::PurgeTask { task } = command else { continue };
            known.tasks.remove(task);
            if !self.finished.contains_key(id) {
                known.leaving.insert(*task);
            }
        }
        known
    }

    fn last(&self, run: RunId) -> u64 {
        self.entries.get(&run).map_or(0, |entries| entries.len() as u64)
    }

    fn take(&mut self, frame: FromDaemon) -> Option<ToDaemon> {
        match frame {
            FromDaemon::Hello(_) => self.violations.push("a second hello".to_owned()),
            FromDaemon::Heartbeat { trouble } => self.troubles.push(trouble),
            FromDaemon::Entries { run, entries } => {
                for entry in entries {
                    if self.may_double && self.has(run, &entry) {
                        continue;
                    }
                    if entry.n != self.last(run) + 1 {
                        self.violations.push(format!("{run}: {} after {}", entry.n, self.last(run)));
                        continue;
                    }
                    if let Record::Checkpoint(made) = &entry.record
                        && made.patch.as_ref().is_some_and(|patch| !self.blobs.contains_key(&patch.hash))
                    {
                        self.violations.push(format!("{run}: the patch of {} is not here", entry.n));
                    }
                    self.entries.entry(run).or_default().push(entry);
                }
                return (!self.is_mute).then(|| ToDaemon::Ack { run, n: self.last(run) });
            }
            FromDaemon::Delta { run, text, .. } => self.deltas.push((run, text)),
            FromDaemon::Acknowledged { command } => {
                self.acknowledged.insert(command);
            }
            FromDaemon::Finished { command, outcome } => {
                *self.finishes.entry(command).or_default() += 1;
                if let Some(before) = self.finished.insert(command, outcome.clone())
                    && before != outcome
                {
                    self.violations.push(format!("{command} had two ends: {before:?} and {outcome:?}"));
                }
                if !self.is_unsettled {
                    self.settled.insert(command);
                    return Some(ToDaemon::Settled { command });
                }
            }
        }
        None
    }
}

fn checkpoint(made: &CheckpointMade) -> KnownCheckpoint {
    KnownCheckpoint { id: made.id, number: made.number, commit: made.commit_sha.clone() }
}

async fn connect(State(server): State<Server>, upgrade: WebSocketUpgrade) -> axum::response::Response {
    upgrade.max_message_size(256 << 20).max_frame_size(256 << 20).on_upgrade(|socket| server.serve(socket))
}

async fn put_blob(State(server): State<Server>, Path(hash): Path<String>, body: Bytes) -> StatusCode {
    if blake3::hash(&body).to_hex().as_str() != hash {
        return StatusCode::UNPROCESSABLE_ENTITY;
    }
    server.change(|kept| kept.blobs.insert(hash, body.to_vec()));
    StatusCode::NO_CONTENT
}

async fn session(State(server): State<Server>, Path(run): Path<RunId>) -> Result<String, StatusCode> {
    let lines = server.kept().sessions.get(&run).cloned().ok_or(StatusCode::NOT_FOUND)?;
    Ok(lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect())
}

async fn receive(socket: &mut WebSocket) -> Option<FromDaemon> {
    loop {
        match socket.recv().await?.ok()? {
            Message::Text(text) => return Some(serde_json::from_str(&text).unwrap()),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}

async fn say(socket: &mut WebSocket, frame: &ToDaemon) -> bool {
    socket.send(Message::text(serde_json::to_string(frame).unwrap())).await.is_ok()
}
