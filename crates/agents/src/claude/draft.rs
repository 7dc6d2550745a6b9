//! A message of the model that isn't complete yet.

use makima_model::{Message, MessageId, MessageRole, Timestamp, ToolCall, Usage};
use serde_json::Value;

/// A message on its way: from its first streamed piece, or its first whole block, to its end.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) id: MessageId,
    /// The model's id of it.
    pub(super) native: String,
    /// Whether its pieces and its end are streamed; else it ends where something else begins.
    pub(super) streamed: bool,
    model: Option<String>,
    parts: Vec<Part>,
    usage: Usage,
}

#[derive(Debug)]
struct Part {
    block: Block,
    /// Whether the block was told as a whole; else it is what was streamed of it.
    whole: bool,
}

#[derive(Debug)]
enum Block {
    Text(String),
    Thinking(String),
    /// `None` until the call is told as a whole: half an input is no input.
    Call(Option<ToolCall>),
    /// Of no kind that a neutral message has.
    Other,
}

impl Draft {
    /// A message that begins: the `message` of a `message_start` event, or of a line of the type `assistant`.
    pub(super) fn new(id: MessageId, message: &Value, streamed: bool) -> Self {
        let mut draft = Self {
            id,
            native: string(&message["id"]),
            streamed,
            model: message["model"].as_str().map(str::to_owned),
            parts: Vec::new(),
            usage: Usage::default(),
        };
        draft.used(&message["usage"]);
        draft
    }

    /// Takes a usage: each count of a message only ever grows.
    pub(super) fn used(&mut self, usage: &Value) {
        let Usage { input_tokens, output_tokens, cache_read_tokens, cache_creation_tokens } = &mut self.usage;
        for (count, name) in [
            (input_tokens, "input_tokens"),
            (output_tokens, "output_tokens"),
            (cache_read_tokens, "cache_read_input_tokens"),
            (cache_creation_tokens, "cache_creation_input_tokens"),
        ] {
            *count = usage[name].as_i64().unwrap_or(0).max(*count);
        }
    }

    /// A block begins to be streamed.
    pub(super) fn begins(&mut self, block: &Value) {
        let block = match block["type"].as_str() {
            Some("text") => Block::Text(string(&block["text"])),
            Some("thinking") => Block::Thinking(string(&block["thinking"])),
            Some("tool_use") => Block::Call(None),
            _ => Block::Other,
        };
        self.parts.push(Part { block, whole: false });
    }

    /// A piece of the text of the block that is being streamed.
    pub(super) fn says(&mut self, piece: &str) {
        if let Some(Part { block: Block::Text(text), whole: false }) = self.parts.last_mut() {
            text.push_str(piece);
        }
    }

    /// A piece of the thinking of the block that is being streamed.
    pub(super) fn thinks(&mut self, piece: &str) {
        if let Some(Part { block: Block::Thinking(text), whole: false }) = self.parts.last_mut() {
            text.push_str(piece);
        }
    }

    /// A block as a whole. It takes the place of what was streamed of it.
    pub(super) fn is(&mut self, block: &Value) {
        let whole = match block["type"].as_str() {
            Some("text") => Block::Text(string(&block["text"])),
            Some("thinking") => Block::Thinking(string(&block["thinking"])),
            Some("tool_use") => Block::Call(Some(ToolCall {
                id: string(&block["id"]),
                name: string(&block["name"]),
                input: block["input"].clone(),
            })),
            _ => Block::Other,
        };
        let streamed = self.parts.iter_mut().find(|part| {
            !part.whole && std::mem::discriminant(&part.block) == std::mem::discriminant(&whole)
        });
        match streamed {
            Some(part) => {
                part.whole = true;
                // Thinking may be told without its words, which were streamed.
                let hollow = matches!(&whole, Block::Thinking(text) if text.is_empty());
                if !hollow {
                    part.block = whole;
                }
            }
            None => self.parts.push(Part { block: whole, whole: true }),
        }
    }

    /// Whether any block of it was told as a whole, so that it is in the program's own record too.
    pub(super) fn is_recorded(&self) -> bool {
        self.parts.iter().any(|part| part.whole)
    }

    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// The message; `None` if there is nothing in it.
    pub(super) fn finished(self, at: Timestamp, incomplete: bool) -> Option<Message> {
        let (mut texts, mut thoughts, mut tool_calls) = (Vec::new(), Vec::new(), Vec::new());
        for part in self.parts {
            match part.block {
                Block::Text(text) if !text.is_empty() => texts.push(text),
                Block::Thinking(text) if !text.is_empty() => thoughts.push(text),
                Block::Call(Some(call)) => tool_calls.push(call),
                Block::Text(_) | Block::Thinking(_) | Block::Call(None) | Block::Other => {}
            }
        }
        let empty = texts.is_empty() && thoughts.is_empty() && tool_calls.is_empty();
        if incomplete && empty {
            return None;
        }
        Some(Message {
            thinking: (!thoughts.is_empty()).then(|| thoughts.join("\n\n")),
            tool_calls,
            token_count: Some(self.usage.total()),
            model: self.model,
            incomplete,
            ..Message::said(self.id, MessageRole::Assistant, texts.join("\n\n"), at)
        })
    }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
