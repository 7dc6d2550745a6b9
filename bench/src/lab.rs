//! A server in this process on a database of its own, and a daemon's connection to it over the loopback.

use crate::{http::Http, printer, session::Frame};
use anyhow::{Context, Result, anyhow, bail, ensure};
use makima_client::{
    Client,
    daemon::{DaemonClient, FrameReceiver, FrameSender, Heard},
};
use makima_failpoints::Failpoints;
use makima_model::{AgentInfo, BranchId, Clock, DaemonId, Message, OwnerId, RunId};
use makima_server::{Hosts, Server, ServerConfig, Settings};
use makima_store::{
    Db,
    conversations::{self, PackedMessage},
};
use makima_testkit::TestDatabase;
use makima_wire::{
    CreateTask, Search, Task,
    frame::{Command, CommandOutcome, CommandResult, FromDaemon, Hello, PROTOCOL, RepositorySeen, ToDaemon},
};
use std::{
    collections::VecDeque,
    path::PathBuf,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How much a daemon sends before it is acknowledged.
const WINDOW: usize = 8 << 20;
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the index may take: ten million entries need some minutes.
const INDEXED_WITHIN: Duration = Duration::from_secs(3600);

/// Which engine a database is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A database that goes away with this.
#[derive(Debug)]
pub(crate) struct Place {
    folder: TempDir,
    server: Option<TestDatabase>,
}

impl Place {
    pub(crate) fn new(engine: Engine) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("makima-bench-").tempdir()?;
        Ok(Self { folder, server: (engine == Engine::Postgres).then(TestDatabase::create) })
    }

    pub(crate) fn url(&self) -> String {
        match &self.server {
            Some(server) => server.url(),
            None => format!("sqlite:{}", self.file().display()),
        }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("makima.db")
    }

    /// A file beside the database.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A server that listens, and its one owner.
pub(crate) struct Lab {
    pub(crate) place: Place,
    db: Db,
    server: Server,
    key: String,
    pub(crate) owner: OwnerId,
    pub(crate) clock: Clock,
}

/// A task's conversation, which anything may be appended to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conversation {
    pub(crate) owner: OwnerId,
    pub(crate) branch: BranchId,
}

/// A daemon's connection, with a run that has just been started.
pub(crate) struct Daemon {
    sender: FrameSender,
    receiver: FrameReceiver,
    pub(crate) run: RunId,
    pub(crate) conversation: Conversation,
}

impl Conversation {
    /// Appends messages in a transaction.
    pub(crate) async fn append(self, db: &Db, messages: &[Message]) -> Result<()> {
        let packed = messages.iter().map(PackedMessage::of).collect::<Result<_, _>>()?;
        let mut tx = db.begin().await?;
        conversations::append(&mut tx, self.owner, self.branch, 1, packed)
            .await?
            .context("the branch is there")?;
        Ok(tx.commit().await.map(drop)?)
    }
}

impl Lab {
    pub(crate) async fn start(engine: Engine) -> Result<Self> {
        let place = Place::new(engine)?;
        let db = Db::open(&place.url()).await?;
        let clock = Clock::system();
        let server = Server::start(ServerConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            db: db.clone(),
            blobs: place.beside("blobs"),
            exports: place.beside("exports"),
            clock: clock.clone(),
            version: "bench".to_owned(),
            // A measurement may be silent for long.
            settings: Settings { silence: Duration::from_secs(3600), ..Settings::default() },
            hosts: Hosts::default(),
            web: None,
            failpoints: Failpoints::default(),
        })
        .await?;
        let made = server.app().create_user("bench").await;
        let user = made.map_err(|error| anyhow!("no owner could be made: {error:?}"))?;
        Ok(Self { place, db, server, key: user.api_key, owner: user.id, clock })
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// A client with the owner's key.
    pub(crate) fn client(&self) -> Result<Client> {
        Ok(Client::new(&self.url(), Some(self.key.clone()))?)
    }

    /// One that doesn't read what it is answered.
    pub(crate) fn http(&self) -> Result<Http> {
        Http::new(self.url(), self.key.clone())
    }

    /// A task that nobody works on.
    pub(crate) async fn task(&self, plan: &str) -> Result<Task> {
        let wanted = CreateTask {
            plan: plan.to_owned(),
            repository: Some("/nonexistent".to_owned()),
            start: Some(false),
            ..CreateTask::default()
        };
        Ok(self.client()?.create_task(&wanted).await?)
    }

    /// Connects a daemon and has it start a run of a new task.
    pub(crate) async fn daemon(&self) -> Result<Daemon> {
        let url = format!("http://{}", self.server.address());
        Daemon::connect(&url, &self.key, self.owner, &self.clock).await
    }

    /// Waits until the server has looked through all that was written: it keeps the index of the search beside whatever is asked of it.
    pub(crate) async fn until_indexed(&self) -> Result<()> {
        let (client, begun) = (self.client()?, Instant::now());
        let anything = Search { q: "anything".to_owned(), limit: Some(1), ..Search::default() };
        while let Some(left) = client.search(&anything).await?.not_yet_indexed {
            printer::progress(&format!("  {left} of what was written are to be indexed still"));
            ensure!(begun.elapsed() < INDEXED_WITHIN, "the index comes to an end");
        }
        Ok(())
    }

    /// Stops the server and closes its database.
    pub(crate) async fn stop(self) -> Place {
        self.server.stop().await;
        self.db.close().await;
        self.place
    }
}

impl Daemon {
    /// Connects a daemon and has it start a run of a new task.
    pub(crate) async fn connect(url: &str, key: &str, owner: OwnerId, clock: &Clock) -> Result<Self> {
        let (mut sender, mut receiver) = DaemonClient::new(url, key)?.connect().await?;
        let daemon: DaemonId = clock.new_id();
        let hello = Hello {
            protocol: PROTOCOL,
            daemon,
            name: "bench".into(),
            hostname: "bench.local".into(),
            version: "bench".into(),
            agents: vec![AgentInfo { name: "claude".into(), version: None, default: true }],
            max_concurrent_tasks: 1,
            runs: Vec::new(),
        };
        sender.send(&FromDaemon::Hello(hello)).await?;
        match next(&mut receiver).await? {
            ToDaemon::Welcome { .. } => {}
            other => bail!("the server did not welcome the daemon: {other:?}"),
        }
        let client = Client::new(url, Some(key.to_owned()))?;
        let wanted = CreateTask {
            plan: "Make the session faster".into(),
            repository: Some("/srv/project".into()),
            // Others are connected too, and nobody answers for them.
            target_daemon_id: Some(daemon),
            ..CreateTask::default()
        };
        let mut making = tokio::spawn(async move { client.create_task(&wanted).await });
        let (mut task, mut run) = (None, None);
        loop {
            if let (Some(task), Some(run)) = (&task, run) {
                let task: &Task = task;
                let conversation = Conversation { owner, branch: task.conversation_state.branch_id };
                return Ok(Self { sender, receiver, run, conversation });
            }
            let frame = tokio::select! {
                made = &mut making, if task.is_none() => {
                    task = Some(made??);
                    continue;
                }
                frame = next(&mut receiver) => frame?,
            };
            match frame {
                ToDaemon::Command { id, command: Command::CheckRepository { .. } } => {
                    let seen = RepositorySeen {
                        base_branch: "main".into(),
                        base_commit: Some("1".repeat(40)),
                        uncommitted_files: None,
                    };
                    let outcome = CommandOutcome::Done(CommandResult::Repository(seen));
                    sender.send(&FromDaemon::Finished { command: id, outcome }).await?;
                }
                ToDaemon::Command { id, command: Command::StartRun(start) } => {
                    sender.send(&FromDaemon::Acknowledged { command: id }).await?;
                    let outcome = CommandOutcome::Done(CommandResult::Done);
                    sender.send(&FromDaemon::Finished { command: id, outcome }).await?;
                    run = Some(start.run);
                }
                _ => {}
            }
        }
    }

    /// Sends the frames as a daemon does, and waits until the last entry is durable.
    pub(crate) async fn tell(&mut self, frames: Vec<Frame>) -> Result<()> {
        let Some(end) = frames.last().map(|frame| frame.last) else { return Ok(()) };
        let (mut unacknowledged, mut bytes) = (VecDeque::new(), 0);
        let mut frames = frames.into_iter().peekable();
        loop {
            while bytes < WINDOW
                && let Some(Frame { text, last }) = frames.next()
            {
                bytes += text.len();
                unacknowledged.push_back((last, text.len()));
                self.sender.send_text(text).await?;
            }
            let ToDaemon::Ack { run, n } = next(&mut self.receiver).await? else { continue };
            if run == self.run && n == end {
                return Ok(());
            }
            while let Some((_, length)) = unacknowledged.pop_front_if(|(last, _)| *last <= n) {
                bytes -= length;
            }
        }
    }
}

async fn next(receiver: &mut FrameReceiver) -> Result<ToDaemon> {
    loop {
        let heard =
            tokio::time::timeout(PATIENCE, receiver.next()).await.context("the server says nothing")?;
        if let Heard::Frame(frame) = heard.context("the server ended the connection")?? {
            return Ok(*frame);
        }
    }
}
