//! A server in the test's own process on a database of its own, and a daemon that does what the test says.

use futures::{Stream, StreamExt};
use makima_client::{
    Client, FeedEvent,
    daemon::{DaemonClient, FrameReceiver, FrameSender, Heard},
};
use makima_failpoints::Failpoints;
use makima_model::{
    AgentInfo, BranchId, Clock, DaemonId, Entry, Message, MessageId, MessageRole, OwnerId, Record, RunEnd,
    RunId, RunOutcome, Timestamp, TurnEnd, TurnOutcome, Usage,
};
use makima_server::{Hosts, Server, ServerConfig, Settings};
use makima_store::{Db, Tx, conversations};
use makima_testkit::TestDatabase;
use makima_wire::{
    CreateTask, Task,
    frame::{
        Command, CommandOutcome, CommandResult, FromDaemon, Hello, KnownRun, PROTOCOL, RepositorySeen,
        StartRun, ToDaemon,
    },
};
use sqlx::{Connection, PgConnection, SqliteConnection};
use std::{collections::VecDeque, path::PathBuf, time::Duration};
use tempfile::TempDir;

/// How long a condition may take to come true before the test has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

pub(crate) struct Lab {
    pub(crate) server: Server,
    pub(crate) client: Client,
    pub(crate) key: String,
    pub(crate) owner: OwnerId,
    pub(crate) clock: Clock,
    /// Of the server that stands.
    pub(crate) failpoints: Failpoints,
    pub(crate) engine: Engine,
    settings: Settings,
    folder: TempDir,
    url: String,
    _database: Option<TestDatabase>,
}

impl Lab {
    pub(crate) async fn new(engine: Engine) -> Self {
        Self::with(engine, Settings::default()).await
    }

    pub(crate) async fn with(engine: Engine, settings: Settings) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), engine, settings).await
    }

    /// A lab on SQLite whose clock stands still until the test moves it.
    pub(crate) async fn at(clock: Clock) -> Self {
        Self::made(tempfile::tempdir().unwrap(), Engine::Sqlite, Settings::default(), clock).await
    }

    /// The same, with what is kept in files in this folder.
    pub(crate) async fn in_folder(folder: TempDir, engine: Engine, settings: Settings) -> Self {
        Self::made(folder, engine, settings, Clock::system()).await
    }

    async fn made(folder: TempDir, engine: Engine, settings: Settings, clock: Clock) -> Self {
        let (url, database) = match engine {
            Engine::Sqlite => (format!("sqlite:{}", folder.path().join("makima.db").display()), None),
            Engine::Postgres => {
                let database = TestDatabase::create();
                (database.url(), Some(database))
            }
        };
        let failpoints = Failpoints::default();
        let blobs = folder.path().join("blobs");
        let server = serve(&url, blobs, clock.clone(), settings, failpoints.clone()).await;
        let user = server.app().create_user("ada").await.unwrap();
        let (key, owner) = (user.api_key, user.id);
        let client = Client::new(&format!("http://{}", server.address()), Some(key.clone())).unwrap();
        Self {
            server,
            client,
            key,
            owner,
            clock,
            failpoints,
            engine,
            settings,
            folder,
            url,
            _database: database,
        }
    }

    /// Another server on the same database, and a client of it.
    pub(crate) async fn replica(&self) -> (Server, Client) {
        let blobs = self.folder.path().join("blobs");
        let server = serve(&self.url, blobs, self.clock.clone(), self.settings, Failpoints::default()).await;
        let client = Client::new(&format!("http://{}", server.address()), Some(self.key.clone())).unwrap();
        (server, client)
    }

    /// Ends the server as a crash does, wherever it stands, and starts another on what it left.
    pub(crate) async fn crash(&mut self) {
        self.failpoints = Failpoints::default();
        let blobs = self.folder.path().join("blobs");
        let (clock, failpoints) = (self.clock.clone(), self.failpoints.clone());
        self.server = serve(&self.url, blobs, clock, self.settings, failpoints).await;
        self.client = self.client_with(Some(&self.key));
    }

    /// Waits until the server has come to the step that it freezes at.
    pub(crate) async fn frozen(&self) {
        let looking = async {
            while !self.failpoints.is_frozen() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, looking).await.expect("the server never came to the step");
    }

    /// The database, as another process has it.
    pub(crate) async fn database(&self) -> Db {
        Db::open(&self.url).await.unwrap()
    }

    /// Whether everything that is kept agrees with everything else: the last word of a test that breaks something.
    pub(crate) async fn verify(&self) {
        let db = Db::open_to_read(&self.url).await.unwrap();
        let mut report = makima_store::verify::verify(&db, &mut |_| {}).await.unwrap();
        let blobs = self.folder.path().join("blobs");
        report.merge(makima_server::verify::blobs(&db, &blobs, &mut |_| {}).await.unwrap());
        assert_eq!(report.findings, []);
    }

    /// A transaction of another process in whose way everybody is who appends to this branch.
    pub(crate) async fn hold(&self, branch: BranchId) -> Tx {
        let mut tx = self.database().await.begin().await.unwrap();
        conversations::append(&mut tx, self.owner, branch, 1, Vec::new()).await.unwrap();
        tx
    }

    /// Runs a statement on the database beside everybody, as if something had happened that can't be brought about in time.
    pub(crate) async fn execute(&self, sql: &'static str) {
        match self.engine {
            Engine::Sqlite => {
                let mut database = SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::query("PRAGMA busy_timeout = 15000").execute(&mut database).await.unwrap();
                sqlx::query(sql).execute(&mut database).await.unwrap();
            }
            Engine::Postgres => {
                let mut database = PgConnection::connect(&self.url).await.unwrap();
                sqlx::query(sql).execute(&mut database).await.unwrap();
            }
        }
    }

    /// What a statement counts, whatever the server thinks of it.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        match self.engine {
            Engine::Sqlite => {
                let mut database = SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut database).await.unwrap()
            }
            Engine::Postgres => {
                let mut database = PgConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut database).await.unwrap()
            }
        }
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.url
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A client of another owner.
    pub(crate) async fn stranger(&self) -> Client {
        let key = self.server.app().create_user("eve").await.unwrap().api_key;
        Client::new(&self.url(), Some(key)).unwrap()
    }

    pub(crate) fn client_with(&self, key: Option<&str>) -> Client {
        Client::new(&self.url(), key.map(str::to_owned)).unwrap()
    }

    pub(crate) async fn daemon(&self) -> LabDaemon {
        LabDaemon::connect(self, self.clock.new_id(), &[]).await
    }

    pub(crate) async fn task(&self, plan: &str) -> Task {
        let task = CreateTask {
            plan: plan.into(),
            repository: Some("/srv/project".into()),
            ..CreateTask::default()
        };
        self.client.create_task(&task).await.unwrap()
    }

    /// The task, once `is_so` of it.
    pub(crate) async fn until(&self, task: &Task, is_so: impl Fn(&Task) -> bool) -> Task {
        let looking = async {
            loop {
                let now = self.client.task(task.id).await.unwrap();
                if is_so(&now) {
                    return now;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, looking).await {
            Ok(task) => task,
            Err(_) => panic!("the task never came to it: {:#?}", self.client.task(task.id).await),
        }
    }
}

async fn serve(
    url: &str,
    blobs: PathBuf,
    clock: Clock,
    settings: Settings,
    failpoints: Failpoints,
) -> Server {
    let config = ServerConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        db: Db::open(url).await.unwrap(),
        exports: blobs.with_file_name("exports"),
        blobs,
        clock,
        version: "test".to_owned(),
        settings,
        hosts: Hosts::default(),
        web: None,
        failpoints,
    };
    Server::start(config).await.unwrap()
}

/// A daemon's connection, driven by the test. It answers looks for repositories by itself.
pub(crate) struct LabDaemon {
    pub(crate) id: DaemonId,
    pub(crate) known: Vec<KnownRun>,
    sender: FrameSender,
    receiver: FrameReceiver,
    commands: VecDeque<(makima_model::CommandId, Command)>,
    clock: Clock,
}

impl LabDaemon {
    pub(crate) async fn connect(lab: &Lab, id: DaemonId, runs: &[RunId]) -> Self {
        Self::greet(lab, Self::hello(id, runs)).await.unwrap()
    }

    /// Connects to one of several servers on the lab's database.
    pub(crate) async fn connect_to(server: &Server, lab: &Lab, id: DaemonId, runs: &[RunId]) -> Self {
        Self::greet_server(server, lab, Self::hello(id, runs)).await.unwrap()
    }

    fn hello(id: DaemonId, runs: &[RunId]) -> Hello {
        Hello {
            protocol: PROTOCOL,
            daemon: id,
            name: "desk".into(),
            hostname: "desk.local".into(),
            version: "test".into(),
            agents: vec![AgentInfo { name: "scripted".into(), version: None, default: true }],
            max_concurrent_tasks: 1,
            runs: runs.to_vec(),
        }
    }

    /// Says hello; the server's words if it says no.
    pub(crate) async fn greet(lab: &Lab, hello: Hello) -> Result<Self, String> {
        Self::greet_server(&lab.server, lab, hello).await
    }

    async fn greet_server(server: &Server, lab: &Lab, hello: Hello) -> Result<Self, String> {
        let url = format!("http://{}", server.address());
        let client = DaemonClient::new(&url, &lab.key).unwrap();
        let (mut sender, mut receiver) = client.connect().await.unwrap();
        let id = hello.daemon;
        sender.send(&FromDaemon::Hello(hello)).await.unwrap();
        match next(&mut receiver).await {
            Some(ToDaemon::Welcome { runs: known, .. }) => {
                Ok(Self { id, known, sender, receiver, commands: VecDeque::new(), clock: lab.clock.clone() })
            }
            Some(ToDaemon::Refused { message }) => Err(message),
            other => panic!("no welcome but {other:?}"),
        }
    }

    pub(crate) async fn send(&mut self, frame: FromDaemon) {
        self.sender.send(&frame).await.unwrap();
    }

    /// The same, on a connection that the server may have ended.
    pub(crate) async fn try_send(
        &mut self,
        frame: FromDaemon,
    ) -> Result<(), makima_client::daemon::LinkError> {
        self.sender.send(&frame).await
    }

    /// The next look for a repository, for the test to answer.
    pub(crate) async fn look(&mut self) -> makima_model::CommandId {
        loop {
            match next(&mut self.receiver).await.expect("the server ended the connection") {
                ToDaemon::Command { id, command: Command::CheckRepository { .. } } => return id,
                ToDaemon::Command { id, command } => self.commands.push_back((id, command)),
                _ => {}
            }
        }
    }

    /// The next frame that is neither a look for a repository nor a settlement. `None`: the server ended the connection.
    pub(crate) async fn frame(&mut self) -> Option<ToDaemon> {
        loop {
            match next(&mut self.receiver).await? {
                ToDaemon::Command { id, command: Command::CheckRepository { .. } } => {
                    let seen = RepositorySeen {
                        base_branch: "main".into(),
                        base_commit: Some("1".repeat(40)),
                        uncommitted_files: None,
                    };
                    self.finish(id, CommandOutcome::Done(CommandResult::Repository(seen))).await;
                }
                ToDaemon::Settled { .. } => {}
                frame => return Some(frame),
            }
        }
    }

    /// The next command; acknowledgements of entries are passed over.
    pub(crate) async fn command(&mut self) -> (makima_model::CommandId, Command) {
        loop {
            if let Some(command) = self.commands.pop_front() {
                return command;
            }
            match self.frame().await {
                Some(ToDaemon::Command { id, command }) => self.commands.push_back((id, command)),
                Some(_) => {}
                None => panic!("the server ended the connection"),
            }
        }
    }

    pub(crate) async fn finish(&mut self, command: makima_model::CommandId, outcome: CommandOutcome) {
        self.send(FromDaemon::Finished { command, outcome }).await;
    }

    /// Takes the next start of a run.
    pub(crate) async fn start(&mut self) -> StartRun {
        let (id, command) = self.command().await;
        let Command::StartRun(start) = command else { panic!("no start but {command:?}") };
        self.send(FromDaemon::Acknowledged { command: id }).await;
        self.finish(id, CommandOutcome::Done(CommandResult::Done)).await;
        *start
    }

    /// Waits until what came of a command is settled.
    pub(crate) async fn settled(&mut self, command: makima_model::CommandId) {
        loop {
            match next(&mut self.receiver).await.expect("the server ended the connection") {
                ToDaemon::Settled { command: settled } if settled == command => return,
                ToDaemon::Command { id, command } => self.commands.push_back((id, command)),
                _ => {}
            }
        }
    }

    /// Sends entries from number `from` on and waits until they are durable.
    pub(crate) async fn tell(&mut self, run: RunId, from: u64, records: Vec<Record>) {
        let last = from + records.len() as u64 - 1;
        self.post(run, from, records).await;
        loop {
            match self.frame().await {
                Some(ToDaemon::Ack { run: of, n }) if of == run && n == last => return,
                Some(ToDaemon::Command { id, command }) => self.commands.push_back((id, command)),
                Some(_) => {}
                None => panic!("the server ended the connection"),
            }
        }
    }

    /// Sends entries without waiting.
    pub(crate) async fn post(&mut self, run: RunId, from: u64, records: Vec<Record>) {
        let at = self.clock.now();
        let entries = (from..).zip(records).map(|(n, record)| Entry { n, at, record }).collect();
        self.send(FromDaemon::Entries { run, entries }).await;
    }

    /// A daemon that answers looks for repositories while the test does something else.
    pub(crate) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                frame = self.frame() => match frame {
                    Some(ToDaemon::Command { id, command }) => self.commands.push_back((id, command)),
                    Some(_) => {}
                    None => panic!("the server ended the connection"),
                },
            }
        }
    }
}

/// The next frame. `None`: the server ended the connection.
async fn next(receiver: &mut FrameReceiver) -> Option<ToDaemon> {
    loop {
        match tokio::time::timeout(PATIENCE, receiver.next()).await.expect("no frame came")? {
            Ok(Heard::Frame(frame)) => return Some(*frame),
            Ok(Heard::Life) => {}
            Err(_) => return None,
        }
    }
}

/// The records with which every run begins.
pub(crate) fn begun(task: &Task) -> Vec<Record> {
    vec![
        Record::Prepared {
            worktree_path: format!("/srv/worktrees/{}", task.id),
            branch_name: task.branch_name.clone(),
            base_branch: "main".into(),
            base_commit: "1".repeat(40),
        },
        Record::Spawned { pid: 4711 },
        Record::Session {
            session_id: "session-1".into(),
            version: Some("1.0".into()),
            model: Some("m".into()),
        },
    ]
}

pub(crate) fn said(clock: &Clock, role: MessageRole, text: &str) -> Record {
    Record::Message { message: Message::said(clock.new_id(), role, text, clock.now()) }
}

pub(crate) fn heard(id: MessageId, at: Timestamp, text: &str) -> Record {
    Record::Message { message: Message::said(id, MessageRole::User, text, at) }
}

pub(crate) fn turn(cost: f64) -> Record {
    Record::TurnEnded(TurnEnd {
        turn: 1,
        outcome: TurnOutcome::Completed,
        usage: Usage { input_tokens: 100, output_tokens: 20, ..Usage::default() },
        cost_usd: Some(cost),
        duration_ms: 5,
        tools: [("Write".to_owned(), 1)].into(),
        failure: None,
    })
}

pub(crate) fn ended(outcome: RunOutcome) -> Record {
    Record::Ended(RunEnd { outcome, reason: None, failure: None })
}

/// The next `count` events of a feed.
pub(crate) async fn take(
    feed: &mut (impl Stream<Item = Result<FeedEvent, makima_client::ClientError>> + Unpin),
    count: usize,
) -> Vec<FeedEvent> {
    let mut events = Vec::new();
    while events.len() < count {
        let next = tokio::time::timeout(PATIENCE, feed.next()).await.expect("no event came");
        events.push(next.expect("the feed ended").unwrap());
    }
    events
}
