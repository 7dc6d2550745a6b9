//! The daemon, put together.

use crate::{
    DaemonConfig, DaemonError,
    agents::Agents,
    commands::Commands,
    connection::{Connection, Link},
    disk,
    folders::Folders,
    room::Room,
    runs::Runs,
    trouble::Troubles,
    workshop::Workshop,
    worktrees::Worktrees,
};
use makima_client::daemon::DaemonClient;
use makima_git::{Environment, Git};
use makima_model::{AgentInfo, DaemonId, StopReason};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
};

/// How many live pieces may wait for the server before they are dropped.
const DELTAS: usize = 1024;
/// How long the server may take to acknowledge the last entries when the daemon goes.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How often to look how much room there is.
const LOOK_AT_ROOM: Duration = Duration::from_secs(5);
/// How often to look whether the data folder is free.
const LETTING_GO: Duration = Duration::from_millis(2);

/// A daemon at work. When it is dropped it lets go of its runs, whose hosts go on.
pub struct Daemon {
    id: DaemonId,
    workshop: Arc<Workshop>,
    runs: Arc<Runs>,
    commands: Arc<Commands>,
    connection: JoinHandle<()>,
    looking: JoinHandle<()>,
    link: watch::Receiver<Link>,
    closing: watch::Sender<bool>,
}

impl Daemon {
    /// Takes the data folder, goes on with what an earlier daemon left there, and connects to the server, again and again
    /// until it is stopped. Does not wait for the connection.
    pub async fn start(config: DaemonConfig) -> Result<Self, DaemonError> {
        check_platform()?;
        let folders = Arc::new(Folders::open(&config.data_dir)?);
        let id = folders.identity(&config.clock)?;
        let git = Git::find(Environment::pick(config.environment.clone())).await?;
        let (deltas, to_show) = mpsc::channel(DELTAS);
        let workshop = Arc::new(Workshop {
            worktrees: Worktrees::new(git, Arc::clone(&folders), config.clock.clone(), &config.checkpoint)
                .with_failpoints(&config.failpoints),
            agents: Agents::find(&config).await,
            server: DaemonClient::new(&config.server_url, &config.api_key)?,
            troubles: Troubles::default(),
            news: Notify::new(),
            room: Room::new(config.max_journal_bytes),
            folders,
            config,
            deltas,
        });
        workshop.worktrees.clear_locks()?;
        let runs = Arc::new(Runs::resume(&workshop).await?);
        let commands = Commands::resume(&workshop, &runs).await?;
        let (link, seen) = watch::channel(Link::Down);
        let (closing, is_closing) = watch::channel(false);
        let connection = Connection {
            workshop: Arc::clone(&workshop),
            runs: Arc::clone(&runs),
            commands: Arc::clone(&commands),
            daemon: id,
            deltas: to_show,
            link,
            is_closing,
        };
        let connection = tokio::spawn(connection.keep());
        let looking = tokio::spawn(look_at_room(Arc::clone(&workshop)));
        Ok(Self { id, workshop, runs, commands, connection, looking, link: seen, closing })
    }

    /// Its id, which it made once and keeps.
    pub fn id(&self) -> DaemonId {
        self.id
    }

    /// The agents whose programs were found.
    pub fn agents(&self) -> &[AgentInfo] {
        self.workshop.agents.offered()
    }

    /// Waits until the server has taken it.
    pub async fn connected(&self) -> Result<(), DaemonError> {
        let mut link = self.link.clone();
        let link = link.wait_for(|link| *link != Link::Down).await.map(|link| link.clone());
        match link {
            Ok(Link::Refused { message }) => Err(DaemonError::Refused { message }),
            Ok(Link::Up | Link::Down) => Ok(()),
            Err(_) => Err(DaemonError::Aborted),
        }
    }

    /// Waits until it has given up, which it does only where the server never took it and says that it won't.
    pub async fn given_up(&self) -> DaemonError {
        let mut link = self.link.clone();
        let refused =
            link.wait_for(|link| matches!(link, Link::Refused { .. })).await.map(|link| link.clone());
        match refused {
            Ok(Link::Refused { message }) => DaemonError::Refused { message },
            Ok(_) | Err(_) => DaemonError::Aborted,
        }
    }

    /// Stops all agents in good order, tells the server, and ends.
    pub async fn stop(self) {
        self.closing.send_replace(true);
        self.runs.stop(StopReason::Shutdown).await;
        if *self.link.borrow() == Link::Up {
            let _ = tokio::time::timeout(LAST_WORDS, self.runs.all_acknowledged()).await;
        }
        self.detach().await;
    }

    /// Lets go of all runs and ends; their hosts go on, for the next daemon to find. Afterwards the data folder is free.
    pub async fn detach(mut self) {
        self.connection.abort();
        self.looking.abort();
        let _ = (&mut self.connection).await;
        let _ = (&mut self.looking).await;
        self.commands.detach().await;
        self.runs.detach().await;
        // A write that was under way goes to its end on a thread of its own.
        let folders = Arc::downgrade(&self.workshop.folders);
        drop(self);
        while folders.strong_count() > 0 {
            tokio::time::sleep(LETTING_GO).await;
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.connection.abort();
        self.looking.abort();
        self.runs.abort();
    }
}

/// Looks now and then how much room there is, for as long as it is let.
async fn look_at_room(workshop: Arc<Workshop>) {
    loop {
        let looking = Arc::clone(&workshop);
        let _ = disk::off_thread(move || {
            looking.troubles.look(looking.folders.root());
            Ok(())
        })
        .await;
        tokio::time::sleep(LOOK_AT_ROOM).await;
    }
}

fn check_platform() -> Result<(), DaemonError> {
    let (system, processor) = (std::env::consts::OS, std::env::consts::ARCH);
    match (system, processor) {
        ("linux", "x86_64" | "aarch64") => Ok(()),
        _ => Err(DaemonError::Platform { system, processor }),
    }
}
