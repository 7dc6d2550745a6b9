//! The second reading of a session file: the conversation.

use super::{
    line::Line,
    open::{Item, Waiting, What},
    survey::Survey,
    tree::{Place, Tree},
    turns::Turns,
};
use crate::claude::{
    draft::Draft,
    failure,
    said::{self, INTERRUPTED, NOTHING, SYNTHETIC, joined, text},
};
use makima_model::{
    AgentFailure, Message, MessageId, MessageRole, NativeLine, Timestamp, TurnEnd, TurnOutcome,
};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// How much is kept of lines that announce what is said next, or stand before everything, in bytes.
const AHEAD: usize = 4 << 20;

/// What a session file tells, in the order in which it happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// The conversation goes on from an earlier message; `None`: from its beginning.
    Back {
        /// The last message that stays.
        to: Option<MessageId>,
    },
    /// Something was said.
    Message(Message),
    /// Lines of the file that belong to a message that was told.
    Lines {
        /// The message; `None`: they stand before the first.
        message: Option<MessageId>,
        /// The lines.
        lines: Vec<NativeLine>,
    },
    /// A turn ended.
    Turn {
        /// When.
        at: Timestamp,
        /// What it took.
        end: TurnEnd,
    },
}

/// Reads a session file that was [surveyed](Survey).
#[derive(Debug)]
pub struct SessionReader {
    /// What ids of messages are made of, beside what the lines are called.
    seed: Uuid,
    ends: HashMap<(u32, String), u64>,
    piece: u32,
    tree: Tree,
    waiting: Waiting,
    /// Lines that belong to the message that comes next.
    ahead: Vec<NativeLine>,
    ahead_bytes: usize,
    /// The tools of the calls that have no result yet, and whether they are on the branch that goes on.
    calls: HashMap<String, (String, u32)>,
    /// How often the conversation went back.
    branch: u32,
    /// The messages of the model whose tokens were counted.
    counted: HashSet<String>,
    turns: Turns,
    last: Option<TurnOutcome>,
    at: Timestamp,
    out: Vec<Told>,
}

impl SessionReader {
    /// Reads what `survey` was taken of. Ids of messages are made out of `seed` and the lines, the same each time. `at` is the time
    /// of what stands before every line that has one.
    pub fn new(seed: Uuid, survey: &mut Survey, at: Timestamp) -> Self {
        Self {
            seed,
            ends: survey.take_ends(),
            piece: 0,
            tree: Tree::default(),
            waiting: Waiting::default(),
            ahead: Vec::new(),
            ahead_bytes: 0,
            calls: HashMap::new(),
            branch: 0,
            counted: HashSet::new(),
            turns: Turns::default(),
            last: None,
            at,
            out: Vec::new(),
        }
    }

    /// Takes the next line, without its end, and where in the file it ends; tells what is known by it.
    pub fn read(&mut self, line: &[u8], end: u64) -> Vec<Told> {
        if let Some(read) = Line::read(line) {
            let native = NativeLine {
                uuid: read.uuid().map(str::to_owned),
                line: String::from_utf8_lossy(line).into_owned(),
            };
            self.take(&read, native, end);
        }
        std::mem::take(&mut self.out)
    }

    /// The file ends here, or ended here when it was read before: tells what was waited for.
    pub fn cut(&mut self) -> Vec<Told> {
        self.tell(true);
        // Where nothing was said yet, they belong to what will be said first.
        if let Some(head) = self.tree.head() {
            let lines = std::mem::take(&mut self.ahead);
            self.ahead_bytes = 0;
            self.lines(Some(head), lines);
        }
        self.end_turn();
        self.piece += 1;
        std::mem::take(&mut self.out)
    }

    /// Whether all that was read is told: one who goes on behind this line misses nothing.
    pub fn is_quiet(&self) -> bool {
        self.waiting.is_empty() && self.ahead.is_empty()
    }

    /// How the newest turn ended.
    pub fn outcome(&self) -> Option<TurnOutcome> {
        self.last
    }

    fn take(&mut self, line: &Line, native: NativeLine, end: u64) {
        let is_again = line.uuid().is_some_and(|uuid| self.tree.is_known(uuid));
        if line.is("isSidechain") || is_again {
            return self.keep(native);
        }
        if let Some(at) = line.at() {
            self.at = at;
        }
        match line.kind() {
            "assistant" => self.assistant(line, native, end),
            "user" => self.user(line, native, end),
            "system" if line.field("subtype") == "compact_boundary" => self.boundary(line, native, end),
            "system" if line.field("subtype") == "local_command" => {
                let said = joined(line.field("content"));
                self.command(&said, line, native, end);
            }
            "queue-operation" => self.announce(native),
            "cost-state" => {
                if let Some(total) = line.field("totalCostUSD").as_f64() {
                    self.turns.cost(total);
                }
                self.keep(native);
            }
            _ => self.other(line, native),
        }
    }

    /// A line that says nothing: it belongs to the message before.
    fn other(&mut self, line: &Line, native: NativeLine) {
        self.tree.pass(line);
        self.keep(native);
    }

    fn keep(&mut self, native: NativeLine) {
        let Err(native) = self.waiting.add(native) else { return };
        let Some(head) = self.tree.head() else { return self.announce(native) };
        self.lines(Some(head), vec![native]);
    }

    fn lines(&mut self, message: Option<MessageId>, more: Vec<NativeLine>) {
        match self.out.last_mut() {
            Some(Told::Lines { message: of, lines }) if *of == message => lines.extend(more),
            _ if more.is_empty() => {}
            _ => self.out.push(Told::Lines { message, lines: more }),
        }
    }

    /// A line that belongs to what is said next.
    fn announce(&mut self, native: NativeLine) {
        self.ahead_bytes += native.line.len();
        self.ahead.push(native);
        if self.ahead_bytes > AHEAD {
            self.ahead_bytes = 0;
            let (lines, head) = (std::mem::take(&mut self.ahead), self.tree.head());
            self.tell(true);
            self.lines(head, lines);
        }
    }

    fn assistant(&mut self, line: &Line, native: NativeLine, end: u64) {
        let message = line.field("message");
        if message["model"] == SYNTHETIC {
            let said = joined(&message["content"]);
            if said.is_empty() || said == NOTHING {
                return self.other(line, native);
            }
            self.program(&said, line, native, end);
            if let Some(word) = line.text("error").or(line.is("isApiErrorMessage").then_some("")) {
                let kind = failure::kind(word, None);
                let failure = AgentFailure { kind, message: failure::cut(&said), resets_at: None };
                self.turns.failed(failure);
            }
            return;
        }
        let id = text(&message["id"]);
        let is_over =
            self.ends.get(&(self.piece, id.to_owned())).is_none_or(|last| *last <= end) || id.is_empty();
        let known = !id.is_empty() && self.waiting.draft_mut(id).is_some();
        if !known {
            self.tell(false);
            let (place, message_id) = self.place(line, end, false, "");
            self.turns.begin(self.at);
            let what = What::Draft {
                draft: Box::new(Draft::new(message_id, message, false)),
                at: self.at,
                cost_usd: None,
                stopped: false,
                incomplete: false,
                is_over: false,
            };
            let lines = std::mem::take(&mut self.ahead);
            self.ahead_bytes = 0;
            self.waiting.push(Item { what, lines, place });
        }
        let found = if known { self.waiting.draft_mut(id) } else { self.waiting.last_mut() };
        let Some(item) = found else { return };
        let What::Draft { draft, at, cost_usd, stopped, is_over: over, .. } = &mut item.what else { return };
        draft.used(&message["usage"]);
        *at = self.at;
        *stopped |= message["stop_reason"].is_string();
        *over = is_over;
        let cost = line.field("costUSD").as_f64().filter(|cost| cost.is_finite() && *cost > 0.0);
        *cost_usd = match (*cost_usd, cost) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        };
        for block in message["content"].as_array().into_iter().flatten() {
            draft.is(block);
            if block["type"] == "tool_use" {
                let tool = (text(&block["name"]).to_owned(), self.branch);
                self.calls.insert(text(&block["id"]).to_owned(), tool);
            }
        }
        if let Value::String(said) = &message["content"] {
            draft.is(&serde_json::json!({"type": "text", "text": said}));
        }
        let (place, bytes) = (item.place, native.line.len());
        item.lines.push(native);
        self.waiting.grew(bytes);
        self.tree.link(line.uuid(), place);
    }

    fn user(&mut self, line: &Line, native: NativeLine, end: u64) {
        let content = &line.field("message")["content"];
        let said = joined(content);
        let blocks = content.as_array().map_or(&[][..], Vec::as_slice);
        let results: Vec<&Value> = blocks.iter().filter(|block| block["type"] == "tool_result").collect();
        if !results.is_empty() {
            return self.results(&results, &said, line, native, end);
        }
        if line.is("isCompactSummary") {
            return self.summary(&said, line, native, end);
        }
        if said.trim().is_empty() || line.is("isMeta") {
            return self.other(line, native);
        }
        if said.starts_with(INTERRUPTED) {
            self.waiting.cut_off();
            self.program(&said, line, native, end);
            self.turns.interrupted();
            return;
        }
        self.command(&said, line, native, end);
    }

    /// The results of tools. A line that holds several belongs to the first of them.
    fn results(&mut self, results: &[&Value], said: &str, line: &Line, native: NativeLine, end: u64) {
        self.tell(false);
        let mut native = Some(native);
        for (n, block) in results.iter().enumerate() {
            let call = text(&block["tool_use_id"]);
            let (tool, is_here) = match self.calls.remove(call) {
                Some((tool, branch)) => (Some(tool), branch == self.branch),
                None => (None, false),
            };
            // A result is where its call is, whatever was said meanwhile.
            let (place, id) = match is_here || n > 0 {
                true => self.add(line, end, true, &format!("#{n}")),
                false => self.place(line, end, true, &format!("#{n}")),
            };
            self.turns.has_result(self.at);
            let message = said::tool_result(block, id, tool, self.at);
            self.put(What::Message(message), native.take(), place);
        }
        if !said.is_empty() {
            let (place, id) = self.add(line, end, false, "said");
            let message = Message::said(id, MessageRole::System, said, self.at);
            self.put(What::Message(message), None, place);
        }
    }

    /// What somebody said, unless the program put it in their mouth: what a command put out, above all.
    fn command(&mut self, said: &str, line: &Line, native: NativeLine, end: u64) {
        let of_program = ["local-command-stdout", "local-command-stderr", "task-notification"];
        if let Some(told) = of_program.iter().find_map(|tag| within(said, tag)) {
            if told.trim().is_empty() {
                return self.other(line, native);
            }
            let told = told.trim_end().to_owned();
            self.program(&told, line, native, end);
            return self.turns.needs_no_answer();
        }
        let typed = within(said, "command-name").map(|name| {
            let arguments = within(said, "command-args").unwrap_or_default().trim();
            if arguments.is_empty() { name.trim().to_owned() } else { format!("{} {arguments}", name.trim()) }
        });
        self.tell(true);
        self.end_turn();
        let (place, id) = self.place(line, end, false, "");
        self.turns.begin(self.at);
        if typed.is_some() {
            self.turns.needs_no_answer();
        }
        let said = typed.as_deref().unwrap_or(said);
        let message = Message::said(id, MessageRole::User, said, self.at);
        self.put(What::Message(message), Some(native), place);
    }

    fn program(&mut self, said: &str, line: &Line, native: NativeLine, end: u64) {
        self.tell(false);
        let (place, id) = self.place(line, end, false, "");
        self.turns.said(self.at);
        let message = Message::said(id, MessageRole::System, said, self.at);
        self.put(What::Message(message), Some(native), place);
    }

    fn boundary(&mut self, line: &Line, native: NativeLine, end: u64) {
        self.tell(true);
        let logical = line.text("logicalParentUuid").is_some_and(|parent| self.tree.is_known(parent));
        // It begins a chain of its own, and goes on from what is there.
        let (place, id) =
            if logical { self.place(line, end, false, "") } else { self.add(line, end, false, "") };
        let message = Message::said(id, MessageRole::System, said::compacted(None), self.at);
        let lines = std::mem::take(&mut self.ahead).into_iter().chain([native]).collect();
        self.ahead_bytes = 0;
        self.waiting.push(Item { what: What::Boundary(message), lines, place });
    }

    fn summary(&mut self, said: &str, line: &Line, native: NativeLine, end: u64) {
        if let Some(Item { what, lines, place }) = self.waiting.last_mut()
            && let What::Boundary(message) = what
        {
            let (place, bytes) = (*place, native.line.len());
            *what = What::Message(Message { content: said::compacted(Some(said)), ..message.clone() });
            lines.push(native);
            self.waiting.grew(bytes);
            self.tree.link(line.uuid(), place);
            return self.tell(false);
        }
        self.tell(false);
        let (place, id) = self.add(line, end, false, "");
        let message = Message::said(id, MessageRole::System, said::compacted(Some(said)), self.at);
        self.put(What::Message(message), Some(native), place);
    }

    /// The place of what the line says: where the conversation stands, or where it has to go back to.
    fn place(&mut self, line: &Line, end: u64, is_result: bool, part: &str) -> (Place, MessageId) {
        if let Some(to) = self.tree.back(line) {
            self.tell(true);
            self.end_turn();
            self.branch += 1;
            let to = self.tree.go(to);
            self.out.push(Told::Back { to });
        }
        self.add(line, end, is_result, part)
    }

    fn add(&mut self, line: &Line, end: u64, is_result: bool, part: &str) -> (Place, MessageId) {
        let id = self.id(line, end, part);
        let place = self.tree.add(id, is_result);
        self.tree.link(line.uuid(), place);
        (place, id)
    }

    /// The id of what a line says.
    fn id(&self, line: &Line, end: u64, part: &str) -> MessageId {
        let mut hash = blake3::Hasher::new();
        hash.update(self.seed.as_bytes());
        match line.uuid() {
            Some(uuid) => hash.update(uuid.as_bytes()),
            None => hash.update(&end.to_be_bytes()),
        };
        hash.update(part.as_bytes());
        let random = hash.finalize().as_bytes().first_chunk::<10>().copied().unwrap_or_default();
        let millis = u64::try_from(self.at.utc().timestamp_millis()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().into()
    }

    fn put(&mut self, what: What, native: Option<NativeLine>, place: Place) {
        let lines = std::mem::take(&mut self.ahead).into_iter().chain(native).collect();
        self.ahead_bytes = 0;
        self.waiting.push(Item { what, lines, place });
        self.tell(false);
    }

    /// Tells what waits for nothing more; with `all`, everything.
    fn tell(&mut self, all: bool) {
        while let Some(Item { what, lines, .. }) = self.waiting.next(all) {
            let message = match what {
                What::Boundary(message) | What::Message(message) => message,
                What::Draft { draft, at, cost_usd, incomplete, .. } => {
                    self.model_said(*draft, at, cost_usd, incomplete)
                }
            };
            let id = message.id;
            self.out.push(Told::Message(message));
            self.lines(Some(id), lines);
        }
    }

    fn model_said(
        &mut self,
        draft: Draft,
        at: Timestamp,
        cost_usd: Option<f64>,
        incomplete: bool,
    ) -> Message {
        let (id, usage) = (draft.id, draft.usage());
        let first = draft.native.is_empty() || self.counted.insert(draft.native.clone());
        let said = draft.finished(at, incomplete);
        // Cut off before it said anything: it still has a place, and lines.
        let mut message = said
            .unwrap_or_else(|| Message { incomplete, ..Message::said(id, MessageRole::Assistant, "", at) });
        message.token_count = message.token_count.filter(|_| first);
        message.cost_usd = cost_usd.filter(|_| first);
        self.turns.answered(&message, first.then_some(usage));
        message
    }

    fn end_turn(&mut self) {
        if let Some((at, end)) = self.turns.end() {
            self.last = Some(end.outcome);
            self.out.push(Told::Turn { at, end });
        }
    }
}

/// What stands within an element, as the program marks what commands say.
fn within<'a>(text: &'a str, tag: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{tag}>"))?;
    Some(rest.split_once(&format!("</{tag}>")).map_or(rest, |(inner, _)| inner))
}
