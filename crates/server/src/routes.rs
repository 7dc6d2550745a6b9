//! All routes. A route parses, authorises, calls and answers; the rules are in `app`.

mod contracts;
mod daemons;
mod events;
mod health;
pub(crate) mod shown;
mod tasks;

use crate::{
    App,
    error::{ApiError, answer_errors},
};
use axum::{Router, extract::DefaultBodyLimit, middleware, routing};
use makima_wire::{Code, ErrorBody, FeedData};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::{
    OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The largest body that a route takes unless it says otherwise: a plan of a million characters fits, four bytes each
/// and escaped.
const BODY: usize = 8 << 20;
/// The largest blob.
const BLOB: usize = 256 << 20;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Makima",
        description = "A control plane for coding agents in which no moment is ever lost.\n\n\
            Times are RFC 3339 in UTC with microseconds, ids are UUIDv7. Lists are newest first; `cursor` leads to the \
            next page and is absent on the last. Every error has the shape `ErrorBody`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(ErrorBody, Code, FeedData)),
    modifiers(&Keys),
    security(("bearer" = []), ("key" = [])),
)]
struct Description;

struct Keys;

impl utoipa::Modify for Keys {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let components = api.components.get_or_insert_default();
        let bearer =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API key")).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let key = ApiKeyValue::with_description("X-API-Key", "An API key");
        components.add_security_scheme("key", SecurityScheme::ApiKey(ApiKey::Header(key)));
    }
}

fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(contracts::list::list_contracts, contracts::create::create_contract))
        .routes(routes!(contracts::get::get_contract))
        .routes(routes!(tasks::list::list_tasks, tasks::create::create_task))
        .routes(routes!(tasks::get::get_task))
        .routes(routes!(tasks::stop::stop_task))
        .routes(routes!(tasks::messages::send_message))
        .routes(routes!(tasks::answer::answer_question))
        .routes(routes!(tasks::conversation::get_conversation))
        .routes(routes!(tasks::output::list_output))
        .routes(routes!(tasks::events::list_events))
        .routes(routes!(tasks::checkpoints::list_checkpoints, tasks::checkpoints::create_checkpoint))
        .routes(routes!(daemons::list::list_daemons))
        .routes(routes!(events::feed))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
}

/// The description of the API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().into_openapi()
}

/// All routes, ready to be served.
pub(crate) fn router(app: App) -> Router {
    let (router, api) = described().split_for_parts();
    // Serialised once: it is the same for everybody.
    let api = axum::body::Bytes::from(api.to_json().unwrap_or_default());
    let openapi = routing::get(move || async move { ([("content-type", "application/json")], api) });
    let clock = app.clock().clone();
    router
        .route("/api/v1/openapi.json", openapi)
        .route("/api/v1/daemons/connect", routing::get(daemons::connect::connect))
        .route(
            "/api/v1/daemons/blobs/{hash}",
            routing::put(daemons::blob::put_blob).layer(DefaultBodyLimit::max(BLOB)),
        )
        .route("/api/v1/daemons/runs/{id}/session", routing::get(daemons::session::get_session))
        .fallback(|| async { ApiError::new(Code::NotFound, "there is nothing at this address") })
        .layer(DefaultBodyLimit::max(BODY))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            axum::response::IntoResponse::into_response(ApiError::new(
                Code::Internal,
                "the server failed to answer",
            ))
        }))
        .layer(middleware::from_fn(move |request, next| answer_errors(clock.clone(), request, next)))
        .with_state(app)
}
