//! The talk with Claude Code.

use super::{
    draft::Draft,
    failure::{self, cut},
    mirror::Mirror,
    money::Totals,
    prompts::Prompts,
    session::COMPACTED,
};
use crate::{
    Act, AgentError, Delta, DeltaKind, Dialogue, Ending, Exit, Input, lenient,
    noise::Noise,
    turn::{Told, Turns},
};
use makima_model::{
    AgentFailure, Answer, Clock, Message, MessageRole, NoticeLevel, QuestionId, Record, TurnOutcome,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

/// How the program marks, in the user's name, that a turn was interrupted.
const INTERRUPTED: &str = "[Request interrupted by user";

/// The model that the program names for what it says itself.
const SYNTHETIC: &str = "<synthetic>";

/// What the program says where it has nothing to say.
const NOTHING: &str = "(no content)";

pub(super) struct Talk {
    clock: Clock,
    turns: Turns,
    noise: Noise,
    mirror: Mirror,
    prompts: Prompts,
    totals: Totals,
    out: Vec<Act>,
    session: Option<(String, Option<String>)>,
    /// The message that the model is saying.
    draft: Option<Draft>,
    /// Messages that stand after the draft, and what each is known by.
    held: Vec<(Message, Vec<String>)>,
    /// The tools of the calls that have no result yet, by call.
    calls: HashMap<String, String>,
    /// The uuids of the lines that were told: a compaction tells some again.
    told: HashSet<String>,
    /// The line that told of a compaction, whose summary is still to come.
    compaction: Option<String>,
    /// What is wrong in this turn, in the word of the last error message.
    error: Option<String>,
    /// The subscription's limit, if it was reached in this turn.
    limit: Option<AgentFailure>,
    limit_status: Option<String>,
    /// How much works in the background.
    background: usize,
    /// How many messages were said before the one that begins the turn: each has a result of its own.
    preludes: usize,
    requests: u32,
    warned_of_servers: bool,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

impl Talk {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            turns: Turns::new(clock.clone()),
            clock,
            noise: Noise::default(),
            mirror: Mirror::default(),
            prompts: Prompts::default(),
            totals: Totals::default(),
            out: Vec::new(),
            session: None,
            draft: None,
            held: Vec::new(),
            calls: HashMap::new(),
            told: HashSet::new(),
            compaction: None,
            error: None,
            limit: None,
            limit_status: None,
            background: 0,
            preludes: 0,
            requests: 0,
            warned_of_servers: false,
        }
    }

    fn record(&mut self, record: Record) {
        self.out.push(Act::Record(record));
    }

    fn notice(&mut self, level: NoticeLevel, text: String, failure: Option<AgentFailure>) {
        self.record(Record::Notice { level, text, failure });
    }

    fn write(&mut self, line: &Value) {
        let mut line = line.to_string().into_bytes();
        line.push(b'\n');
        self.out.push(Act::Write(line));
    }

    fn system(&mut self, line: &Value) {
        match text(&line["subtype"]) {
            "init" => self.init(line),
            "compact_boundary" => self.compaction = Some(text(&line["uuid"]).to_owned()),
            "api_retry" => self.retries(line),
            "task_started" => {
                let notice = format!("A subagent begins: {}", cut(text(&line["description"])));
                self.notice(NoticeLevel::Info, notice, None);
            }
            "task_notification" => {
                let (status, summary) = (text(&line["status"]), cut(text(&line["summary"])));
                self.notice(NoticeLevel::Info, format!("A subagent ended, {status}: {summary}"), None);
            }
            "background_tasks_changed" => {
                self.background = line["tasks"].as_array().map_or(0, Vec::len);
            }
            _ => {}
        }
    }

    /// Comes at the begin of each turn, also of one that the program begins by itself.
    fn init(&mut self, line: &Value) {
        self.turns.begin();
        let session = text(&line["session_id"]).to_owned();
        let word = |value: &Value| value.as_str().map(str::to_owned);
        let now = (session, word(&line["model"]));
        if !now.0.is_empty() && self.session.as_ref() != Some(&now) {
            let (session_id, model) = now.clone();
            self.session = Some(now);
            self.record(Record::Session { session_id, version: word(&line["claude_code_version"]), model });
        }
        if !std::mem::replace(&mut self.warned_of_servers, true) {
            let servers = line["mcp_servers"].as_array().into_iter().flatten();
            let failed: Vec<&str> = servers
                .filter(|server| server["status"] == "failed")
                .map(|server| text(&server["name"]))
                .collect();
            if !failed.is_empty() {
                let notice = format!("These tool servers could not be started: {}", failed.join(", "));
                self.notice(NoticeLevel::Warning, notice, None);
            }
        }
    }

    fn retries(&mut self, line: &Value) {
        let (attempt, most) = (&line["attempt"], &line["max_retries"]);
        let seconds = line["retry_delay_ms"].as_f64().unwrap_or(0.0) / 1000.0;
        let word = text(&line["error"]);
        let status = line["error_status"].as_u64();
        let what = status.map_or_else(|| word.to_owned(), |status| format!("{status} {word}"));
        let message =
            format!("The model's service failed ({what}); try {attempt} of {most} in {seconds:.1} s");
        let kind = failure::kind(word, status);
        let failure = AgentFailure { kind, message: message.clone(), resets_at: None };
        self.notice(NoticeLevel::Warning, message, Some(failure));
    }

    fn limited(&mut self, line: &Value) {
        let info = &line["rate_limit_info"];
        let status = text(&info["status"]);
        let new = self.limit_status.replace(status.to_owned()).as_deref() != Some(status);
        match status {
            "rejected" if info["isUsingOverage"] != true => {
                let limit = failure::of_limit(info);
                self.limit = Some(limit.clone());
                if new {
                    self.notice(NoticeLevel::Error, limit.message.clone(), Some(limit));
                }
            }
            "allowed_warning" if new => {
                self.notice(
                    NoticeLevel::Warning,
                    "The subscription's limit is nearly used up".to_owned(),
                    None,
                );
            }
            _ => {}
        }
    }

    fn streamed(&mut self, event: &Value) {
        match text(&event["type"]) {
            "message_start" => self.begins(&event["message"], true),
            "content_block_start" => {
                if let Some(draft) = self.streaming() {
                    draft.begins(&event["content_block"]);
                }
            }
            "content_block_delta" => {
                let Some(draft) = self.streaming() else { return };
                let id = draft.id;
                let delta = &event["delta"];
                let (kind, piece) = match text(&delta["type"]) {
                    "text_delta" => (DeltaKind::Text, text(&delta["text"])),
                    "thinking_delta" => (DeltaKind::Thinking, text(&delta["thinking"])),
                    _ => return,
                };
                match kind {
                    DeltaKind::Text => draft.says(piece),
                    DeltaKind::Thinking => draft.thinks(piece),
                }
                if !piece.is_empty() {
                    self.out.push(Act::Delta(Delta { message: id, kind, text: piece.to_owned() }));
                }
            }
            "message_delta" => {
                if let Some(draft) = self.streaming() {
                    draft.used(&event["usage"]);
                }
            }
            "message_stop" if self.streaming().is_some() => self.close(false),
            _ => {}
        }
    }

    fn streaming(&mut self) -> Option<&mut Draft> {
        self.draft.as_mut().filter(|draft| draft.streamed)
    }

    /// A message of the model begins.
    fn begins(&mut self, message: &Value, streamed: bool) {
        self.close_other();
        self.turns.begin();
        let draft = Draft::new(self.clock.new_id(), message, streamed);
        self.mirror.expect(&draft.native);
        self.draft = Some(draft);
    }

    /// Something else begins: a draft that isn't streamed is complete, one that is was given up.
    fn close_other(&mut self) {
        match &self.draft {
            // An attempt of which nothing was recorded is made again as another message.
            Some(draft) if draft.streamed && !draft.is_recorded() => {
                self.mirror.forget(&draft.native);
                self.draft = None;
                self.release();
            }
            Some(draft) => {
                let incomplete = draft.streamed;
                self.close(incomplete);
            }
            None => {}
        }
    }

    /// The draft is what it will be: a message, and after it what was held back for it.
    fn close(&mut self, incomplete: bool) {
        if let Some(draft) = self.draft.take() {
            let (native, usage) = (draft.native.clone(), draft.usage());
            self.turns.used(usage);
            match draft.finished(self.clock.now(), incomplete) {
                Some(message) => {
                    for call in &message.tool_calls {
                        self.turns.called(&call.name);
                        self.mirror.expect(&call.id);
                    }
                    self.tell(message, &[native]);
                }
                None => self.mirror.forget(&native),
            }
        }
        self.release();
    }

    /// Nothing more of the draft will come. Only one that is streamed says when it is complete.
    fn cut_off(&mut self) {
        let incomplete = self.streaming().is_some();
        self.close(incomplete);
    }

    fn release(&mut self) {
        for (message, names) in std::mem::take(&mut self.held) {
            self.tell(message, &names);
        }
    }

    /// A message of the conversation, and what it is known by in the program's own record.
    fn tell(&mut self, message: Message, names: &[String]) {
        let id = message.id;
        self.record(Record::Message { message });
        for name in names.iter().filter(|name| !name.is_empty()) {
            self.mirror.known(name, id);
        }
        let native = self.mirror.sorted(false);
        self.out.extend(native.into_iter().map(Act::Record));
    }

    /// As [`tell`](Self::tell), but never before the message that is being said.
    fn tell_after(&mut self, message: Message, names: Vec<String>) {
        if self.draft.is_some() {
            self.held.push((message, names));
        } else {
            self.tell(message, &names);
        }
    }

    fn assistant(&mut self, line: &Value) {
        let uuid = text(&line["uuid"]).to_owned();
        if of_subagent(line) || self.was_told(&uuid) {
            return;
        }
        let message = &line["message"];
        if message["model"] == SYNTHETIC {
            self.error = line["error"].as_str().map(str::to_owned).or(self.error.take());
            self.close_other();
            let said = joined(&message["content"]);
            if !said.is_empty() && said != NOTHING {
                let message = self.of_program(&said);
                self.tell(message, &[text(&line["message"]["id"]).to_owned(), uuid]);
            }
            return;
        }
        let native = text(&message["id"]);
        if self.draft.as_ref().is_none_or(|draft| draft.native != native) {
            self.begins(message, false);
        }
        let Some(draft) = &mut self.draft else { return };
        draft.used(&message["usage"]);
        for block in message["content"].as_array().into_iter().flatten() {
            draft.is(block);
            if block["type"] == "tool_use" {
                self.calls.insert(text(&block["id"]).to_owned(), text(&block["name"]).to_owned());
                self.mirror.expect(text(&block["id"]));
            }
        }
    }

    /// What the program says in the user's name: results of tools, above all.
    fn user(&mut self, line: &Value) {
        let uuid = text(&line["uuid"]).to_owned();
        if of_subagent(line) || line["isReplay"] == true || self.was_told(&uuid) {
            return;
        }
        let content = &line["message"]["content"];
        let blocks = content.as_array().map_or(&[][..], Vec::as_slice);
        for block in blocks.iter().filter(|block| block["type"] == "tool_result") {
            self.result_of_tool(block, &uuid);
        }
        let said = joined(content);
        if said.is_empty() {
            return;
        }
        if let Some(boundary) = self.compaction.take() {
            self.compacted(boundary, Some((&said, uuid)));
            return;
        }
        if said.starts_with(INTERRUPTED) {
            // The model was cut off: of what it was saying no more will come.
            self.cut_off();
        }
        let message = self.of_program(&said);
        self.tell_after(message, vec![uuid]);
    }

    fn result_of_tool(&mut self, block: &Value, uuid: &str) {
        let call = text(&block["tool_use_id"]).to_owned();
        let result = match &block["content"] {
            Value::String(result) => result.clone(),
            content => joined(content),
        };
        let message = Message {
            tool_name: self.calls.remove(&call),
            tool_result: Some(result),
            is_error: Some(block["is_error"] == true),
            tool_call_id: Some(call.clone()),
            ..Message::said(self.clock.new_id(), MessageRole::Tool, "", self.clock.now())
        };
        self.tell_after(message, vec![call, uuid.to_owned()]);
    }

    /// The conversation goes on from a summary.
    fn compacted(&mut self, boundary: String, summary: Option<(&str, String)>) {
        self.close_other();
        let (mut content, mut names) = (COMPACTED.to_owned(), vec![boundary]);
        if let Some((summary, uuid)) = summary {
            content = format!("{content}\n\n{summary}");
            names.push(uuid);
        }
        let message = self.of_program(&content);
        self.tell(message, &names);
    }

    fn of_program(&self, said: &str) -> Message {
        Message::said(self.clock.new_id(), MessageRole::System, said, self.clock.now())
    }

    fn was_told(&mut self, uuid: &str) -> bool {
        !uuid.is_empty() && !self.told.insert(uuid.to_owned())
    }

    fn result(&mut self, line: &Value) {
        let failed = line["is_error"] == true || text(&line["subtype"]).starts_with("error");
        if self.preludes > 0 && !failed && line["num_turns"] == 0 {
            self.preludes -= 1;
            return;
        }
        self.close_turn();
        let aborted = text(&line["terminal_reason"]).starts_with("aborted")
            || (line["subtype"] == "error_during_execution" && self.turns.is_interrupting());
        let failure =
            (failed && !aborted).then(|| failure::of_turn(line, self.error.as_deref(), self.limit.as_ref()));
        let outcome = match (&failure, aborted) {
            (_, true) => TurnOutcome::Interrupted,
            (Some(_), false) => TurnOutcome::Failed,
            (None, false) => TurnOutcome::Completed,
        };
        let (usage, cost_usd) = self.totals.turn(line);
        let told = Told { usage, cost_usd, duration_ms: line["duration_ms"].as_u64(), failure };
        // A turn that was never begun has nothing to end.
        self.turns.begin();
        if let Some(ended) = self.turns.end(outcome, told) {
            self.record(ended);
        }
        (self.error, self.limit, self.preludes) = (None, None, 0);
    }

    /// Tells all of a turn that is still open: nothing more of it will come.
    fn close_turn(&mut self) {
        self.cut_off();
        if let Some(boundary) = self.compaction.take() {
            self.compacted(boundary, None);
        }
        let withdrawn = self.prompts.withdraw_all();
        let native = self.mirror.sorted(true);
        self.out.extend(withdrawn.into_iter().chain(native).map(Act::Record));
        self.calls.clear();
    }

    fn requested(&mut self, line: &Value) {
        let (id, request) = (text(&line["request_id"]), &line["request"]);
        if request["subtype"] == "can_use_tool" {
            let asked = self.prompts.asked(id, request, &self.clock);
            self.out.extend(asked.into_iter().map(Act::Record));
            return;
        }
        // Left without an answer, the program would wait for good.
        let error = format!("{} is not served here", text(&request["subtype"]));
        let response = json!({"subtype": "error", "request_id": id, "error": error});
        self.write(&json!({"type": "control_response", "response": response}));
    }

    fn take(&mut self) -> Vec<Act> {
        std::mem::take(&mut self.out)
    }
}

impl Dialogue for Talk {
    fn open(&mut self) -> Vec<Act> {
        // It says nothing before it is spoken to.
        Vec::new()
    }

    fn read(&mut self, line: &[u8]) -> Vec<Act> {
        let mended = lenient::mended(line);
        let kind = serde_json::from_slice::<Head>(&mended).map(|head| head.kind.into_owned());
        match kind.as_deref() {
            // Read as it came: its lines are kept as they are.
            Ok("transcript_mirror") => match self.mirror.read(line) {
                Some(records) => self.out.extend(records.into_iter().map(Act::Record)),
                None => self.out.extend(self.noise.notice(line).map(Act::Record)),
            },
            Ok(kind) => match serde_json::from_slice::<Value>(&mended) {
                Ok(line) => match kind {
                    "stream_event" if !of_subagent(&line) => self.streamed(&line["event"]),
                    "assistant" => self.assistant(&line),
                    "user" => self.user(&line),
                    "result" => self.result(&line),
                    "system" => self.system(&line),
                    "control_request" => self.requested(&line),
                    "control_cancel_request" => {
                        let withdrawn = self.prompts.withdraw(text(&line["request_id"]));
                        self.out.extend(withdrawn.into_iter().map(Act::Record));
                    }
                    "rate_limit_event" => self.limited(&line),
                    _ => {}
                },
                Err(_) => self.out.extend(self.noise.notice(line).map(Act::Record)),
            },
            Err(_) => self.out.extend(self.noise.notice(line).map(Act::Record)),
        }
        self.take()
    }

    fn say(&mut self, inputs: &[Input]) -> Vec<Act> {
        let Some(last) = inputs.len().checked_sub(1) else { return Vec::new() };
        self.turns.begin();
        self.preludes = last;
        for input in inputs {
            let at = self.clock.now();
            let message = Message::said(input.id, MessageRole::User, input.content.as_str(), at);
            self.tell(message, &[]);
        }
        self.mirror.says(inputs.iter().map(|input| input.id));
        for (place, input) in inputs.iter().enumerate() {
            let mut line = json!({
                "type": "user",
                "message": {"role": "user", "content": input.content},
                "uuid": input.id,
            });
            if place < last {
                // Taken into the conversation without an answer of the model, so that each message stays one of its own.
                line["shouldQuery"] = Value::Bool(false);
            }
            self.write(&line);
        }
        self.take()
    }

    fn interrupt(&mut self) -> Vec<Act> {
        if self.turns.interrupt() {
            self.requests += 1;
            let id = format!("makima-{}", self.requests);
            let request = json!({"subtype": "interrupt"});
            self.write(&json!({"type": "control_request", "request_id": id, "request": request}));
        }
        self.take()
    }

    fn answer(&mut self, question: QuestionId, answer: &Answer) -> Result<Vec<Act>, AgentError> {
        let (records, line) = self.prompts.answered(question, answer)?;
        self.out.extend(records.into_iter().map(Act::Record));
        if let Some(line) = line {
            self.write(&line);
        }
        Ok(self.take())
    }

    fn ended(&mut self, exit: &Exit) -> Ending {
        self.close_turn();
        let records = self.take().into_iter().filter_map(|act| match act {
            Act::Record(record) => Some(record),
            Act::Write(_) | Act::Delta(_) => None,
        });
        self.turns.ended(records.collect(), exit)
    }

    fn is_idle(&self) -> bool {
        !self.turns.is_open() && self.background == 0
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Whether a line is of a subagent's conversation.
fn of_subagent(line: &Value) -> bool {
    line["parent_tool_use_id"].is_string()
}

/// The text of a message's content: a string, or the texts of its blocks. What is no text is named.
fn joined(content: &Value) -> String {
    if let Value::String(text) = content {
        return text.clone();
    }
    let blocks = content.as_array().into_iter().flatten();
    let texts = blocks.filter_map(|block| match text(&block["type"]) {
        "text" => Some(text(&block["text"]).to_owned()),
        "tool_result" | "" => None,
        kind => Some(format!("[{kind}]")),
    });
    texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}
