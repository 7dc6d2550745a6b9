//! All routes. A route parses, authorises, calls and answers; the rules are in `app`.

pub(crate) mod access;
pub(crate) mod chats;
pub(crate) mod contracts;
mod daemons;
mod description;
mod events;
mod exported;
mod health;
pub(crate) mod imports;
mod keys;
mod me;
pub(crate) mod operations;
mod search;
mod session;
pub(crate) mod shown;
mod streamed;
pub(crate) mod tasks;
mod timeline;

use crate::{
    App, Assets,
    error::{ApiError, answer_errors},
    hosts::check_host,
    metrics::count,
    once::once,
    web,
};
use access::Rule;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, Uri},
    middleware, routing,
};
use makima_wire::{Code, ErrorBody, FeedData, Manifest};
use tower_http::{catch_panic::CatchPanicLayer, timeout::RequestBodyTimeoutLayer};
use utoipa::{
    OpenApi,
    openapi::{
        extensions::Extensions,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The largest blob.
const BLOB: usize = 256 << 20;
/// The largest part of a bundle.
const BUNDLE_PART: usize = 8 << 20;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Makima",
        description = "A control plane for coding agents in which no moment is ever lost.\n\n\
            Times are RFC 3339 in UTC with microseconds, ids are UUIDv7. Lists are newest first; `cursor` leads to the \
            next page and is absent on the last. Every error has the shape `ErrorBody`.\n\n\
            A request with an `Idempotency-Key` is carried out once, however often it is sent. The key is kept for 24 hours, for \
            one owner, method and path. The same request again (query and body, byte by byte) answers what the first answered; \
            another one is 422; while the first is being carried out, also after its connection was lost, it is 409 \
            `REQUEST_IN_PROGRESS`, and `Retry-After` says when to ask again. A refusal that came of the state in which things stood \
            (409, 412) is an answer too. After any other error the same key may be sent again, and the request is carried \
            out as if for the first time, or from where it came to. An answer of more than 1 MiB is not kept but made anew, of what \
            there is then; a secret is told once, and then 409.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(ErrorBody, Code, FeedData, Manifest)),
    modifiers(&Keys),
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
        let tool =
            ApiKeyValue::with_description("X-Makima-Tool-Key", "The key of a run's agent: `MAKIMA_TOOL_KEY`");
        components.add_security_scheme("tool", SecurityScheme::ApiKey(ApiKey::Header(tool)));
        let session =
            ApiKeyValue::with_description("makima_session", "A browser's session; the name ends in the port");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    }
}

fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(contracts::list::list_contracts, contracts::create::create_contract))
        .routes(routes!(
            contracts::get::get_contract,
            contracts::change::change_contract,
            contracts::delete::delete_contract
        ))
        .routes(routes!(contracts::phase::set_phase))
        .routes(routes!(contracts::export::export_contract))
        .routes(routes!(chats::contract::list_contract_chat_messages, chats::contract::say_in_contract_chat))
        .routes(routes!(
            chats::contract::list_contract_chat_conversations,
            chats::contract::create_contract_chat_conversation
        ))
        .routes(routes!(chats::contract::rename_contract_chat_conversation))
        .routes(routes!(chats::contract::activate_contract_chat_conversation))
        .routes(routes!(chats::mesh::list_mesh_chat_messages, chats::mesh::say_in_mesh_chat))
        .routes(routes!(
            chats::mesh::list_mesh_chat_conversations,
            chats::mesh::create_mesh_chat_conversation
        ))
        .routes(routes!(chats::mesh::rename_mesh_chat_conversation))
        .routes(routes!(chats::mesh::activate_mesh_chat_conversation))
        .routes(routes!(tasks::list::list_tasks, tasks::create::create_task))
        .routes(routes!(tasks::get::get_task, tasks::delete::delete_task))
        .routes(routes!(tasks::stop::stop_task))
        .routes(routes!(tasks::cancel::cancel_task))
        .routes(routes!(tasks::reassign::reassign_task))
        .routes(routes!(tasks::messages::send_message))
        .routes(routes!(tasks::answer::answer_question))
        .routes(routes!(tasks::conversation::get_conversation))
        .routes(routes!(tasks::conversation::list_branches))
        .routes(routes!(tasks::export::export_task))
        .routes(routes!(tasks::output::list_output))
        .routes(routes!(tasks::events::list_events))
        .routes(routes!(tasks::checkpoints::list_checkpoints, tasks::checkpoints::create_checkpoint))
        .routes(routes!(tasks::checkpoints::checkpoint_diff))
        .routes(routes!(tasks::snapshots::list_snapshots, tasks::snapshots::create_snapshot))
        .routes(routes!(tasks::snapshots::get_snapshot))
        .routes(routes!(tasks::snapshots::restore_snapshot))
        .routes(routes!(operations::list::list_operations))
        .routes(routes!(operations::get::get_operation))
        .routes(routes!(operations::undo::undo_operation))
        .routes(routes!(imports::list::list_imports, imports::create::create_import))
        .routes(routes!(imports::append::append_to_import))
        .routes(routes!(imports::finish::finish_import))
        .routes(routes!(daemons::list::list_daemons))
        .routes(routes!(timeline::list_contract_history))
        .routes(routes!(timeline::list_timeline))
        .routes(routes!(search::search))
        .routes(routes!(events::feed))
        .routes(routes!(me::me))
        .routes(routes!(session::link::create_sign_in_link))
        .routes(routes!(session::create::sign_in, session::delete::sign_out))
        .routes(routes!(keys::list::list_keys, keys::create::create_key))
        .routes(routes!(keys::revoke::revoke_key))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(crate::metrics::metrics))
}

/// The description of the API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    description::completed(ruled(described().into_openapi()))
}

/// The description with who may call what.
fn ruled(mut api: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let owner = || ["bearer", "key", "session"].map(|name| SecurityRequirement::new(name, [""; 0])).to_vec();
    for (path, item) in &mut api.paths.paths {
        let operations = [
            (Method::GET, &mut item.get),
            (Method::POST, &mut item.post),
            (Method::PUT, &mut item.put),
            (Method::PATCH, &mut item.patch),
            (Method::DELETE, &mut item.delete),
        ];
        for (method, operation) in operations {
            let (Some(operation), Some(rule)) = (operation, access::rule(&method, path)) else { continue };
            operation.security = Some(match rule {
                Rule::Everybody => vec![SecurityRequirement::default()],
                Rule::Owner => owner(),
                Rule::Agent(_) => [owner(), vec![SecurityRequirement::new("tool", [""; 0])]].concat(),
            });
            let told = Extensions::builder().add("x-who", rule.told()).build();
            operation.extensions.get_or_insert_default().merge(told);
        }
    }
    api
}

/// All routes, ready to be served.
pub(crate) fn router(app: App, web: Option<Assets>) -> Router {
    let (router, api) = described().split_for_parts();
    let api = description::completed(ruled(api));
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
        .route(
            "/api/v1/daemons/exports/{id}/bundles/{number}",
            routing::put(daemons::bundle::put_bundle_part).layer(DefaultBodyLimit::max(BUNDLE_PART)),
        )
        .route("/api/v1/daemons/runs/{id}/session", routing::get(daemons::session::get_session))
        .layer(middleware::from_fn_with_state(app.clone(), once))
        .layer(middleware::from_fn_with_state(app.clone(), access::door))
        .fallback(move |method: Method, uri: Uri| async move { web::serve(web, &method, &uri) })
        .layer(RequestBodyTimeoutLayer::new(app.settings().stall))
        .layer(middleware::from_fn_with_state(app.clone(), check_host))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            axum::response::IntoResponse::into_response(ApiError::new(
                Code::Internal,
                "the server failed to answer",
            ))
        }))
        .layer(middleware::from_fn(move |request, next| answer_errors(clock.clone(), request, next)))
        .layer(middleware::from_fn_with_state(app.clone(), count))
        .with_state(app)
}
