//! Answers, each with its place in the API's description, and what differs each time put into a fixed form.

use crate::lab::{Lab, PATIENCE};
use futures::StreamExt;
use regex::{Captures, Regex};
use reqwest::{Client, Method};
use serde_json::{Map, Value};
use std::{collections::HashMap, time::Duration};

/// By how much the clock goes on between two requests: less than a daemon may be silent in all.
const TICK: Duration = Duration::from_millis(100);

/// What a server answered, in the order in which it was asked.
pub(super) struct Answers {
    clock: makima_model::Clock,
    http: Client,
    url: String,
    key: String,
    description: Value,
    /// By the operation's id: the status, and the answer.
    told: Vec<(String, String, Value)>,
}

impl Answers {
    pub(super) fn new(lab: &Lab) -> Self {
        Self {
            clock: lab.clock.clone(),
            http: Client::new(),
            url: lab.url(),
            key: lab.key.clone(),
            description: serde_json::to_value(makima_server::openapi()).unwrap(),
            told: Vec::new(),
        }
    }

    pub(super) async fn get(&mut self, path: &str) -> Value {
        self.ask(Method::GET, path, Value::Null).await
    }

    /// Asks, and keeps the answer as the example of what was asked. `Null`: without a body.
    pub(super) async fn ask(&mut self, method: Method, path: &str, body: Value) -> Value {
        let (status, answer) = self.send(method.clone(), path, &body).await;
        self.keep(&method, path, status, answer.clone());
        answer
    }

    /// Asks, for something that already has its example.
    pub(super) async fn quietly(&self, method: Method, path: &str, body: &Value) -> Value {
        self.send(method, path, body).await.1
    }

    /// Keeps the first event of a feed, from its beginning.
    pub(super) async fn feed(&mut self, path: &str) {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.key);
        let answer = request.header("last-event-id", "0").send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {answer:?}");
        let (status, mut bytes, mut text) = (answer.status().as_u16(), answer.bytes_stream(), String::new());
        while !text.contains("\n\n") {
            let more =
                tokio::time::timeout(PATIENCE, bytes.next()).await.expect("no event came").unwrap().unwrap();
            text.push_str(std::str::from_utf8(&more).unwrap());
        }
        let event = text.split_inclusive("\n\n").next().unwrap().to_owned();
        self.keep(&Method::GET, path, status, Value::String(event));
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        self.clock.set(self.clock.now().plus(TICK));
        let mut request =
            self.http.request(method.clone(), format!("{}{path}", self.url)).bearer_auth(&self.key);
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        (status.as_u16(), serde_json::from_str(&text).unwrap())
    }

    fn keep(&mut self, method: &Method, path: &str, status: u16, answer: Value) {
        let operation = self.operation(method, path);
        let status = status.to_string();
        assert!(!self.told.iter().any(|(of, at, _)| *of == operation && *at == status), "{operation} twice");
        self.told.push((operation, status, answer));
    }

    /// The operation of the description that answers this path: of several, the one with the fewest parameters.
    fn operation(&self, method: &Method, path: &str) -> String {
        let path: Vec<&str> = path.split('?').next().unwrap().split('/').collect();
        let (mut best, mut fewest) = (None, usize::MAX);
        for (template, item) in self.description["paths"].as_object().unwrap() {
            let template: Vec<&str> = template.split('/').collect();
            let parameters = template.iter().filter(|part| part.starts_with('{')).count();
            let fits = template.len() == path.len()
                && template.iter().zip(&path).all(|(part, is)| part.starts_with('{') || part == is);
            let operation = &item[method.as_str().to_lowercase()]["operationId"];
            if let Some(operation) = operation.as_str().filter(|_| fits && parameters < fewest) {
                (best, fewest) = (Some(operation.to_owned()), parameters);
            }
        }
        best.unwrap_or_else(|| panic!("the description has no {method} {path:?}"))
    }

    /// Each operation that answers JSON has an example.
    pub(super) fn assert_complete(&self) {
        for item in self.description["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                let Some(id) = operation["operationId"].as_str() else { continue };
                let is_json = |answer: &Value| answer["content"]["application/json"].is_object();
                let mut answers = operation["responses"].as_object().unwrap().iter();
                if answers.any(|(status, answer)| status.starts_with('2') && is_json(answer)) {
                    assert!(self.told.iter().any(|(told, ..)| told == id), "{id} has no example");
                }
            }
        }
    }

    /// All of them by operation and status, as the description takes them in.
    pub(super) fn into_file(self) -> Vec<u8> {
        let mut stand_ins = StandIns::default();
        let mut file = Map::new();
        for (operation, status, answer) in self.told {
            let text = answer.to_string().replace(&self.url, "http://127.0.0.1:7117");
            let answer = serde_json::from_str(&stand_ins.put_into(&text)).unwrap();
            let of_operation = file.entry(operation).or_insert_with(|| Map::new().into());
            of_operation.as_object_mut().unwrap().insert(status, answer);
        }
        file.sort_keys();
        let mut text = serde_json::to_vec_pretty(&file).unwrap();
        text.push(b'\n');
        text
    }
}

/// What stands for ids and secrets, which are others each time: the same for the same.
#[derive(Default)]
struct StandIns {
    ids: HashMap<String, String>,
    /// By the end of an id, which the names of branches are made of.
    ends: HashMap<String, String>,
}

impl StandIns {
    fn put_into(&mut self, text: &str) -> String {
        let id = Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap();
        let text = id.replace_all(text, |found: &Captures<'_>| self.id(&found[0]));
        let end = Regex::new("-([0-9a-f]{8})\\b").unwrap();
        let text = end.replace_all(&text, |found: &Captures<'_>| {
            self.ends.get(&found[1]).map_or_else(|| found[0].to_owned(), |end| format!("-{end}"))
        });
        // Times of the database's own clock, not of the story.
        let time = Regex::new("\"20(2[6-9]|[3-9][0-9])-[0-9-]+T[0-9:.]+Z\"").unwrap();
        let text =
            time.replace_all(&text, |found: &Captures<'_>| match found[0].starts_with("\"2026-01-15") {
                true => found[0].to_owned(),
                false => "\"2026-01-15T09:30:00.000000Z\"".to_owned(),
            });
        let cursor = Regex::new("\"cursor\":\"[^\"]+\"").unwrap();
        let secret = Regex::new("\\b(mk|ml)_[A-Za-z0-9_-]{8,}").unwrap();
        let text = cursor.replace_all(&text, "\"cursor\":\"0123456789abcdef\"");
        secret.replace_all(&text, "${1}_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG").into_owned()
    }

    fn id(&mut self, id: &str) -> String {
        let number = self.ids.len() + 1;
        let stand_in =
            self.ids.entry(id.to_owned()).or_insert_with(|| format!("019bc0f0-5640-7000-8000-{number:012}"));
        let end = |id: &str| id[id.len() - 8..].to_owned();
        self.ends.insert(end(id), end(stand_in));
        stand_in.clone()
    }
}
