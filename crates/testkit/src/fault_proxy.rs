//! A proxy that does to connections what networks do: cuts them, stalls them, swallows one direction, makes them slow, leaves
//! an old one open beside a new one.

mod disturb;
mod pump;

pub use disturb::Faults;
use pump::{Flow, Pump};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From whoever connects to the server.
    Up,
    /// Back.
    Down,
}

/// A TCP proxy on the loopback whose connections a test disturbs.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    server: Mutex<SocketAddr>,
    lines: Mutex<Vec<Line>>,
    /// How new connections begin: up and down.
    begin: Mutex<(Flow, Flow)>,
    /// Whether new connections are closed at once.
    is_closed: Mutex<bool>,
    /// After how many more bytes the connection that carries them is cut: up and down.
    budgets: [Arc<Mutex<Option<usize>>>; 2],
    count: watch::Sender<usize>,
    refused: AtomicUsize,
}

/// One connection.
#[derive(Debug)]
struct Line {
    up: watch::Sender<Flow>,
    down: watch::Sender<Flow>,
    /// Whether one of its ends has hung up.
    hung_up: Arc<AtomicBool>,
    pumps: JoinSet<()>,
}

impl FaultProxy {
    /// A proxy before the server at this address (`http://127.0.0.1:…`). Needs a tokio runtime.
    pub async fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port of the loopback is free");
        let address = listener.local_addr().expect("it listens");
        let shared = Arc::new(Shared {
            server: Mutex::new(address_of(server)),
            lines: Mutex::default(),
            begin: Mutex::new((Flow::Open, Flow::Open)),
            is_closed: Mutex::new(false),
            budgets: Default::default(),
            count: watch::channel(0).0,
            refused: AtomicUsize::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, accepting }
    }

    /// Where to connect instead of to the server.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The server is at another address from now on.
    pub fn lead_to(&self, server: &str) {
        *locked(&self.shared.server) = address_of(server);
    }

    /// How many connections there have been.
    pub fn count(&self) -> usize {
        *self.shared.count.borrow()
    }

    /// How many were closed at once.
    pub fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Waits until there have been so many connections. Whoever connects through the proxy may know of it before the proxy does.
    pub async fn connected(&self, count: usize) {
        let _ = self.shared.count.subscribe().wait_for(|made| *made >= count).await;
    }

    /// Ends every connection that there is.
    pub fn cut(&self) {
        locked(&self.shared.lines).clear();
    }

    /// Cuts all, and closes what comes until it is [opened](Self::open) again: the server is away.
    pub fn close(&self) {
        *locked(&self.shared.is_closed) = true;
        self.cut();
    }

    /// Lets everything through again, but for what was swallowed.
    pub fn open(&self) {
        *locked(&self.shared.is_closed) = false;
        *locked(&self.shared.begin) = (Flow::Open, Flow::Open);
        for line in locked(&self.shared.lines).iter() {
            for flow in [&line.up, &line.down] {
                flow.send_if_modified(|flow| {
                    let is_new = matches!(flow, Flow::Held | Flow::Slow { .. });
                    if is_new {
                        *flow = Flow::Open;
                    }
                    is_new
                });
            }
        }
    }

    /// Holds back what goes this way, on all connections; it arrives once they are [opened](Self::open).
    pub fn hold(&self, way: Way) {
        self.set_all(way, Flow::Held);
    }

    /// Lets what goes this way through in pieces with a pause after each, on all connections.
    pub fn slow(&self, way: Way, piece: usize, pause: Duration) {
        self.set_all(way, Flow::Slow { piece, pause });
    }

    /// Swallows what goes this way on the connections that there are, for ever, and tells nobody: they are half-open. New ones
    /// are whole.
    pub fn swallow(&self, way: Way) {
        for line in locked(&self.shared.lines).iter() {
            line.flow(way).send_replace(Flow::Swallowed);
        }
    }

    /// How many connections swallow something and are still held by both ends: neither has noticed.
    pub fn half_open(&self) -> usize {
        locked(&self.shared.lines).iter().filter(|line| line.is_half_open()).count()
    }

    /// Hangs up towards whoever connected, while the server's ends stay open: what was on its way up is held, and arrives late
    /// once they are [opened](Self::open), unless it is swallowed.
    pub fn leave_behind(&self) {
        for line in locked(&self.shared.lines).iter() {
            set(&line.up, Flow::Held);
            line.down.send_replace(Flow::HungUp);
        }
    }

    /// Cuts a connection in the middle: the one that carries the last of the next `bytes` that go this way.
    pub fn cut_after(&self, way: Way, bytes: usize) {
        *locked(&self.shared.budgets[way as usize]) = Some(bytes);
    }

    /// Whether the connection was cut that [`cut_after`](Self::cut_after) was about.
    pub fn has_cut(&self, way: Way) -> bool {
        locked(&self.shared.budgets[way as usize]).is_none()
    }

    fn set_all(&self, way: Way, flow: Flow) {
        {
            let mut begin = locked(&self.shared.begin);
            match way {
                Way::Up => begin.0 = flow,
                Way::Down => begin.1 = flow,
            }
        }
        for line in locked(&self.shared.lines).iter() {
            set(line.flow(way), flow);
        }
    }
}

/// Has bytes go another way where they go at all.
fn set(flow: &watch::Sender<Flow>, to: Flow) {
    flow.send_if_modified(|now| {
        let is_whole = matches!(now, Flow::Open | Flow::Held | Flow::Slow { .. });
        if is_whole {
            *now = to;
        }
        is_whole
    });
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Line {
    fn flow(&self, way: Way) -> &watch::Sender<Flow> {
        match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        }
    }

    fn is_half_open(&self) -> bool {
        let swallows = [&self.up, &self.down].iter().any(|flow| *flow.borrow() == Flow::Swallowed);
        swallows && !self.hung_up.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        if *locked(&shared.is_closed) {
            shared.refused.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let server = *locked(&shared.server);
        // A server that isn't there is one that hangs up.
        let Ok(server) = TcpStream::connect(server).await else { continue };
        let (begin_up, begin_down) = *locked(&shared.begin);
        let ((up, up_flow), (down, down_flow)) = (watch::channel(begin_up), watch::channel(begin_down));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let budget = |way: Way| Arc::clone(&shared.budgets[way as usize]);
        let hung_up = Arc::<AtomicBool>::default();
        let (cut, cuts) = watch::channel(false);
        let mut pumps = JoinSet::new();
        let whole = [
            Pump {
                from: from_client,
                to: to_server,
                flow: up_flow,
                budget: budget(Way::Up),
                hung_up: Arc::clone(&hung_up),
            },
            Pump {
                from: from_server,
                to: to_client,
                flow: down_flow,
                budget: budget(Way::Down),
                hung_up: Arc::clone(&hung_up),
            },
        ];
        for pump in whole {
            let (cut, mut cuts) = (cut.clone(), cuts.clone());
            pumps.spawn(async move {
                tokio::select! {
                    is_cut = pump.run() => if is_cut { cut.send_replace(true); },
                    _ = cuts.wait_for(|is_cut| *is_cut) => {}
                }
            });
        }
        locked(&shared.lines).push(Line { up, down, hung_up, pumps });
        // It was closed while this one was made.
        if *locked(&shared.is_closed) {
            locked(&shared.lines).clear();
        }
        shared.count.send_modify(|count| *count += 1);
        // Those that have ended by themselves are of no more use.
        locked(&shared.lines).retain_mut(|line| {
            while line.pumps.try_join_next().is_some() {}
            !line.pumps.is_empty()
        });
    }
}

fn address_of(url: &str) -> SocketAddr {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    address.parse().expect("the server is named by an address in digits")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
