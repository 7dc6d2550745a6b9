//! Who may call what: one rule a route, and the door that holds requests against it.
//!
//! A route without a rule lets nobody in, and fails a test; `docs/api.md` is made from this table.

use crate::{
    App,
    caller::{Caller, Presented, Via},
    error::ApiError,
};
use axum::{
    extract::{ConnectInfo, MatchedPath, RawPathParams, Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::Response,
};
use makima_model::{ContractId, TaskId};
use makima_wire::Code;
use std::net::{IpAddr, SocketAddr};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Everybody, without any key.
    Everybody,
    /// The owner, with an API key or a session.
    Owner,
    /// Besides, an agent with its own key, as far as this reaches.
    Agent(Reach),
}

/// How far an agent's own key reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Anything: what is told is about the agent itself.
    Itself,
    /// The contract that the path names, if it is its own.
    Contract,
    /// The task that the path names, if it is its own or of its contract.
    Task,
    /// The task that the path names, if it is its own.
    OwnTask,
    /// What the query names by `contract_id` or `task_id`, if that is its own; without either, nothing.
    Asked,
}

impl Rule {
    /// The rule in words, as `docs/api.md` has it.
    pub fn told(self) -> &'static str {
        match self {
            Self::Everybody => "everybody",
            Self::Owner => "the owner",
            Self::Agent(Reach::Itself) => "the owner; an agent",
            Self::Agent(Reach::Contract) => "the owner; an agent, of its own contract",
            Self::Agent(Reach::Task) => "the owner; an agent, of tasks of its contract",
            Self::Agent(Reach::OwnTask) => "the owner; an agent, of its own task",
            Self::Agent(Reach::Asked) => {
                "the owner; an agent, where the query names its contract or a task of it"
            }
        }
    }
}

const API: &str = "/api/v1";

/// All rules: method, path below `/api/v1` (or from the root, where it stands there), rule.
const RULES: &[(Method, &str, Rule)] = &[
    (Method::GET, "/me", Rule::Agent(Reach::Itself)),
    (Method::POST, "/session", Rule::Everybody),
    (Method::DELETE, "/session", Rule::Owner),
    (Method::POST, "/sign-in-links", Rule::Owner),
    (Method::GET, "/keys", Rule::Owner),
    (Method::POST, "/keys", Rule::Owner),
    (Method::POST, "/keys/{id}/revoke", Rule::Owner),
    (Method::GET, "/contracts", Rule::Owner),
    (Method::POST, "/contracts", Rule::Owner),
    (Method::GET, "/contracts/{id}", Rule::Agent(Reach::Contract)),
    (Method::PATCH, "/contracts/{id}", Rule::Owner),
    (Method::DELETE, "/contracts/{id}", Rule::Owner),
    (Method::POST, "/contracts/{id}/phase", Rule::Owner),
    (Method::GET, "/contracts/{id}/export", Rule::Owner),
    (Method::GET, "/contracts/{id}/chat", Rule::Owner),
    (Method::POST, "/contracts/{id}/chat", Rule::Owner),
    (Method::GET, "/contracts/{id}/chat/conversations", Rule::Owner),
    (Method::POST, "/contracts/{id}/chat/conversations", Rule::Owner),
    (Method::PATCH, "/contracts/{id}/chat/conversations/{cid}", Rule::Owner),
    (Method::POST, "/contracts/{id}/chat/conversations/{cid}/activate", Rule::Owner),
    (Method::GET, "/mesh/chat", Rule::Owner),
    (Method::POST, "/mesh/chat", Rule::Owner),
    (Method::GET, "/mesh/chat/conversations", Rule::Owner),
    (Method::POST, "/mesh/chat/conversations", Rule::Owner),
    (Method::PATCH, "/mesh/chat/conversations/{cid}", Rule::Owner),
    (Method::POST, "/mesh/chat/conversations/{cid}/activate", Rule::Owner),
    (Method::GET, "/mesh/tasks", Rule::Agent(Reach::Asked)),
    (Method::POST, "/mesh/tasks", Rule::Owner),
    (Method::GET, "/mesh/tasks/{id}", Rule::Agent(Reach::Task)),
    (Method::DELETE, "/mesh/tasks/{id}", Rule::Owner),
    (Method::POST, "/mesh/tasks/{id}/stop", Rule::Owner),
    (Method::POST, "/mesh/tasks/{id}/cancel", Rule::Owner),
    (Method::POST, "/mesh/tasks/{id}/reassign", Rule::Owner),
    (Method::POST, "/mesh/tasks/{id}/messages", Rule::Agent(Reach::OwnTask)),
    (Method::POST, "/mesh/tasks/{id}/answer", Rule::Owner),
    (Method::GET, "/mesh/tasks/{id}/conversation", Rule::Agent(Reach::Task)),
    (Method::GET, "/mesh/tasks/{id}/conversation/branches", Rule::Agent(Reach::Task)),
    (Method::GET, "/mesh/tasks/{id}/export", Rule::Owner),
    (Method::GET, "/mesh/tasks/{id}/output", Rule::Agent(Reach::Task)),
    (Method::GET, "/mesh/tasks/{id}/events", Rule::Agent(Reach::Task)),
    (Method::GET, "/mesh/tasks/{id}/checkpoints", Rule::Agent(Reach::Task)),
    (Method::POST, "/mesh/tasks/{id}/checkpoints", Rule::Agent(Reach::OwnTask)),
    (Method::GET, "/mesh/tasks/{id}/checkpoints/{cid}/diff", Rule::Agent(Reach::Task)),
    (Method::GET, "/mesh/tasks/{id}/snapshots", Rule::Agent(Reach::Task)),
    (Method::POST, "/mesh/tasks/{id}/snapshots", Rule::Owner),
    (Method::GET, "/mesh/tasks/{id}/snapshots/{sid}", Rule::Agent(Reach::Task)),
    (Method::POST, "/mesh/tasks/{id}/snapshots/{sid}/restore", Rule::Owner),
    (Method::GET, "/operations", Rule::Owner),
    (Method::GET, "/operations/{id}", Rule::Owner),
    (Method::POST, "/operations/{id}/undo", Rule::Owner),
    (Method::GET, "/imports", Rule::Owner),
    (Method::POST, "/imports", Rule::Owner),
    (Method::POST, "/imports/{id}/entries", Rule::Owner),
    (Method::POST, "/imports/{id}/finish", Rule::Owner),
    (Method::GET, "/mesh/daemons", Rule::Owner),
    (Method::GET, "/contracts/{id}/history", Rule::Agent(Reach::Contract)),
    (Method::GET, "/timeline", Rule::Agent(Reach::Asked)),
    (Method::GET, "/search", Rule::Agent(Reach::Asked)),
    (Method::GET, "/events", Rule::Agent(Reach::Asked)),
    (Method::GET, "/openapi.json", Rule::Everybody),
    (Method::GET, "/daemons/connect", Rule::Owner),
    (Method::PUT, "/daemons/blobs/{hash}", Rule::Owner),
    (Method::PUT, "/daemons/exports/{id}/bundles/{number}", Rule::Owner),
    (Method::GET, "/daemons/runs/{id}/session", Rule::Owner),
    (Method::GET, "/healthz", Rule::Everybody),
    (Method::GET, "/readyz", Rule::Everybody),
    (Method::GET, "/metrics", Rule::Everybody),
];

/// The rule of a route, by its whole path with variables in braces. `HEAD` is `GET`.
pub fn rule(method: &Method, path: &str) -> Option<Rule> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let path = path.strip_prefix(API).unwrap_or(path);
    RULES.iter().find(|(of, at, _)| of == method && *at == path).map(|(_, _, rule)| *rule)
}

/// Lets in those whom the route's rule lets in, and tells the routes who they are.
pub(super) async fn door(
    State(app): State<App>,
    variables: RawPathParams,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let Some(path) = request.extensions().get::<MatchedPath>() else { return Ok(next.run(request).await) };
    let Some(rule) = rule(request.method(), path.as_str()) else {
        // A method that the route doesn't have: that it is told is all that it leads to.
        return Ok(next.run(request).await);
    };
    if rule == Rule::Everybody {
        return Ok(next.run(request).await);
    }
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let caller = identify(&app, request.headers(), request.method(), address).await?;
    app.limits().of_caller(caller)?;
    if let Via::Tool { task, contract, .. } = caller.via {
        let Rule::Agent(reach) = rule else {
            return Err(forbidden("an agent's own key doesn't open this"));
        };
        let named = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
        let asked = Asked { app: &app, caller, task, contract };
        asked.within(reach, named("id"), request.uri().query().unwrap_or_default()).await?;
    }
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

async fn identify(
    app: &App,
    headers: &HeaderMap,
    method: &Method,
    address: Option<IpAddr>,
) -> Result<Caller, ApiError> {
    let Some(presented) = Presented::of(headers, app.cookie()) else {
        return Err(ApiError::new(
            Code::Unauthorized,
            "no key: send it as `Authorization: Bearer <key>` or `X-API-Key: <key>`, or sign in",
        ));
    };
    let Some(mut caller) = app.caller(presented).await? else {
        app.limits().of_stranger(address)?;
        return Err(ApiError::new(
            Code::Unauthorized,
            match presented {
                Presented::Session(_) => "this session is over: sign in again (`makima open` makes a link)",
                Presented::Key(_) => "this key is not known, or was revoked",
                Presented::Tool(_) => "this key is not known, or its run has ended",
            },
        ));
    };
    caller.origin = caller.via.origin(headers);
    // A browser sends its cookie with whatever any page makes it send; the header tells which page that was.
    let changes = !matches!(*method, Method::GET | Method::HEAD);
    if matches!(caller.via, Via::Session(_)) && changes && !headers.contains_key(header::ORIGIN) {
        return Err(forbidden("a session changes nothing without an `Origin` header: use an API key"));
    }
    Ok(caller)
}

fn forbidden(message: &str) -> ApiError {
    ApiError::new(Code::Forbidden, message)
}

/// What an agent asks for. Whatever is not its own is 403, whether it is there or not.
struct Asked<'a> {
    app: &'a App,
    caller: Caller,
    task: TaskId,
    contract: Option<ContractId>,
}

impl Asked<'_> {
    async fn within(&self, reach: Reach, id: Option<&str>, query: &str) -> Result<(), ApiError> {
        let fits = match reach {
            Reach::Itself => true,
            Reach::Contract => self.is_contract(id),
            Reach::OwnTask => id.and_then(|id| id.parse().ok()) == Some(self.task),
            Reach::Task => self.is_task(id).await?,
            Reach::Asked => {
                let asked: Vec<(String, String)> = serde_html_form::from_str(query).unwrap_or_default();
                let mut named = 0;
                let mut fits = true;
                for (key, value) in &asked {
                    match key.as_str() {
                        "contract_id" => fits &= self.is_contract(Some(value)),
                        "task_id" => fits &= self.is_task(Some(value)).await?,
                        _ => continue,
                    }
                    named += 1;
                }
                fits && named > 0
            }
        };
        if fits {
            return Ok(());
        }
        Err(forbidden("an agent's own key opens its own task and what belongs to its contract, nothing else"))
    }

    fn is_contract(&self, id: Option<&str>) -> bool {
        self.contract.is_some() && id.and_then(|id| id.parse().ok()) == self.contract
    }

    async fn is_task(&self, id: Option<&str>) -> Result<bool, ApiError> {
        let Some(id) = id.and_then(|id| id.parse::<TaskId>().ok()) else { return Ok(false) };
        if id == self.task {
            return Ok(true);
        }
        let Some(contract) = self.contract else { return Ok(false) };
        Ok(self.app.contract_of_task(self.caller.owner, id).await? == Some(contract))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::openapi;

    #[test]
    fn every_route_has_a_rule_and_every_rule_a_route() {
        let mut described: Vec<(Method, String)> = Vec::new();
        for (path, item) in &openapi().paths.paths {
            let operations = [
                (Method::GET, &item.get),
                (Method::POST, &item.post),
                (Method::PUT, &item.put),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
            ];
            for (method, _) in operations.into_iter().filter(|(_, operation)| operation.is_some()) {
                assert!(rule(&method, path).is_some(), "{method} {path} has no rule");
                described.push((method, path.strip_prefix(API).unwrap_or(path).to_owned()));
            }
        }
        for (method, path, _) in RULES {
            let spoken_by_daemons = path.starts_with("/daemons/") || *path == "/openapi.json";
            assert!(
                spoken_by_daemons || described.contains(&(method.clone(), (*path).to_owned())),
                "{method} {path} is no route"
            );
        }
    }

    #[test]
    fn no_route_has_two_rules() {
        for (at, (method, path, _)) in RULES.iter().enumerate() {
            let twice = RULES[..at].iter().any(|(of, other, _)| of == method && other == path);
            assert!(!twice, "{method} {path}");
        }
    }
}
