//! What happens in a task, told as lines: a function of what was heard so far, without clock, network or screen.

use super::{Heard, tool};
use crate::printer::{Line, Printer, Style, fold, one_line};
use makima_model::{MessageId, MessageRole, NoticeLevel, Published, TaskEventKind, TaskStatus, TurnOutcome};
use makima_wire::{ConversationMessage, Delta, DeltaKind, Task, TaskEvent};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// Something to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A line of its own.
    Line(Line),
    /// Text that goes on where the last text ended.
    Text(Style, String),
    /// The line of text ends here.
    Close,
}

impl Piece {
    /// Prints it.
    pub(crate) fn print(self, printer: &Printer) {
        match self {
            Self::Line(line) => printer.line(line),
            Self::Text(style, text) => printer.stream(style, &text),
            Self::Close => printer.close(),
        }
    }
}

/// The teller.
///
/// Pieces of a message come at once, what is stored comes a little later, and the agent may be three messages on by then. So one
/// message streams at a time, and everything else waits its turn: pieces of the next one, and lines that would stand in the middle
/// of a word.
#[derive(Debug, Default)]
pub(crate) struct Story {
    worktree: Option<String>,
    known: HashSet<MessageId>,
    plan: Option<String>,
    /// The message that streams now.
    streaming: Option<Streamed>,
    /// Pieces of later ones, in order.
    ahead: Vec<Delta>,
    /// Lines to tell when the message that streams is complete.
    held: Vec<Piece>,
    /// Whether pieces were missed: then what is being said is told when it is whole.
    broken: bool,
    /// Calls whose results are to come, by their ids.
    calls: HashMap<String, (String, Value)>,
    last_call: Option<String>,
    published: Option<Published>,
    began: bool,
    failure: Option<String>,
    /// Whether everything is told that there is.
    full: bool,
    /// Lines that were not told.
    hidden: usize,
}

/// What of a message is on the screen already.
#[derive(Debug, Default)]
struct Streamed {
    message: Option<MessageId>,
    text: String,
    thinking: String,
    last: Option<DeltaKind>,
}

impl Story {
    /// A story whose listener knows the plan, so that it isn't told.
    pub(crate) fn of_plan(plan: &str) -> Self {
        Self { plan: Some(plan.to_owned()), ..Self::default() }
    }

    /// A story that one comes into in the middle: a message that is half said is told when it is whole.
    pub(crate) fn joined() -> Self {
        Self { broken: true, ..Self::default() }
    }

    /// The same, with nothing folded.
    pub(crate) fn in_full(self) -> Self {
        Self { full: true, ..self }
    }

    /// How many lines were left out so far.
    pub(crate) fn hidden(&self) -> usize {
        self.hidden
    }

    /// The listener knows this message: it is their own.
    pub(crate) fn knows(&mut self, message: MessageId) {
        self.known.insert(message);
    }

    /// What is known of the task by now.
    pub(crate) fn of_task(&mut self, task: &Task) {
        self.worktree.clone_from(&task.worktree_path);
    }

    /// The task's worktree, once it is known.
    pub(crate) fn worktree(&self) -> Option<&str> {
        self.worktree.as_deref()
    }

    /// What became of the branch in the end.
    pub(crate) fn published(&self) -> Option<&Published> {
        self.published.as_ref()
    }

    /// Pieces may have been missed: what is being said is told when it is whole.
    pub(crate) fn interrupted(&mut self) {
        self.broken = true;
        self.ahead.clear();
    }

    /// What to print.
    pub(crate) fn hear(&mut self, heard: &Heard) -> Vec<Piece> {
        let mut told = Vec::new();
        match heard {
            Heard::Delta(delta) => self.delta(delta, &mut told),
            Heard::Message(_, message) => self.message(message, &mut told),
            Heard::Task(event) => self.event(event, &mut told),
            Heard::Other => {}
        }
        self.catch_up(&mut told);
        told
    }

    /// What is left to print when nothing more will be heard.
    pub(crate) fn end(&mut self) -> Vec<Piece> {
        std::iter::once(Piece::Close).chain(self.held.drain(..)).collect()
    }

    fn delta(&mut self, delta: &Delta, told: &mut Vec<Piece>) {
        if self.broken {
            return;
        }
        let is_next = match &self.streaming {
            Some(streaming) => streaming.message == Some(delta.message_id),
            None => self.ahead.is_empty() && self.calls.is_empty(),
        };
        if is_next {
            self.stream(delta, told);
        } else {
            self.ahead.push(delta.clone());
        }
    }

    fn stream(&mut self, delta: &Delta, told: &mut Vec<Piece>) {
        let streaming = self
            .streaming
            .get_or_insert_with(|| Streamed { message: Some(delta.message_id), ..Streamed::default() });
        if streaming.last != Some(delta.kind) {
            let is_same = streaming.last.replace(delta.kind).is_some();
            begin(delta.kind, is_same || !self.began, told);
            self.began = true;
        }
        let (so_far, style) = match delta.kind {
            DeltaKind::Text => (&mut streaming.text, Style::Plain),
            DeltaKind::Thinking => (&mut streaming.thinking, Style::Faint),
        };
        so_far.push_str(&delta.text);
        told.push(Piece::Text(style, delta.text.clone()));
    }

    /// Goes on with the next message that streams, once all that comes before it was told.
    fn catch_up(&mut self, told: &mut Vec<Piece>) {
        if self.streaming.is_some() || !self.calls.is_empty() {
            return;
        }
        let Some(next) = self.ahead.first().map(|delta| delta.message_id) else { return };
        let (its, others) =
            std::mem::take(&mut self.ahead).into_iter().partition(|delta| delta.message_id == next);
        self.ahead = others;
        let its: Vec<Delta> = its;
        its.iter().for_each(|delta| self.stream(delta, told));
    }

    fn message(&mut self, message: &ConversationMessage, told: &mut Vec<Piece>) {
        match message.role {
            MessageRole::Assistant => self.assistant(message, told),
            MessageRole::Tool => self.tool(message, told),
            MessageRole::System => self.lines(Style::Faint, "", &message.content, told),
            MessageRole::User => {
                let own = self.known.remove(&message.id)
                    || self.plan.take_if(|plan| *plan == message.content).is_some();
                if !own {
                    self.lines(Style::Accent, "> ", &message.content, told);
                }
                // A call that has no result by now gets none.
                self.calls.clear();
            }
        }
    }

    fn assistant(&mut self, message: &ConversationMessage, told: &mut Vec<Piece>) {
        self.broken = false;
        self.ahead.retain(|delta| delta.message_id != message.id);
        let mut streamed = self.streaming.take().unwrap_or_default();
        if streamed.message.is_some_and(|streaming| streaming != message.id) {
            // An attempt that was given up: its text stands there, and is no part of this one.
            told.push(Piece::Close);
            streamed = Streamed::default();
        }
        if let Some(thinking) = &message.thinking
            && streamed.last.is_none()
        {
            begin(DeltaKind::Thinking, !self.began, told);
            told.push(Piece::Text(Style::Faint, thinking.trim_end().to_owned()));
            (streamed.last, self.began) = (Some(DeltaKind::Thinking), true);
        }
        // What was shown is the beginning of it, or, where it was cut off, more than was kept. Otherwise pieces were missed: then it
        // is better told again than not at all.
        let rest = match message.content.strip_prefix(streamed.text.as_str()) {
            Some(rest) => rest,
            None if message.incomplete && streamed.text.starts_with(&message.content) => "",
            None => {
                told.push(Piece::Close);
                &message.content
            }
        };
        if !rest.is_empty() {
            if streamed.last != Some(DeltaKind::Text) {
                begin(DeltaKind::Text, streamed.last.is_some() || !self.began, told);
                self.began = true;
            }
            told.push(Piece::Text(Style::Plain, rest.to_owned()));
        }
        told.push(Piece::Close);
        if message.incomplete {
            told.push(Piece::Line(Line::styled(Style::Faint, "(cut off here)")));
        }
        for call in message.tool_calls.iter().flatten() {
            told.push(self.call_line("● ", &call.name, &call.input));
            if self.full {
                let input = tool::whole(&call.name, &call.input, self.worktree.as_deref());
                told.extend(input.into_iter().map(|line| Piece::Line(Line::from(format!("  │ {line}")))));
            }
            self.calls.insert(call.id.clone(), (call.name.clone(), call.input.clone()));
            self.last_call = Some(call.id.clone());
        }
        told.append(&mut self.held);
    }

    fn call_line(&mut self, mark: &str, tool: &str, input: &Value) -> Piece {
        self.began = true;
        let gist = tool::gist(tool, input, self.worktree.as_deref());
        let line = Line::styled(Style::Accent, mark).then(Style::Strong, one_line(tool));
        Piece::Line(if gist.is_empty() { line } else { line.plain(format!("  {gist}")) }.cut())
    }

    fn tool(&mut self, message: &ConversationMessage, told: &mut Vec<Piece>) {
        let call = message.tool_call_id.as_ref().and_then(|id| self.calls.remove(id));
        let (tool, input) = call.unwrap_or_else(|| {
            let name = message.tool_name.clone().unwrap_or_else(|| "tool".to_owned());
            (name, message.tool_input.clone().unwrap_or_default())
        });
        let result = message.tool_result.as_deref().unwrap_or_default();
        let failed = message.is_error == Some(true);
        let (lines, hidden) = match self.full {
            true => (tool::whole_result(result, failed), 0),
            false => tool::result(&tool, result, failed),
        };
        self.hidden += hidden;
        told.push(Piece::Close);
        // Of several calls at once, the results come after all of them.
        if !lines.is_empty() && self.last_call != message.tool_call_id {
            told.push(self.call_line("↳ ", &tool, &input));
            self.last_call.clone_from(&message.tool_call_id);
        }
        told.extend(lines.into_iter().map(Piece::Line));
    }

    fn event(&mut self, event: &TaskEvent, told: &mut Vec<Piece>) {
        let data = &event.event_data;
        let line = match event.event_type {
            TaskEventKind::StatusChange => match (event.new_status, data["reason"].as_str()) {
                (Some(TaskStatus::Pending), Some(reason)) => Some(Line::styled(Style::Warn, reason)),
                _ => None,
            },
            TaskEventKind::Output => {
                // What a failed turn has said, the end of its run says again.
                if data["text"].as_str().is_some_and(|text| self.failure.as_deref() == Some(text)) {
                    return;
                }
                let style = match level(data) {
                    NoticeLevel::Info => Style::Faint,
                    NoticeLevel::Warning => Style::Warn,
                    NoticeLevel::Error => Style::Bad,
                };
                self.lines(style, "", data["text"].as_str().unwrap_or_default(), told);
                None
            }
            TaskEventKind::Turn => {
                self.calls.clear();
                self.failure = data["failure"]["message"].as_str().map(str::to_owned);
                turn(data)
            }
            TaskEventKind::Checkpoint => checkpoint(data),
            TaskEventKind::Published => {
                self.published = serde_json::from_value(data.clone()).ok().or(self.published.take());
                None
            }
            TaskEventKind::Session => session(data),
            TaskEventKind::Question | TaskEventKind::Answer => None,
        };
        self.tell(line.into_iter().map(Line::cut), told);
    }

    /// Tells lines, but not in the middle of a message.
    fn tell(&mut self, lines: impl IntoIterator<Item = Line>, told: &mut Vec<Piece>) {
        let to = if self.streaming.is_some() { &mut self.held } else { told };
        to.extend(lines.into_iter().map(Piece::Line));
    }

    /// A text of somebody else's than the agent's, folded.
    fn lines(&mut self, style: Style, mark: &str, text: &str, told: &mut Vec<Piece>) {
        let (lines, more) = fold(text, if self.full { usize::MAX } else { 10 });
        self.hidden += more;
        self.began |= !lines.is_empty();
        let more = (more > 0).then(|| format!("… {more} more lines"));
        let lines = lines.into_iter().chain(more).map(|line| Line::styled(style, format!("{mark}{line}")));
        // A warning can't wait: the message that it is about may never be complete.
        if matches!(style, Style::Warn | Style::Bad) {
            told.extend(lines.map(Piece::Line));
        } else {
            self.tell(lines, told);
        }
    }
}

/// Begins a text of the agent's: apart from what stands before, unless it is the first or goes on with the same message.
fn begin(kind: DeltaKind, close: bool, told: &mut Vec<Piece>) {
    told.push(if close { Piece::Close } else { Piece::Line(Line::default()) });
    if kind == DeltaKind::Thinking {
        told.push(Piece::Text(Style::Faint, "thinking: ".to_owned()));
    }
}

fn level(data: &Value) -> NoticeLevel {
    data["level"].as_str().and_then(|level| level.parse().ok()).unwrap_or(NoticeLevel::Info)
}

fn turn(data: &Value) -> Option<Line> {
    match data["outcome"].as_str()?.parse().ok()? {
        TurnOutcome::Completed => None,
        TurnOutcome::Interrupted => Some(Line::styled(Style::Warn, "the turn was interrupted")),
        TurnOutcome::Failed => {
            let message = data["failure"]["message"].as_str().unwrap_or("the agent could not go on");
            Some(Line::styled(Style::Bad, one_line(message)))
        }
    }
}

fn checkpoint(data: &Value) -> Option<Line> {
    let Some(files) = data["filesChanged"].as_array() else {
        let why = data["message"].as_str()?;
        return Some(Line::styled(Style::Warn, format!("no checkpoint could be made: {}", one_line(why))));
    };
    let number = data["number"].as_i64()?;
    let count = |key: &str| data[key].as_i64().unwrap_or_default();
    let files = match files.len() {
        1 => "1 file".to_owned(),
        n => format!("{n} files"),
    };
    let text = format!("checkpoint {number}: {files}, +{} −{}", count("linesAdded"), count("linesRemoved"));
    Some(Line::styled(Style::Good, "◆ ").plain(text))
}

fn session(data: &Value) -> Option<Line> {
    let told: Vec<&str> = ["model", "version"].into_iter().filter_map(|key| data[key].as_str()).collect();
    (!told.is_empty()).then(|| Line::styled(Style::Faint, one_line(&told.join(", version "))))
}
