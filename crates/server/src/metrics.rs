//! What the server tells a Prometheus: how often and how fast it answers, and what its daemons report. Nothing of any owner's.

use crate::App;
use axum::{
    extract::{MatchedPath, Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
        info::Info,
    },
    registry::Registry,
};
use tokio::time::Instant;

/// A request, as it is counted: by its route, not by its address, of which there are endlessly many.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: String,
    route: String,
    status: u16,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: String,
    route: String,
}

/// All that is counted.
pub(crate) struct Metrics {
    registry: Registry,
    answered: Family<Answered, Counter>,
    seconds: Family<Route, Histogram>,
    /// Daemons that are connected to this server.
    pub(crate) daemons: Gauge,
    /// Rows of daemons' reports that are durable.
    pub(crate) reported: Counter,
    /// Reports that could not be taken.
    pub(crate) refused: Counter,
}

impl Metrics {
    pub(crate) fn new(version: &str) -> Self {
        let mut registry = Registry::with_prefix("makima");
        let answered = Family::<Answered, Counter>::default();
        // From a millisecond to half a minute: as long as a request may wait for a daemon.
        let seconds = Family::<Route, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.001, 2.0, 16))
        });
        let (daemons, reported, refused) = (Gauge::default(), Counter::default(), Counter::default());
        registry.register("build", "The server", Info::new([("version", version.to_owned())]));
        registry.register("http_requests", "Requests that were answered", answered.clone());
        registry.register("http_request_seconds", "How long the head of an answer took", seconds.clone());
        registry.register("daemon_connections", "Daemons that are connected here", daemons.clone());
        registry.register("reported_rows", "Rows of daemons' reports that are durable", reported.clone());
        registry.register("refused_reports", "Daemons' reports that could not be taken", refused.clone());
        Self { registry, answered, seconds, daemons, reported, refused }
    }

    fn told(&self) -> String {
        let mut text = String::new();
        // Writing to a String doesn't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Counts what is answered.
pub(crate) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    // Whatever word a client makes up is one.
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    let method = known.iter().find(|known| **known == request.method().as_str()).unwrap_or(&"other");
    let method = (*method).to_owned();
    let began = Instant::now();
    let response = next.run(request).await;
    let metrics = app.metrics();
    let labels = Route { method: method.clone(), route: route.clone() };
    metrics.seconds.get_or_create(&labels).observe(began.elapsed().as_secs_f64());
    let labels = Answered { method, route, status: response.status().as_u16() };
    metrics.answered.get_or_create(&labels).inc();
    response
}

/// How often and how fast the server answers, as Prometheus reads it.
#[utoipa::path(get, path = "/metrics", tag = "server",
    responses((status = 200, content_type = "application/openmetrics-text", body = String)))]
pub(crate) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], app.metrics().told())
}
