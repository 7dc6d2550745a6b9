//! Starting and stopping a server.

use crate::{App, Assets, Hosts, Settings, blobs::Blobs, export::Spool, routes};
use axum::serve::ListenerExt;
use makima_failpoints::Failpoints;
use makima_model::Clock;
use makima_store::Db;
use std::{io, net::SocketAddr, path::PathBuf};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// What a server is started with.
#[derive(Debug)]
pub struct ServerConfig {
    /// Where it listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Its database, open.
    pub db: Db,
    /// The folder of its blobs; made when the first one comes.
    pub blobs: PathBuf,
    /// The folder in which exports are gathered; made when the first one is. Servers of one database share it, as they do the blobs.
    pub exports: PathBuf,
    /// Its time and ids.
    pub clock: Clock,
    /// Its version, as `/healthz` tells it.
    pub version: String,
    /// The times that it works by.
    pub settings: Settings,
    /// By which names it is called.
    pub hosts: Hosts,
    /// The web UI, if there is one.
    pub web: Option<Assets>,
    /// Where a test ends it.
    pub failpoints: Failpoints,
}

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Somebody listens there already.
    #[error("{address} is taken: another program listens there")]
    Taken {
        /// Where.
        address: SocketAddr,
    },
    /// It can't listen there.
    #[error("could not listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// A server that listens.
#[must_use = "a server stops when it is dropped"]
pub struct Server {
    app: App,
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<io::Result<()>>,
    watching: [JoinHandle<()>; 4],
}

impl Server {
    /// Listens, and answers from now on.
    pub async fn start(config: ServerConfig) -> Result<Self, ServerError> {
        let ServerConfig { listen, db, blobs, exports, clock, version, settings, hosts, web, failpoints } =
            config;
        let unheard = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ServerError::Taken { address: listen },
            _ => ServerError::Listen { address: listen, source },
        };
        let listener = TcpListener::bind(listen).await.map_err(unheard)?;
        let address = listener.local_addr().map_err(unheard)?;
        // Else what is written in several pieces waits for the other side's word on the first: 40 ms and more.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!("a connection answers in its own time: {error}");
            }
        });
        let files = (Blobs::new(blobs), Spool::new(exports));
        let app = App::new(db, clock, files, settings, version, (hosts, address.port()), failpoints);
        let stop = app.stopping();
        let serving = tokio::spawn({
            let (router, stop) = (routes::router(app.clone(), web), stop.clone());
            let router = router.into_make_service_with_connect_info::<SocketAddr>();
            async move { axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await }
        });
        let watching = [
            tokio::spawn(app.clone().watch_silence()),
            tokio::spawn(app.clone().watch_operations()),
            tokio::spawn(app.clone().watch_uploads()),
            tokio::spawn(app.clone().watch_index()),
        ];
        Ok(Self { app, address, stop, serving, watching })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it serves.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Answers what has been asked, ends feeds and daemons' connections, and listens no more.
    pub async fn stop(mut self) {
        self.stop.cancel();
        self.app.connections().end_all();
        // Whether it ended well or not, it has ended.
        let _ = (&mut self.serving).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.app.connections().end_all();
        self.watching.iter().for_each(JoinHandle::abort);
        self.serving.abort();
    }
}
