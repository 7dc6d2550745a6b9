//! The Anthropic Messages protocol, as Claude Code speaks it.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{
    Block, RecordedRequest, Shared, Step,
    player::{Ended, Player, pause},
    recorded::texts_of,
    scenario::Turn,
};

/// `POST /v1/messages`: the next message, streamed or whole.
pub(super) async fn messages(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = RecordedRequest::new(&method, &uri, &headers, &body);
    let asked = request.body.clone();
    let (step, number) = shared.pick(request, &history(&asked), &working_folder(&asked));
    pause(step.delay_s).await;
    let mut response = if step.error.is_some() || asked["stream"] != true {
        if let Some(gate) = &step.gate {
            shared.gates.pass(gate).await;
        }
        whole(&step, Message::new(&step, &asked, number))
    } else {
        streamed(shared, step.clone(), Message::new(&step, &asked, number))
    };
    for (name, value) in &step.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// `POST /v1/messages/count_tokens`: a number that grows with the request.
pub(super) async fn count_tokens(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Json<Value> {
    shared.record(RecordedRequest::new(&method, &uri, &headers, &body));
    Json(json!({ "input_tokens": (body.len() / 4).max(1) }))
}

fn history(body: &Value) -> Vec<Turn> {
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    messages
        .iter()
        .map(|message| {
            let content = &message["content"];
            let blocks = content.as_array().map_or(&[][..], Vec::as_slice);
            if message["role"] == "assistant" {
                Turn::Assistant
            } else if blocks.iter().any(|block| block["type"] == "tool_result") {
                Turn::Tool
            } else {
                Turn::Person(texts_of(content).join("\n"))
            }
        })
        .collect()
}

/// Claude Code tells the model where it works in the system prompt, newer versions in a message.
fn working_folder(body: &Value) -> String {
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let latest_first = messages.iter().rev().flat_map(|message| texts_of(&message["content"]));
    texts_of(&body["system"])
        .into_iter()
        .chain(latest_first)
        .find_map(|text| {
            let (_, after) = text.split_once("orking directory: ")?;
            after.lines().next().map(|line| line.trim().to_owned())
        })
        .unwrap_or_else(|| ".".to_owned())
}

/// A step as a message of this protocol.
struct Message {
    id: String,
    model: Value,
    blocks: Vec<Value>,
    stop_reason: String,
    usage: Map<String, Value>,
}

impl Message {
    /// Ids are unique to the request, also across servers that see one conversation one after another.
    fn new(step: &Step, asked: &Value, number: usize) -> Self {
        let mut hasher = DefaultHasher::new();
        asked.to_string().hash(&mut hasher);
        let id = format!("{:016x}{number:04}", hasher.finish());
        let blocks: Vec<Value> = step
            .content
            .iter()
            .enumerate()
            .map(|(place, block)| match block {
                Block::ToolUse { id: None, name, input } => {
                    json!({"type": "tool_use", "id": format!("toolu_{id}{place:02}"), "name": name, "input": input})
                }
                block => json!(block),
            })
            .collect();
        let calls = blocks.iter().any(|block| block["type"] == "tool_use");
        let stop = step.stop_reason.as_deref().unwrap_or(if calls { "tool_use" } else { "end_turn" });
        let mut usage = Map::new();
        for (name, tokens) in [
            ("input_tokens", 100),
            ("output_tokens", 20),
            ("cache_read_input_tokens", 0),
            ("cache_creation_input_tokens", 0),
        ] {
            usage.insert(name.to_owned(), tokens.into());
        }
        usage.extend(step.usage.clone());
        Self {
            id: format!("msg_{id}"),
            model: asked["model"].clone(),
            blocks,
            stop_reason: stop.to_owned(),
            usage,
        }
    }

    fn json(&self, blocks: &[Value], stop_reason: Option<&str>, usage: &Map<String, Value>) -> Value {
        json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": blocks,
            "stop_reason": stop_reason, "stop_sequence": null, "usage": usage,
        })
    }
}

fn whole(step: &Step, message: Message) -> Response {
    let Some(error) = &step.error else {
        return Json(message.json(&message.blocks, Some(&message.stop_reason), &message.usage))
            .into_response();
    };
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({"type": "error", "error": {"type": error.kind, "message": error.message}});
    let mut response = (status, Json(body)).into_response();
    if error.no_retry {
        response.headers_mut().insert("x-should-retry", HeaderValue::from_static("false"));
    }
    response
}

fn streamed(shared: Arc<Shared>, step: Step, message: Message) -> Response {
    let (mut player, body) = Player::new(shared, step);
    tokio::spawn(async move {
        // However it ends, the connection has said so to the reader.
        let _ = play(&mut player, &message).await;
    });
    ([(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")], body).into_response()
}

async fn play(player: &mut Player, message: &Message) -> Result<(), Ended> {
    let mut preliminary = message.usage.clone();
    preliminary.insert("output_tokens".to_owned(), 1.into());
    let start = message.json(&[], None, &preliminary);
    player.send(event(json!({"type": "message_start", "message": start}))).await?;
    for (index, block) in message.blocks.iter().enumerate() {
        play_block(player, index, block).await?;
    }
    player.end_chunks().await?;
    let delta = json!({"stop_reason": message.stop_reason, "stop_sequence": null});
    player.send(event(json!({"type": "message_delta", "delta": delta, "usage": message.usage}))).await?;
    player.send(event(json!({"type": "message_stop"}))).await
}

async fn play_block(player: &mut Player, index: usize, block: &Value) -> Result<(), Ended> {
    let kind = block["type"].as_str().unwrap_or_default();
    // A block begins empty; its deltas of one type each carry a piece of one field.
    let (empty, whole, delta, field) = match kind {
        "text" => (json!({"text": ""}), text_of(&block["text"]), "text_delta", "text"),
        "thinking" => (
            json!({"thinking": "", "signature": ""}),
            text_of(&block["thinking"]),
            "thinking_delta",
            "thinking",
        ),
        _ => (json!({"input": {}}), block["input"].to_string(), "input_json_delta", "partial_json"),
    };
    let mut start = block.clone();
    if let (Some(start), Some(empty)) = (start.as_object_mut(), empty.as_object()) {
        start.extend(empty.clone());
    }
    let delta_event =
        |delta: Value| event(json!({"type": "content_block_delta", "index": index, "delta": delta}));
    player
        .send(event(json!({"type": "content_block_start", "index": index, "content_block": start})))
        .await?;
    player.send_chunks(&whole, |piece| delta_event(json!({"type": delta, field: piece}))).await?;
    if kind == "thinking" {
        let seal = json!({"type": "signature_delta", "signature": block["signature"]});
        player.send(delta_event(seal)).await?;
    }
    player.send(event(json!({"type": "content_block_stop", "index": index}))).await
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A server-sent event, named by its own type.
fn event(data: Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
}
