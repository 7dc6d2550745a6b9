//! Who gets in, and as far as what.

use crate::{
    lab::{Engine, Lab, LabDaemon, PATIENCE, begun, ended},
    on_both,
};
use makima_model::{KeyId, RunOutcome};
use makima_server::{Reach, Rule, Settings, openapi, rule};
use makima_wire::{Code, CreateContract, CreateTask, Task, Via};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// An operation of the API as the description has it.
struct Operation {
    method: Method,
    path: String,
    rule: Rule,
    has_body: bool,
    has_query: bool,
}

fn operations() -> Vec<Operation> {
    let description: Value = serde_json::to_value(openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            if !["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()) {
                continue;
            }
            let rule = rule(&method, path).unwrap_or_else(|| panic!("{method} {path} has no rule"));
            let has_body = operation.get("requestBody").is_some();
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let has_query = parameters.iter().any(|parameter| parameter["in"] == "query");
            operations.push(Operation { method, path: path.clone(), rule, has_body, has_query });
        }
    }
    assert!(operations.len() > 20, "the description is read");
    operations
}

/// What ada has: a contract with a task that an agent works on.
struct Holding {
    contract: String,
    task: Task,
    daemon: LabDaemon,
    run: makima_model::RunId,
    tool_key: String,
}

async fn holding(lab: &Lab, name: &str) -> Holding {
    let mut daemon = lab.daemon().await;
    let wanted =
        CreateContract { name: name.into(), repository: "/srv/project".into(), ..CreateContract::default() };
    let contract = daemon.beside(lab.client.create_contract(&wanted)).await.unwrap();
    let wanted = CreateTask {
        plan: format!("Do {name}"),
        contract_id: Some(contract.id),
        target_daemon_id: Some(daemon.id),
        ..CreateTask::default()
    };
    let task = daemon.beside(lab.client.create_task(&wanted)).await.unwrap();
    let start = daemon.start().await;
    daemon.tell(start.run, 1, begun(&task)).await;
    let tool_key = start.tool_key.expect("an agent has a key of its own").0;
    Holding { contract: contract.id.to_string(), task, daemon, run: start.run, tool_key }
}

/// The address of an operation on what `holding` has, as far as its path names anything.
fn address(lab: &Lab, path: &str, holding: &Holding, key: &str) -> String {
    let id = if path.contains("/contracts/") {
        holding.contract.clone()
    } else if path.contains("/keys/") {
        key.to_owned()
    } else {
        holding.task.id.to_string()
    };
    let unknown = lab.clock.new_id::<KeyId>().to_string();
    let path = path.replace("{id}", &id);
    let mut filled = String::new();
    for (at, part) in path.split('/').enumerate() {
        if at > 0 {
            filled.push('/');
        }
        filled.push_str(if part.starts_with('{') { &unknown } else { part });
    }
    format!("{}{filled}", lab.url())
}

async fn ask(
    http: &reqwest::Client,
    operation: &Operation,
    address: &str,
    header: Option<(&str, &str)>,
    body: Option<&str>,
) -> Response {
    let mut request = http.request(operation.method.clone(), address);
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_owned());
    }
    // The head of an answer is enough: the feed has no end.
    tokio::time::timeout(PATIENCE, request.send()).await.expect("an answer").unwrap()
}

on_both! {
    async fn every_route_lets_in_whom_its_rule_lets_in(engine) {
        // The daemons say nothing for as long as it takes.
        let settings = Settings { silence: Duration::from_secs(3600), ..Settings::default() };
        let lab = Lab::with(engine, settings).await;
        let http = reqwest::Client::new();
        let mine = holding(&lab, "one").await;
        let other = holding(&lab, "two").await;
        let revoked = lab.client.create_key("lost").await.unwrap();
        lab.client.revoke_key(revoked.key.id).await.unwrap();
        let target = lab.client.create_key("target").await.unwrap().key.id.to_string();
        let eve = lab.server.app().create_user("eve").await.unwrap().api_key;

        for operation in operations() {
            let what = format!("{} {}", operation.method, operation.path);
            let address = address(&lab, &operation.path, &mine, &target);
            // A body that parses nowhere: whoever is let in is told so, and nothing is made.
            let body = operation.has_body.then_some("[");
            let status = async |header: Option<(&str, &str)>| ask(&http, &operation, &address, header, body).await.status();

            if operation.rule == Rule::Everybody {
                assert_ne!(status(None).await, StatusCode::UNAUTHORIZED, "{what} without a key");
                continue;
            }
            assert_eq!(status(None).await, StatusCode::UNAUTHORIZED, "{what} without a key");
            for wrong in [
                ("authorization", "Bearer mk_0000".to_owned()),
                ("authorization", "Basic bWtfMDAwMA==".to_owned()),
                ("x-api-key", "nothing".to_owned()),
                ("x-api-key", revoked.api_key.clone()),
                ("x-makima-tool-key", lab.key.clone()),
                ("x-api-key", mine.tool_key.clone()),
                ("cookie", format!("makima_session_{}={}", lab.server.address().port(), lab.key)),
            ] {
                let answer = ask(&http, &operation, &address, Some((wrong.0, &wrong.1)), body).await;
                // Too many of them are told to slow down instead; either way nobody is let in.
                let status = answer.status();
                assert!(matches!(status.as_u16(), 401 | 429), "{what} with {wrong:?}: {status}");
            }

            let names_something = operation.path.contains("{id}");
            let eves = status(Some(("x-api-key", &eve))).await;
            if names_something {
                let expected: &[u16] = if operation.has_body { &[400, 404] } else { &[404] };
                assert!(expected.contains(&eves.as_u16()), "{what} by another owner: {eves}");
            }

            let others = status(Some(("x-makima-tool-key", &other.tool_key))).await;
            let own = status(Some(("x-makima-tool-key", &mine.tool_key))).await;
            match operation.rule {
                Rule::Agent(Reach::Itself) => assert!(others.is_success() && own.is_success(), "{what}"),
                Rule::Agent(Reach::Asked) => {
                    assert_eq!(own, StatusCode::FORBIDDEN, "{what} by an agent that asks for everything");
                    for (query, fits) in [
                        (format!("contract_id={}", mine.contract), true),
                        (format!("contract_id={}", other.contract), false),
                        ("contract_id=none".to_owned(), false),
                        (format!("contract_id={}&contract_id={}", mine.contract, other.contract), false),
                    ] {
                        let address = format!("{address}?{query}");
                        let key = Some(("x-makima-tool-key", mine.tool_key.as_str()));
                        let status = ask(&http, &operation, &address, key, body).await.status();
                        assert_eq!(status != StatusCode::FORBIDDEN, fits, "{what} with {query}: {status}");
                    }
                }
                Rule::Agent(_) => {
                    assert_eq!(others, StatusCode::FORBIDDEN, "{what} by another contract's agent");
                    assert!(!matches!(own.as_u16(), 401 | 403), "{what} by its own agent: {own}");
                }
                Rule::Owner => {
                    assert_eq!(own, StatusCode::FORBIDDEN, "{what} by an agent");
                    assert_eq!(others, StatusCode::FORBIDDEN, "{what} by an agent");
                }
                Rule::Everybody => unreachable!(),
            }
        }
        drop((mine.daemon, other.daemon));
    }

    async fn what_does_not_parse_changes_nothing(engine) {
        // The daemons say nothing for as long as it takes.
        let settings = Settings { silence: Duration::from_secs(3600), ..Settings::default() };
        let lab = Lab::with(engine, settings).await;
        let http = reqwest::Client::new();
        let mine = holding(&lab, "one").await;
        let target = lab.client.create_key("target").await.unwrap().key.id.to_string();
        let before = everything(&lab).await;
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for operation in operations() {
            let what = format!("{} {}", operation.method, operation.path);
            let own = address(&lab, &operation.path, &mine, &target);
            let key = Some(("x-api-key", lab.key.as_str()));
            if operation.has_body {
                for body in [
                    "[", "[]", "null", "\"text\"", "{\"nobodyKnowsThis\": 1}", "{} {}", "{\"name\": \u{1}}", &deep,
                ] {
                    let answer = ask(&http, &operation, &own, key, Some(body)).await;
                    let shown: String = body.chars().take(40).collect();
                    assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{what} with {shown}");
                    let error: Value = answer.json().await.unwrap();
                    assert_eq!(error["code"], "BAD_REQUEST", "{what} with {shown}");
                }
            }
            if operation.path.contains('{') {
                let mut odd = operation.path.clone();
                while let (Some(open), Some(close)) = (odd.find('{'), odd.find('}')) {
                    odd.replace_range(open..=close, "%00..%2f");
                }
                let body = operation.has_body.then_some("{}");
                let answer = ask(&http, &operation, &format!("{}{odd}", lab.url()), key, body).await;
                assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{what} at {odd}");
            }
            if operation.has_query {
                let answer = ask(&http, &operation, &format!("{own}?nobody_knows_this=1"), key, None).await;
                assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{what} with an unknown parameter");
            }
        }
        assert_eq!(everything(&lab).await, before);
    }

    async fn a_link_signs_a_browser_in_once(engine) {
        let lab = Lab::new(engine).await;
        let link = lab.client.create_sign_in_link().await.unwrap();
        assert_eq!(link.url, format!("{}/sign-in#{}", lab.url(), link.token));
        let http = reqwest::Client::new();
        let session = format!("{}/api/v1/session", lab.url());
        let enter = || http.post(&session).json(&json!({"token": link.token})).send();
        let signed_in = enter().await.unwrap();
        assert_eq!(signed_in.status(), StatusCode::CREATED);
        let cookie = signed_in.headers()["set-cookie"].to_str().unwrap().to_owned();
        for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains("Secure"), "it is not reached over TLS: {cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let me: Value = signed_in.json().await.unwrap();
        assert_eq!((&me["via"], &me["ownerName"]), (&json!("session"), &json!("ada")));

        assert_eq!(enter().await.unwrap().status(), StatusCode::UNAUTHORIZED, "it was used");
        let token_as_key = lab.client_with(Some(&link.token)).me().await.unwrap_err();
        assert_eq!(token_as_key.code(), Some(Code::Unauthorized));

        let get = || http.get(format!("{}/api/v1/me", lab.url())).header("cookie", &cookie);
        assert_eq!(get().send().await.unwrap().status(), StatusCode::OK);

        // What changes something must come from a page of ours, and say so.
        let make = || http.post(format!("{}/api/v1/keys", lab.url())).header("cookie", &cookie).json(&json!({"name": "k"}));
        assert_eq!(make().send().await.unwrap().status(), StatusCode::FORBIDDEN);
        for foreign in ["https://evil.example", "null", "http://127.0.0.1:1"] {
            let answer = make().header("origin", foreign).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{foreign}");
        }
        assert_eq!(lab.client.keys().await.unwrap().total_count, 1);
        assert_eq!(make().header("origin", lab.url()).send().await.unwrap().status(), StatusCode::CREATED);

        let out = http.delete(&session).header("cookie", &cookie).header("origin", lab.url()).send().await.unwrap();
        assert_eq!(out.status(), StatusCode::NO_CONTENT);
        assert!(out.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
        assert_eq!(get().send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "it has ended");
    }

    async fn keys_are_made_listed_and_revoked(engine) {
        let lab = Lab::new(engine).await;
        let made = lab.client.create_key("laptop").await.unwrap();
        let by_it = lab.client_with(Some(&made.api_key));
        assert_eq!(by_it.me().await.unwrap().via, Via::Key);
        let listed = lab.client.keys().await.unwrap();
        assert_eq!(listed.total_count, 2);
        assert_eq!(listed.keys[1], made.key);
        assert!(!serde_json::to_string(&listed).unwrap().contains(&made.api_key));

        let eve = lab.stranger().await;
        assert_eq!(eve.revoke_key(made.key.id).await.unwrap_err().code(), Some(Code::NotFound));
        let revoked = lab.client.revoke_key(made.key.id).await.unwrap();
        assert!(revoked.revoked_at.is_some());
        assert_eq!(lab.client.revoke_key(made.key.id).await.unwrap(), revoked, "again changes nothing");
        assert_eq!(by_it.me().await.unwrap_err().code(), Some(Code::Unauthorized));
        for name in ["", "a\u{7}b", &"x".repeat(201)] {
            let refused = lab.client.create_key(name).await.err().expect("a refusal");
            assert_eq!(refused.code(), Some(Code::Unprocessable));
        }
    }

    async fn an_agents_key_is_dead_when_its_run_has_ended(engine) {
        let lab = Lab::new(engine).await;
        let mut mine = holding(&lab, "one").await;
        let http = reqwest::Client::new();
        let me = || http.get(format!("{}/api/v1/me", lab.url())).header("x-makima-tool-key", &mine.tool_key).send();
        let told: Value = me().await.unwrap().json().await.unwrap();
        assert_eq!(told["via"], "tool");
        assert_eq!(told["taskId"], json!(mine.task.id));
        assert_eq!(told["contractId"], json!(mine.contract));
        mine.daemon.tell(mine.run, 4, vec![ended(RunOutcome::Interrupted)]).await;
        assert_eq!(me().await.unwrap().status(), StatusCode::UNAUTHORIZED);

        // The next run has another; the database knows neither.
        mine.daemon.beside(lab.client.send_message(mine.task.id, "go on")).await.unwrap();
        let next = mine.daemon.start().await.tool_key.unwrap().0;
        assert_ne!(next, mine.tool_key);
        assert_eq!(me().await.unwrap().status(), StatusCode::UNAUTHORIZED);
        let client = http.get(format!("{}/api/v1/me", lab.url())).header("x-makima-tool-key", &next);
        assert_eq!(client.send().await.unwrap().status(), StatusCode::OK);
    }

    async fn a_body_that_stalls_is_given_up(engine) {
        let settings = Settings { stall: Duration::from_millis(200), ..Settings::default() };
        let lab = Lab::with(engine, settings).await;
        let (sender, body) = tokio::sync::mpsc::channel::<Result<&[u8], std::io::Error>>(1);
        sender.send(Ok(b"{\"name\":")).await.unwrap();
        let body = reqwest::Body::wrap_stream(tokio_stream(body));
        let request = reqwest::Client::new().post(format!("{}/api/v1/keys", lab.url())).bearer_auth(&lab.key);
        let answer = tokio::time::timeout(PATIENCE, request.body(body).send()).await.expect("an end").unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert_eq!(lab.client.keys().await.unwrap().total_count, 1);
        drop(sender);
    }
}

fn tokio_stream<T>(receiver: tokio::sync::mpsc::Receiver<T>) -> impl futures::Stream<Item = T> {
    futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|item| (item, receiver))
    })
}

/// All that ada's lists have.
async fn everything(lab: &Lab) -> Vec<Value> {
    let mut all = Vec::new();
    for list in ["/contracts", "/mesh/tasks", "/keys"] {
        all.push(lab.client.get::<Value>(list).await.unwrap());
    }
    all
}

#[tokio::test]
async fn the_server_answers_to_its_own_names_and_pages_alone() {
    let lab = Lab::new(Engine::Sqlite).await;
    let http = reqwest::Client::new();
    let get = |path: &str| http.get(format!("{}{path}", lab.url())).bearer_auth(&lab.key);
    let port = lab.server.address().port();
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), "10.0.0.1".to_owned()] {
        assert_eq!(
            get("/api/v1/me").header("host", &host).send().await.unwrap().status(),
            StatusCode::OK,
            "{host}"
        );
    }
    for path in ["/api/v1/me", "/healthz", "/", "/api/v1/openapi.json"] {
        let answer = get(path).header("host", "rebound.example").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST, "{path}");
        let error: Value = answer.json().await.unwrap();
        assert_eq!(error["code"], "UNKNOWN_HOST");
        let answer = get(path).header("origin", "https://evil.example").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
    // A page may not open a daemon's connection either.
    let upgrade = get("/api/v1/daemons/connect")
        .header("origin", "https://evil.example")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(upgrade.send().await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_it_safe() {
    let lab = Lab::new(Engine::Sqlite).await;
    let http = reqwest::Client::new();
    for path in ["/api/v1/me", "/healthz", "/nowhere", "/api/v1/openapi.json"] {
        let answer = http.get(format!("{}{path}", lab.url())).send().await.unwrap();
        let headers = answer.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert!(
            headers["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(headers.contains_key("x-request-id"), "{path}");
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_and_locks_nobody_out() {
    let lab = Lab::new(Engine::Sqlite).await;
    let guesser = lab.client_with(Some("mk_guess"));
    let guess = async || guesser.me().await.unwrap_err().code().unwrap();
    let mut answers = Vec::new();
    for _ in 0..100 {
        answers.push(guess().await);
    }
    assert_eq!(answers[0], Code::Unauthorized);
    assert!(answers.contains(&Code::RateLimited));
    let slowed = reqwest::Client::new().get(format!("{}/api/v1/me", lab.url())).bearer_auth("mk_guess");
    let slowed = slowed.send().await.unwrap();
    if slowed.status() == StatusCode::TOO_MANY_REQUESTS {
        assert!(slowed.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    }
    assert!(lab.client.me().await.is_ok(), "who has a key shares the address and gets in");
}

#[tokio::test]
async fn the_metrics_tell_routes_and_nothing_of_any_owner() {
    let lab = Lab::new(Engine::Sqlite).await;
    let mut mine = holding(&lab, "secret plan").await;
    lab.client.task(mine.task.id).await.unwrap();
    lab.client.task(mine.task.id).await.unwrap();
    let http = reqwest::Client::new();
    let odd = http.request("BREW".parse().unwrap(), format!("{}/nowhere/{}", lab.url(), mine.task.id));
    odd.send().await.unwrap();
    let answer = http.get(format!("{}/metrics", lab.url())).send().await.unwrap();
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    let text = answer.text().await.unwrap();
    let line =
        "makima_http_requests_total{method=\"GET\",route=\"/api/v1/mesh/tasks/{id}\",status=\"200\"} 2";
    assert!(text.lines().any(|told| told == line), "{text}");
    assert!(text.contains("method=\"other\",route=\"none\""), "{text}");
    assert!(text.contains("makima_daemon_connections 1"), "{text}");
    for private in [mine.task.id.to_string(), mine.contract.clone(), "secret".to_owned(), lab.key.clone()] {
        assert!(!text.contains(&private), "{private} in {text}");
    }
    mine.daemon.tell(mine.run, 4, vec![ended(RunOutcome::Completed)]).await;
}
