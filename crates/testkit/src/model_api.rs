//! A scripted model API on loopback, which real agents talk to instead of a model.
//!
//! It keeps no conversation: each reply is chosen from the request's own history ([`Scenario`]), so an agent may be
//! killed, resumed, rewound or forked and the script goes on where that history stands. What arrives is recorded, as the
//! proof of what the agent really sent.
//!
//! One file speaks one wire protocol (`anthropic.rs`): it reads the history out of a request and writes a step as a reply.
//! Choosing, pacing, gates and recording know no protocol.

mod anthropic;
mod gates;
mod player;
mod recorded;
mod scenario;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, Method, Uri},
    routing::post,
};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use self::{
    gates::Gates,
    scenario::{Picked, Turn},
};
pub use self::{
    recorded::{RecordedRequest, ToolResult},
    scenario::{Block, ErrorReply, Scenario, Step},
};

/// How long a test waits for what must happen: far above what it takes, so that only a real fault reaches it.
const PATIENCE: Duration = Duration::from_secs(120);

/// The model API, served until this is dropped.
///
/// It runs on a thread of its own, so that a test that blocks its own runtime still gets answers.
pub struct FakeModelApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the server's tasks and the test both hold.
pub(crate) struct Shared {
    scenario: Scenario,
    gates: Gates,
    requests: Mutex<Vec<RecordedRequest>>,
    count: watch::Sender<usize>,
}

impl FakeModelApi {
    /// Serves `scenario` on a free port of 127.0.0.1.
    pub async fn start(scenario: Scenario) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener.local_addr().expect("the address of the port");
        let shared = Arc::new(Shared {
            scenario,
            gates: Gates::default(),
            requests: Mutex::default(),
            count: watch::Sender::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let app = router(Arc::clone(&shared));
        let thread = thread::Builder::new()
            .name("fake-model-api".to_owned())
            .spawn(move || {
                if let Err(error) = serve(listener, app, stopped) {
                    eprintln!("the fake model API stopped serving: {error}");
                }
            })
            .expect("a thread for the fake model API");
        Self { address, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// What an agent is given as the base URL of its model API.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that arrived so far, in order.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.requests().clone()
    }

    /// Waits until what arrived satisfies `condition`, and answers it.
    ///
    /// # Panics
    ///
    /// If that takes two minutes, with all that arrived.
    pub async fn until(&self, mut condition: impl FnMut(&[RecordedRequest]) -> bool) -> Vec<RecordedRequest> {
        let mut count = self.shared.count.subscribe();
        let arrived = async {
            loop {
                count.borrow_and_update();
                let requests = self.requests();
                if condition(&requests) || count.changed().await.is_err() {
                    return requests;
                }
            }
        };
        match tokio::time::timeout(PATIENCE, arrived).await {
            Ok(requests) => requests,
            Err(_) => panic!("the requests a test waited for never came; these did: {:#?}", self.requests()),
        }
    }

    /// Opens a gate, for the replies that wait at it and all that come to it later.
    pub fn open(&self, gate: &str) {
        self.shared.gates.open(gate);
    }

    /// Waits until a reply waits at a gate: what its step streams before the gate has been sent.
    ///
    /// # Panics
    ///
    /// If that takes two minutes.
    pub async fn until_at_gate(&self, gate: &str) {
        if tokio::time::timeout(PATIENCE, self.shared.gates.until_reached(gate)).await.is_err() {
            panic!("no reply came to gate {gate}; these requests arrived: {:#?}", self.requests());
        }
    }
}

impl Drop for FakeModelApi {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been printed, and the test has seen its connections break.
            let _ = thread.join();
        }
    }
}

fn serve(listener: TcpListener, app: Router, stopped: oneshot::Receiver<()>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::select! {
            served = async { axum::serve(listener, app).await } => served,
            _ = stopped => Ok(()),
        }
    });
    // Open streams are cut with it, as those of a server that dies are.
    runtime.shutdown_background();
    served
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/messages", post(anthropic::messages))
        .route("/v1/messages/count_tokens", post(anthropic::count_tokens))
        .fallback(anything_else)
        .layer(DefaultBodyLimit::disable())
        .with_state(shared)
}

/// Agents ask for more than a model's answers (feature flags, health); an empty object contents them all.
async fn anything_else(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Json<Value> {
    shared.record(RecordedRequest::new(&method, &uri, &headers, &body));
    Json(json!({}))
}

impl Shared {
    /// Chooses the step for a request and records both; answers the step, filled in, and the request's number.
    fn pick(&self, mut request: RecordedRequest, history: &[Turn], working_folder: &str) -> (Step, usize) {
        let has_tools = request.body["tools"].as_array().is_some_and(|tools| !tools.is_empty());
        let Picked { step, name } = self.scenario.pick(history, has_tools);
        request.picked = Some(name);
        let step = step.filled(&|variable| match variable {
            "cwd" => Some(working_folder.to_owned()),
            "n" => Some(history.len().to_string()),
            _ => self.scenario.vars.get(variable).cloned(),
        });
        (step, self.record(request))
    }

    fn record(&self, mut request: RecordedRequest) -> usize {
        let number = {
            let mut requests = self.requests();
            request.number = requests.len();
            requests.push(request);
            requests.len()
        };
        self.count.send_replace(number);
        number - 1
    }

    fn requests(&self) -> MutexGuard<'_, Vec<RecordedRequest>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
