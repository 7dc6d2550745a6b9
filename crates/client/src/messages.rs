//! A conversation out of a stream of bytes: one message at a time, however many there are.
//!
//! The document is an object whose field `messages` is a list of objects. Where these begin and end is seen by brackets and quotes
//! alone; what they say is the JSON parser's to read.

use crate::ClientError;
use makima_wire::{Conversation, ConversationMessage};
use reqwest::Response;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;

/// An answer that holds a conversation, read as it comes.
pub(crate) struct Parts {
    response: Response,
    parser: Parser,
    ready: VecDeque<Part>,
    url: String,
    address: String,
}

impl Parts {
    /// Of this answer of the server at `url`.
    pub(crate) fn of(url: String, response: Response) -> Self {
        let address = response.url().to_string();
        Self { response, parser: Parser::default(), ready: VecDeque::new(), url, address }
    }

    /// What stands before the messages.
    pub(crate) async fn head(&mut self) -> Result<Conversation, ClientError> {
        match self.next().await? {
            Some(Part::Head(head)) => self.read(&head),
            _ => self.read(b""),
        }
    }

    /// The next message.
    pub(crate) async fn message(&mut self) -> Result<Option<ConversationMessage>, ClientError> {
        match self.next().await? {
            Some(Part::Message(message)) => self.read(&message).map(Some),
            Some(Part::Head(head)) => self.read(&head),
            // An answer that ends too soon is none.
            None if !self.parser.is_complete() => self.read(b""),
            None => Ok(None),
        }
    }

    async fn next(&mut self) -> Result<Option<Part>, ClientError> {
        while self.ready.is_empty() {
            let chunk = self.response.chunk().await;
            let chunk = chunk.map_err(|source| ClientError::Unreachable { url: self.url.clone(), source })?;
            let Some(chunk) = chunk else { return Ok(None) };
            self.ready.extend(self.parser.read(&chunk));
        }
        Ok(self.ready.pop_front())
    }

    fn read<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(bytes).map_err(|source| ClientError::Strange {
            url: self.url.clone(),
            address: self.address.clone(),
            source,
        })
    }
}

/// The field that is taken apart.
const FIELD: &[u8] = b"\"messages\":";

/// A part of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it but the messages, up to where they begin: an object, as it would be without them.
    Head(Vec<u8>),
    /// The next message.
    Message(Vec<u8>),
}

#[derive(Debug, Default)]
pub(crate) struct Parser {
    /// What is gathered: the head, then each message.
    bytes: Vec<u8>,
    /// How many brackets are open.
    depth: u32,
    in_text: bool,
    escaped: bool,
    in_messages: bool,
    ended: bool,
}

impl Parser {
    /// The parts that end in this chunk.
    pub(crate) fn read(&mut self, chunk: &[u8]) -> Vec<Part> {
        chunk.iter().filter_map(|byte| self.byte(*byte)).collect()
    }

    /// Whether the document has come to its end.
    pub(crate) fn is_complete(&self) -> bool {
        self.ended && self.depth == 0
    }

    fn byte(&mut self, byte: u8) -> Option<Part> {
        let between = self.in_messages && self.depth == 2;
        match byte {
            _ if self.in_text => {
                self.in_text = self.escaped || byte != b'"';
                self.escaped = !self.escaped && byte == b'\\';
            }
            b'"' => self.in_text = true,
            b'{' | b'[' => {
                self.depth += 1;
                if byte == b'[' && self.depth == 2 && self.bytes.ends_with(FIELD) {
                    self.in_messages = true;
                    self.bytes.extend_from_slice(b"[]}");
                    return Some(Part::Head(std::mem::take(&mut self.bytes)));
                }
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if between {
                    (self.in_messages, self.ended) = (false, true);
                } else if self.in_messages && self.depth == 2 {
                    self.bytes.push(byte);
                    return Some(Part::Message(std::mem::take(&mut self.bytes)));
                }
            }
            _ => {}
        }
        // Commas between messages, and what closes the document, are nobody's.
        if !(self.ended || between && byte != b'{') {
            self.bytes.push(byte);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn document(messages: &[Value]) -> String {
        let mut document = json!({ "taskName": "a \"messages\":[{ \\", "moment": { "n": [1] } });
        document["messages"] = json!(messages);
        // The messages stand last, as the server writes them.
        let Value::Object(fields) = document else { panic!("no object") };
        let fields: Vec<String> = fields
            .iter()
            .filter(|(name, _)| *name != "messages")
            .chain(fields.iter().filter(|(name, _)| *name == "messages"))
            .map(|(name, value)| format!("{}:{value}", json!(name)))
            .collect();
        format!("{{{}}}", fields.join(","))
    }

    #[test]
    fn messages_are_read_however_the_bytes_are_cut() {
        let said = [
            json!({ "content": "}]\\\"{[", "toolCalls": [{ "input": { "messages": [{}] } }] }),
            json!({}),
            json!({ "content": "ü\\" }),
        ];
        for count in 0..=said.len() {
            let document = document(&said[..count]);
            for size in 1..=document.len() {
                let mut parser = Parser::default();
                let parts: Vec<Part> =
                    document.as_bytes().chunks(size).flat_map(|chunk| parser.read(chunk)).collect();
                assert!(parser.is_complete());
                let [Part::Head(head), messages @ ..] = parts.as_slice() else { panic!("{parts:?}") };
                let head: Value = serde_json::from_slice(head).unwrap();
                assert_eq!(head["messages"], json!([]));
                assert_eq!(head["moment"], json!({ "n": [1] }));
                let messages: Vec<Value> = messages
                    .iter()
                    .map(|part| match part {
                        Part::Message(message) => serde_json::from_slice(message).unwrap(),
                        Part::Head(_) => panic!("two heads"),
                    })
                    .collect();
                assert_eq!(messages, said[..count], "{size}");
            }
        }
    }

    #[test]
    fn a_document_that_is_cut_off_is_not_complete() {
        let document = document(&[json!({ "content": "x" })]);
        for end in 0..document.len() {
            let mut parser = Parser::default();
            parser.read(&document.as_bytes()[..end]);
            assert!(!parser.is_complete(), "{end}");
        }
    }
}
