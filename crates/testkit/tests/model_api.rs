//! The fake model API as a client sees it.

#![allow(clippy::expect_used)] // what fails here fails the test

use makima_testkit::{FakeModelApi, Scenario, Step};
use reqwest::{Client, Response};
use serde_json::{Value, json};

fn client() -> Client {
    // Only the first of a process is taken, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().expect("a client")
}

fn asking(text: &str) -> Value {
    json!({
        "model": "m", "stream": true, "tools": [{"name": "Write"}],
        "system": [{"type": "text", "text": "<env>\nWorking directory: /some where\nPlatform: linux"}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": text}]}],
    })
}

async fn post(api: &FakeModelApi, body: &Value) -> Response {
    let request = client()
        .post(format!("{}/v1/messages?beta=true", api.url()))
        .header("content-type", "application/json");
    request.body(body.to_string()).send().await.expect("an answer")
}

/// The data of a stream's events, in order.
fn events(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).expect("an event is JSON")).collect()
}

fn deltas(stream: &str, field: &str) -> String {
    events(stream).iter().filter_map(|event| event["delta"][field].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn a_streamed_reply_carries_its_blocks_and_its_usage() {
    let step = Step::say("Grüße, {{name}}")
        .tool("Write", json!({"file_path": "{{cwd}}/a"}))
        .chunk(3)
        .usage("input_tokens", 7);
    let api = FakeModelApi::start(Scenario::new().script("GO", [step]).var("name", "you")).await;

    let stream = post(&api, &asking("GO")).await.text().await.expect("the whole stream");

    let kinds: Vec<_> =
        events(&stream).iter().map(|event| event["type"].as_str().unwrap_or("").to_owned()).collect();
    assert_eq!(kinds.first().map(String::as_str), Some("message_start"));
    assert_eq!(kinds.last().map(String::as_str), Some("message_stop"));
    assert_eq!(deltas(&stream, "text"), "Grüße, you");
    assert_eq!(deltas(&stream, "partial_json"), r#"{"file_path":"/some where/a"}"#);
    let end =
        events(&stream).into_iter().find(|event| event["type"] == "message_delta").expect("a message_delta");
    assert_eq!(end["delta"]["stop_reason"], "tool_use");
    assert_eq!((&end["usage"]["input_tokens"], &end["usage"]["output_tokens"]), (&json!(7), &json!(20)));
    assert_eq!(api.requests()[0].picked.as_deref(), Some("GO[0]"));
}

#[tokio::test]
async fn a_plain_reply_is_one_message() {
    let api = FakeModelApi::start(Scenario::new()).await;
    let mut body = asking("hello");
    body["stream"] = json!(false);

    let message: Value = post(&api, &body).await.json().await.expect("a message");

    assert_eq!(message["content"], json!([{"type": "text", "text": "ok"}]));
    assert_eq!(message["stop_reason"], "end_turn");
}

#[tokio::test]
async fn a_scripted_error_has_its_status_and_headers() {
    let step = Step::fail(429, "rate_limit_error", "slow down").header("retry-after", "3");
    let api = FakeModelApi::start(Scenario::new().script("GO", [step])).await;

    let response = post(&api, &asking("GO")).await;

    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "3");
    let body: Value = response.json().await.expect("an error");
    assert_eq!(body["error"], json!({"type": "rate_limit_error", "message": "slow down"}));
}

#[tokio::test]
async fn a_gate_holds_the_stream_until_it_is_opened() {
    let step = Step::say("one two ").chunk(4).gate("middle", 1);
    let api = FakeModelApi::start(Scenario::new().script("GO", [step])).await;
    let mut response = post(&api, &asking("GO")).await;

    api.until_at_gate("middle").await;
    let mut seen = String::new();
    while !seen.contains("one ") {
        let piece =
            response.chunk().await.expect("a stream that goes on").expect("a stream that has not ended");
        seen.push_str(&String::from_utf8_lossy(&piece));
    }
    assert_eq!(deltas(&seen, "text"), "one ");

    api.open("middle");
    let rest = response.text().await.expect("the rest of the stream");
    assert_eq!(deltas(&rest, "text"), "two ");
}

#[tokio::test]
async fn a_cut_connection_breaks_after_what_was_sent() {
    let step = Step::say("one two ").chunk(4).drop_after(1);
    let api = FakeModelApi::start(Scenario::new().script("GO", [step])).await;
    let mut response = post(&api, &asking("GO")).await;

    let mut seen = String::new();
    let broken = loop {
        match response.chunk().await {
            Ok(Some(piece)) => seen.push_str(&String::from_utf8_lossy(&piece)),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken, "the stream ended in good order");
    assert_eq!(deltas(&seen, "text"), "one ");
}

#[tokio::test]
async fn whatever_else_is_asked_is_answered_and_recorded() {
    let api = FakeModelApi::start(Scenario::new()).await;
    let url = api.url();

    let count: Value = client()
        .post(format!("{url}/v1/messages/count_tokens"))
        .body(asking("GO").to_string())
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("a count");
    let other = client().get(format!("{url}/v1/models?limit=1")).send().await.expect("an answer");
    let garbage =
        client().post(format!("{url}/v1/messages")).body("no JSON").send().await.expect("an answer");

    assert!(count["input_tokens"].as_u64() > Some(1));
    assert_eq!(other.text().await.expect("a body"), "{}");
    assert_eq!(garbage.status(), 200);
    let paths: Vec<_> = api.requests().iter().map(|request| request.path.clone()).collect();
    assert_eq!(paths, ["/v1/messages/count_tokens", "/v1/models", "/v1/messages"]);
}

#[tokio::test]
async fn a_test_waits_for_what_arrives() {
    let api = FakeModelApi::start(Scenario::new()).await;
    let body = asking("hello");
    let (requests, _) = tokio::join!(api.until(|requests| requests.len() == 1), post(&api, &body));
    assert_eq!(requests[0].texts("user"), ["hello"]);
}

#[test]
fn it_answers_a_test_that_blocks_its_runtime() {
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let api = FakeModelApi::start(Scenario::new()).await;
        let mut connection =
            TcpStream::connect(api.url().trim_start_matches("http://")).expect("a connection");
        connection.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("a request");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    });
}
