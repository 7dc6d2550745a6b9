//! What stands for as long as its command runs: a server, a daemon, and the signals that end them.

use crate::{
    arguments::Global,
    config::{Config, PublicUrl},
    connection::DEFAULT_LISTEN,
    data_folder::DataFolder,
    environment,
    failure::{Failure, chain},
    printer::{Line, Style},
};
use bytes::Bytes;
use makima_agents::AgentConfig;
use makima_daemon::{CheckpointRules, Daemon, DaemonConfig};
use makima_model::Clock;
use makima_server::{Asset, Hosts, Server, ServerConfig, ServerError, Settings};
use makima_store::{Db, Hindrance, StoreError};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::{NonZeroU16, NonZeroU64},
    time::Duration,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How many workers a daemon runs at once, and how often it says that it is there, where nobody says otherwise.
const MAX_CONCURRENT_TASKS: u32 = 4;
const HEARTBEAT_SECONDS: u64 = 10;
const MAX_JOURNAL_BYTES: u64 = 1 << 30;

/// Where a server listens and what it keeps its data in, as flags and variables say.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ServerOptions {
    /// Where to listen; port 0 picks a free one [default: 127.0.0.1:7447]
    #[arg(long, env = "MAKIMA_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// The address that people open, where it isn't the one to listen at: behind a proxy
    #[arg(long, env = "MAKIMA_PUBLIC_URL", value_name = "URL")]
    public_url: Option<PublicUrl>,
    /// Names that the server answers to, besides addresses in digits, localhost and the public one; with commas
    #[arg(long, env = "MAKIMA_ALLOWED_HOSTS", value_name = "HOSTS", value_delimiter = ',')]
    allowed_hosts: Option<Vec<String>>,
    /// The database: `sqlite:<file>` or `postgres://…`; without it, a SQLite file in the data directory
    #[arg(long, env = "MAKIMA_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
}

/// Opens the database: a flag's, else the configuration's, else the data folder's.
pub(crate) async fn open_database(
    told: Option<&str>,
    config: &Config,
    data: &DataFolder,
) -> Result<Db, Failure> {
    let own = data.database_url();
    let url = told.or(config.database.url.as_deref()).unwrap_or(&own);
    Db::open(url).await.map_err(|error| {
        let hint = match &error {
            StoreError::Unavailable { hindrance: Hindrance::Full, .. } => {
                Some("make room there, or name another database with --database-url or MAKIMA_DATABASE_URL")
            }
            StoreError::Unavailable { hindrance: Hindrance::ReadOnly | Hindrance::Disk, .. } => {
                Some("may it be written there? --database-url or MAKIMA_DATABASE_URL names another database")
            }
            _ => None,
        };
        Failure { hint: hint.map(str::to_owned), ..Failure::new(chain(&error)) }
    })
}

/// Starts a server.
pub(crate) async fn start_server(
    options: &ServerOptions,
    config: &Config,
    data: &DataFolder,
) -> Result<Server, Failure> {
    let db = open_database(options.database_url.as_deref(), config, data).await?;
    let default = DEFAULT_LISTEN.parse().ok();
    let Some(listen) = options.listen.or(config.server.listen).or(default) else {
        return Err(Failure::usage("no address to listen on"));
    };
    let server = ServerConfig {
        listen,
        db,
        blobs: data.blobs(),
        exports: data.exports(),
        clock: Clock::system(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        hosts: Hosts {
            public_url: options.public_url.clone().or(config.server.public_url.clone()).map(PublicUrl::uri),
            allowed: options.allowed_hosts.clone().unwrap_or_else(|| config.server.allowed_hosts.clone()),
        },
        web: Some(web_asset),
        failpoints: environment::failpoints(),
        settings: Settings::beating(Duration::from_secs(heartbeat(config))),
    };
    Server::start(server).await.map_err(|error| {
        let hint = match &error {
            ServerError::Taken { .. } => Some(
                "is Makima up already? `--listen 127.0.0.1:0` or MAKIMA_LISTEN=127.0.0.1:0 picks a free port",
            ),
            ServerError::Listen { .. } => Some("`--listen` says where to listen"),
        };
        Failure { hint: hint.map(str::to_owned), ..Failure::new(chain(&error)) }
    })
}

/// A file of the web UI.
fn web_asset(path: &str) -> Option<Asset> {
    let makima_web::Asset { bytes, content_type, is_immutable } = makima_web::asset(path)?;
    Some(Asset { bytes: Bytes::from_static(bytes), content_type: content_type.to_owned(), is_immutable })
}

fn heartbeat(config: &Config) -> u64 {
    config.daemon.heartbeat_seconds.map_or(HEARTBEAT_SECONDS, NonZeroU64::get)
}

/// The address that a server of this machine is reached at.
pub(crate) fn url_of(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(at) if at.ip().is_unspecified() => format!("http://127.0.0.1:{}", at.port()),
        SocketAddr::V6(at) if at.ip().is_unspecified() => format!("http://[::1]:{}", at.port()),
        at => format!("http://{at}"),
    }
}

/// What a daemon is told besides the configuration.
pub(crate) struct DaemonOptions {
    pub(crate) server_url: String,
    pub(crate) api_key: String,
    pub(crate) name: Option<String>,
    pub(crate) max_concurrent_tasks: Option<NonZeroU16>,
    pub(crate) agents: BTreeMap<String, AgentConfig>,
}

/// Starts a daemon.
pub(crate) async fn start_daemon(
    options: DaemonOptions,
    config: &Config,
    data: &DataFolder,
) -> Result<Daemon, Failure> {
    let hostname = environment::host_name();
    let program = environment::program()
        .map_err(|error| Failure::because("this program's own file was not found", &error))?;
    let tasks = options.max_concurrent_tasks.or(config.daemon.max_concurrent_tasks);
    let daemon = DaemonConfig {
        data_dir: data.daemon(),
        server_url: options.server_url,
        api_key: options.api_key,
        name: options.name.or(config.daemon.name.clone()).unwrap_or_else(|| hostname.clone()),
        hostname,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        max_concurrent_tasks: tasks.map_or(MAX_CONCURRENT_TASKS, |tasks| tasks.get().into()),
        heartbeat_seconds: heartbeat(config),
        max_journal_bytes: config.daemon.max_journal_bytes.map_or(MAX_JOURNAL_BYTES, NonZeroU64::get),
        agents: options.agents,
        environment: environment::all().into_iter().collect(),
        trusted_repositories: config.daemon.trusted_repositories.iter().cloned().collect(),
        checkpoint: CheckpointRules {
            max_file_bytes: config.checkpoint.max_file_bytes,
            include: config.checkpoint.include.clone(),
        },
        program,
        patience: Default::default(),
        clock: Clock::system(),
        failpoints: environment::failpoints(),
    };
    Daemon::start(daemon).await.map_err(|error| Failure::new(chain(&error)))
}

/// Waits until the server has taken the daemon; says why where it won't.
pub(crate) async fn connected(daemon: &Daemon) -> Result<(), Failure> {
    daemon.connected().await.map_err(|error| Failure::new(chain(&error)))
}

/// What one is told whose machine has no agent that tasks could get by default.
pub(crate) fn without_agent(daemon: &Daemon) -> Option<Line> {
    let has_default = daemon.agents().iter().any(|agent| agent.default);
    (!has_default).then(|| {
        Line::styled(Style::Warn, "No agent was found here: ")
            .plain("install Claude Code (npm install -g @anthropic-ai/claude-code), log in, and start again")
    })
}

/// How a standing command is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Ctrl-C: agents are stopped in good order.
    Stop,
    /// SIGTERM: agents go on, and are taken up by the next daemon.
    Detach,
}

/// The signals that end a standing command.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Listens for them from now on.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let listen =
            |kind| signal(kind).map_err(|error| Failure::because("could not listen for signals", &error));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Starts something, unless it is to end before it stands.
    pub(crate) async fn unless_ended<T>(
        &mut self,
        start: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            started = start => started,
            _ = self.next() => Err(Failure::new("ended before it was ready")),
        }
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Ending {
        tokio::select! {
            _ = self.interrupt.recv() => Ending::Stop,
            _ = self.terminate.recv() => Ending::Detach,
        }
    }
}

/// Everything that a standing command of `global` needs first.
pub(crate) fn prepare(global: &Global) -> Result<(DataFolder, Config, Signals), Failure> {
    let data = global.data()?;
    let config = global.configuration(&data)?;
    Ok((data, config, Signals::listen()?))
}
