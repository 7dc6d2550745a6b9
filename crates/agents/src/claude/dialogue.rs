//! The talk with Claude Code.

mod conversation;
mod notices;

use super::{draft::Draft, failure, mirror::Mirror, money::Totals, prompts::Prompts, said::text};
use crate::{
    Act, AgentError, Dialogue, Ending, Exit, Input, lenient,
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

/// Whether a line is of a subagent's conversation.
fn of_subagent(line: &Value) -> bool {
    line["parent_tool_use_id"].is_string()
}
