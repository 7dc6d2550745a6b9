//! The turns of a recorded session: from something that was said to the agent to the next.

use makima_model::{AgentFailure, Message, Timestamp, TurnEnd, TurnOutcome, Usage};
use std::collections::BTreeMap;

/// Counts turns, and what each took.
#[derive(Debug, Default)]
pub(super) struct Turns {
    number: u32,
    open: Option<Open>,
    /// The newest total that the file told of the session's cost.
    total_usd: f64,
    /// What was told of it while no turn was open: the next one is charged for it.
    owed_usd: Option<f64>,
}

#[derive(Debug)]
struct Open {
    since: Timestamp,
    until: Timestamp,
    usage: Usage,
    /// What the messages say that they cost.
    own_usd: Option<f64>,
    /// What the totals say that it cost.
    total_usd: Option<f64>,
    tools: BTreeMap<String, u32>,
    /// Whether the last word is the model's, and it calls no tool.
    is_answered: bool,
    is_interrupted: bool,
    failure: Option<AgentFailure>,
}

impl Turns {
    /// Begins a turn, unless one is open.
    pub(super) fn begin(&mut self, at: Timestamp) {
        if self.open.is_none() {
            self.number += 1;
            self.open = Some(Open {
                since: at,
                until: at,
                usage: Usage::default(),
                own_usd: None,
                total_usd: self.owed_usd.take(),
                tools: BTreeMap::new(),
                is_answered: false,
                is_interrupted: false,
                failure: None,
            });
        }
    }

    /// The model said something. `usage` is `None` where it was counted before.
    pub(super) fn answered(&mut self, message: &Message, usage: Option<Usage>) {
        let Some(open) = &mut self.open else { return };
        open.until = open.until.max(message.timestamp);
        open.usage += usage.unwrap_or_default();
        for call in &message.tool_calls {
            *open.tools.entry(call.name.clone()).or_default() += 1;
        }
        if let Some(usd) = message.cost_usd {
            *open.own_usd.get_or_insert(0.0) += usd;
        }
        (open.is_answered, open.is_interrupted, open.failure) = (message.tool_calls.is_empty(), false, None);
    }

    /// Something else was said in the turn.
    pub(super) fn said(&mut self, at: Timestamp) {
        if let Some(open) = &mut self.open {
            open.until = open.until.max(at);
        }
    }

    /// A tool's result, which the model has to be told.
    pub(super) fn has_result(&mut self, at: Timestamp) {
        self.said(at);
        if let Some(open) = &mut self.open {
            open.is_answered = false;
        }
    }

    pub(super) fn interrupted(&mut self) {
        if let Some(open) = &mut self.open {
            open.is_interrupted = true;
        }
    }

    pub(super) fn failed(&mut self, failure: AgentFailure) {
        if let Some(open) = &mut self.open {
            open.failure = Some(failure);
        }
    }

    /// What was said needs no answer of the model: the program gave one.
    pub(super) fn needs_no_answer(&mut self) {
        if let Some(open) = &mut self.open {
            open.is_answered = true;
        }
    }

    /// The session has cost this much in all. Where that is less than before, another process began to count anew.
    pub(super) fn cost(&mut self, total: f64) {
        if !total.is_finite() || total < 0.0 {
            return;
        }
        let more = if total < self.total_usd { total } else { total - self.total_usd };
        self.total_usd = total;
        let to = self.open.as_mut().map_or(&mut self.owed_usd, |open| &mut open.total_usd);
        *to.get_or_insert(0.0) += more;
    }

    /// Ends the turn, if one is open: what it took, and when.
    pub(super) fn end(&mut self) -> Option<(Timestamp, TurnEnd)> {
        let open = self.open.take()?;
        let outcome = match (&open.failure, open.is_interrupted) {
            (_, true) => TurnOutcome::Interrupted,
            (Some(_), false) => TurnOutcome::Failed,
            (None, false) if !open.is_answered => TurnOutcome::Interrupted,
            (None, false) => TurnOutcome::Completed,
        };
        let end = TurnEnd {
            turn: self.number,
            outcome,
            usage: open.usage,
            cost_usd: open.own_usd.or(open.total_usd),
            duration_ms: u64::try_from(open.until.since(open.since).as_millis()).unwrap_or(u64::MAX),
            tools: open.tools,
            failure: open.failure.filter(|_| outcome == TurnOutcome::Failed),
        };
        Some((open.until, end))
    }
}
