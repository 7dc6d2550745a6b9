//! The talk with the scripted agent.

use super::line::{Line, Outcome, Said, Told};
use crate::{
    Act, AgentError, Delta, DeltaKind, Dialogue, Ending, Exit, Input, lenient,
    noise::Noise,
    turn::{self, Turns},
};
use makima_model::{
    AgentFailure, Answer, Clock, Message, MessageId, MessageRole, NativeLine, Question, QuestionId,
    QuestionKind, Record, TurnOutcome, Usage,
};
use std::collections::BTreeMap;

/// What the messages of the scripted agent name as their model.
const MODEL: &str = "scripted";

pub(super) struct Talk {
    clock: Clock,
    turns: Turns,
    noise: Noise,
    /// What is being streamed.
    draft: Option<Draft>,
    asked: BTreeMap<QuestionId, Asked>,
}

struct Draft {
    id: MessageId,
    text: String,
    thinking: String,
}

struct Asked {
    ask: String,
    kind: QuestionKind,
}

impl Talk {
    pub(super) fn new(clock: Clock) -> Self {
        let turns = Turns::new(clock.clone());
        Self { clock, turns, noise: Noise::default(), draft: None, asked: BTreeMap::new() }
    }

    fn draft(&mut self) -> &mut Draft {
        let clock = &self.clock;
        self.draft.get_or_insert_with(|| Draft {
            id: clock.new_id(),
            text: String::new(),
            thinking: String::new(),
        })
    }

    fn streamed(&mut self, kind: DeltaKind, text: String) -> Vec<Act> {
        let draft = self.draft();
        // What would be kept of a stream without an end is bounded; who looks on sees all of it.
        let kept = match kind {
            DeltaKind::Text => &mut draft.text,
            DeltaKind::Thinking => &mut draft.thinking,
        };
        if kept.len() < 1 << 20 {
            kept.push_str(&text);
        }
        vec![Act::Delta(Delta { message: draft.id, kind, text })]
    }

    fn message(&mut self, line: Line) -> Vec<Act> {
        let Line::Message { native, text, thinking, calls, usage, incomplete } = line else {
            return Vec::new();
        };
        let id = self.draft.take().map_or_else(|| self.clock.new_id(), |draft| draft.id);
        for call in &calls {
            self.turns.called(&call.name);
        }
        self.turns.used(usage);
        let message = Message {
            thinking,
            tool_calls: calls,
            token_count: Some(usage.total()),
            model: Some(MODEL.to_owned()),
            incomplete,
            ..Message::said(id, MessageRole::Assistant, text, self.clock.now())
        };
        vec![Act::Record(Record::Message { message }), kept(id, native)]
    }

    fn result(&mut self, line: Line) -> Vec<Act> {
        let Line::Result { native, call, tool, text, error } = line else { return Vec::new() };
        let id = self.clock.new_id();
        let message = Message {
            tool_call_id: Some(call),
            tool_name: Some(tool),
            tool_result: Some(text),
            is_error: Some(error),
            ..Message::said(id, MessageRole::Tool, "", self.clock.now())
        };
        vec![Act::Record(Record::Message { message }), kept(id, native)]
    }

    fn asks(&mut self, line: Line) -> Vec<Act> {
        let Line::Ask { ask, kind, text, choices, tool, input } = line else { return Vec::new() };
        let id: QuestionId = self.clock.new_id();
        self.asked.insert(id, Asked { ask, kind });
        let question = Question { id, kind, text, choices, tool_name: tool, tool_input: input };
        vec![Act::Record(Record::Asked { question })]
    }

    fn turn_ended(&mut self, outcome: Outcome, usage: Usage, cost_usd: Option<f64>) -> Vec<Act> {
        let (outcome, failure) = match outcome {
            Outcome::Completed => (TurnOutcome::Completed, None),
            Outcome::Interrupted => (TurnOutcome::Interrupted, None),
            Outcome::Failed { kind, message } => {
                (TurnOutcome::Failed, Some(AgentFailure { kind, message, resets_at: None }))
            }
        };
        // An attempt that failed: nothing of it is part of the conversation.
        self.draft = None;
        let told = turn::Told { usage: Some(usage), cost_usd, failure, ..turn::Told::default() };
        let mut records = self.withdrawn();
        records.extend(self.turns.end(outcome, told));
        records.into_iter().map(Act::Record).collect()
    }

    /// Whoever asked is gone.
    fn withdrawn(&mut self) -> Vec<Record> {
        let asked = std::mem::take(&mut self.asked);
        asked.into_keys().map(|question| Record::Answered { question, answer: None }).collect()
    }
}

impl Dialogue for Talk {
    fn open(&mut self) -> Vec<Act> {
        Vec::new()
    }

    fn read(&mut self, line: &[u8]) -> Vec<Act> {
        let Ok(line) = lenient::parsed::<Line>(line) else {
            return self.noise.notice(line).map(Act::Record).into_iter().collect();
        };
        match line {
            Line::Ready { session, version } => {
                let model = Some(MODEL.to_owned());
                vec![Act::Record(Record::Session { session_id: session, version: Some(version), model })]
            }
            Line::Heard { id, native } => id.parse().map(|id| vec![kept(id, native)]).unwrap_or_default(),
            Line::Text { text } => self.streamed(DeltaKind::Text, text),
            Line::Thinking { text } => self.streamed(DeltaKind::Thinking, text),
            line @ Line::Message { .. } => self.message(line),
            line @ Line::Result { .. } => self.result(line),
            line @ Line::Ask { .. } => self.asks(line),
            Line::Turn { outcome, usage, cost_usd } => self.turn_ended(outcome, usage, cost_usd),
        }
    }

    fn say(&mut self, inputs: &[Input]) -> Vec<Act> {
        if inputs.is_empty() {
            return Vec::new();
        }
        self.turns.begin();
        let at = self.clock.now();
        let said = |input: &Input| {
            let message = Message::said(input.id, MessageRole::User, input.content.as_str(), at);
            Act::Record(Record::Message { message })
        };
        let messages =
            inputs.iter().map(|input| Said { id: input.id.to_string(), content: input.content.clone() });
        let told = Told::Say { messages: messages.collect() };
        inputs.iter().map(said).chain([written(&told)]).collect()
    }

    fn interrupt(&mut self) -> Vec<Act> {
        if self.turns.interrupt() { vec![written(&Told::Interrupt)] } else { Vec::new() }
    }

    fn answer(&mut self, question: QuestionId, answer: &Answer) -> Result<Vec<Act>, AgentError> {
        let asked = self.asked.get(&question).ok_or(AgentError::NotAsked { question })?;
        let fits = match answer {
            Answer::Deny { .. } => true,
            Answer::Allow => asked.kind == QuestionKind::Permission,
            Answer::Text { .. } => asked.kind == QuestionKind::Question,
        };
        if !fits {
            return Err(AgentError::WrongAnswer { question, kind: asked.kind });
        }
        let told = Told::Answer { ask: asked.ask.clone(), answer: answer.clone() };
        self.asked.remove(&question);
        Ok(vec![Act::Record(Record::Answered { question, answer: Some(answer.clone()) }), written(&told)])
    }

    fn ended(&mut self, exit: &Exit) -> Ending {
        let mut records = Vec::new();
        if let Some(draft) = self.draft.take() {
            let thinking = (!draft.thinking.is_empty()).then_some(draft.thinking);
            let at = self.clock.now();
            let message = Message {
                thinking,
                model: Some(MODEL.to_owned()),
                incomplete: true,
                ..Message::said(draft.id, MessageRole::Assistant, draft.text, at)
            };
            records.push(Record::Message { message });
        }
        records.extend(self.withdrawn());
        self.turns.ended(records, exit)
    }

    fn is_idle(&self) -> bool {
        !self.turns.is_open()
    }
}

fn kept(message: MessageId, line: String) -> Act {
    let lines = vec![NativeLine { uuid: None, line }];
    Act::Record(Record::Native { message: Some(message), file: String::new(), lines })
}

fn written(told: &Told) -> Act {
    // Strings and numbers alone: there is nothing in it that JSON could not say.
    let mut line = serde_json::to_vec(told).unwrap_or_default();
    line.push(b'\n');
    Act::Write(line)
}
