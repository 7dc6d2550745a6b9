//! What every dialogue keeps of its turns, and what the end of a process means for them.

use crate::{Ending, Exit};
use makima_model::{
    AgentFailure, Clock, FailureKind, Record, RunEnd, RunOutcome, Timestamp, TurnEnd, TurnOutcome, Usage,
};
use std::collections::BTreeMap;

/// The turns of a process.
#[derive(Debug)]
pub(crate) struct Turns {
    clock: Clock,
    number: u32,
    open: Option<Open>,
    last: Option<(TurnOutcome, Option<AgentFailure>)>,
    interrupting: bool,
}

#[derive(Debug)]
struct Open {
    since: Timestamp,
    tools: BTreeMap<String, u32>,
    usage: Usage,
}

/// What an agent tells of a turn when it ends; what it doesn't tell is counted here.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) usage: Option<Usage>,
    pub(crate) cost_usd: Option<f64>,
    pub(crate) duration_ms: Option<u64>,
    pub(crate) failure: Option<AgentFailure>,
}

impl Turns {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, number: 0, open: None, last: None, interrupting: false }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Begins a turn, unless one is open.
    pub(crate) fn begin(&mut self) {
        if self.open.is_none() {
            self.number += 1;
            self.interrupting = false;
            self.open =
                Some(Open { since: self.clock.now(), tools: BTreeMap::new(), usage: Usage::default() });
        }
    }

    /// Takes note that the turn is asked to end; answers whether there is one that wasn't asked before.
    pub(crate) fn interrupt(&mut self) -> bool {
        let first = self.is_open() && !self.interrupting;
        self.interrupting |= first;
        first
    }

    /// Whether the turn was asked to end.
    pub(crate) fn is_interrupting(&self) -> bool {
        self.interrupting
    }

    pub(crate) fn called(&mut self, tool: &str) {
        if let Some(open) = &mut self.open {
            *open.tools.entry(tool.to_owned()).or_default() += 1;
        }
    }

    pub(crate) fn used(&mut self, usage: Usage) {
        if let Some(open) = &mut self.open {
            open.usage += usage;
        }
    }

    /// Ends the turn, if one is open.
    pub(crate) fn end(&mut self, outcome: TurnOutcome, told: Told) -> Option<Record> {
        let Open { since, tools, usage } = self.open.take()?;
        self.last = Some((outcome, told.failure.clone()));
        let passed = || u64::try_from(self.clock.now().since(since).as_millis()).unwrap_or(u64::MAX);
        Some(Record::TurnEnded(TurnEnd {
            turn: self.number,
            outcome,
            usage: told.usage.unwrap_or(usage),
            cost_usd: told.cost_usd,
            duration_ms: told.duration_ms.unwrap_or_else(passed),
            tools,
            failure: told.failure,
        }))
    }

    /// Ends the turn that is open, if one is, because the process is gone, and says what became of the run. `records` stand before the end
    /// of the turn.
    pub(crate) fn ended(&mut self, mut records: Vec<Record>, exit: &Exit) -> Ending {
        let cut = if self.is_open() {
            let stopped = self.interrupting || exit.was_killed();
            let (outcome, failure) = match stopped {
                true => (TurnOutcome::Interrupted, None),
                false => (TurnOutcome::Failed, Some(exit.as_crash("in the middle of a turn"))),
            };
            records.extend(self.end(outcome, Told { failure, ..Told::default() }));
            true
        } else {
            false
        };
        let end = match self.last.take() {
            Some((TurnOutcome::Completed, _)) => {
                RunEnd { outcome: RunOutcome::Completed, reason: None, failure: None }
            }
            Some((TurnOutcome::Interrupted, _)) => {
                let reason = if cut {
                    exit.told("in the middle of a turn")
                } else {
                    "The turn was interrupted".to_owned()
                };
                RunEnd { outcome: RunOutcome::Interrupted, reason: Some(reason), failure: None }
            }
            Some((TurnOutcome::Failed, failure)) => failed(failure),
            None => failed(Some(exit.as_crash("before it did anything"))),
        };
        Ending { records, end }
    }
}

/// A run whose last turn failed. A limit passes by itself: the run is meant to be resumed.
fn failed(failure: Option<AgentFailure>) -> RunEnd {
    let outcome = match failure.as_ref().map(|failure| failure.kind) {
        Some(FailureKind::UsageLimit) => RunOutcome::Interrupted,
        _ => RunOutcome::Failed,
    };
    let reason = failure.as_ref().map(|failure| match failure.resets_at {
        Some(at) => format!("{} (resets at {at})", failure.message),
        None => failure.message.clone(),
    });
    RunEnd { outcome, reason, failure }
}

impl Exit {
    /// Whether somebody else ended the process: by a signal, or by one that it turned into an exit code as shells do.
    pub fn was_killed(&self) -> bool {
        self.signal.is_some() || matches!(self.code, Some(129 | 130 | 137 | 143))
    }

    /// How it ended and when, and its last words.
    pub fn told(&self, when: &str) -> String {
        let how = match (self.signal, self.code) {
            (Some(signal), _) => format!("was ended by signal {signal}"),
            (None, Some(code)) => format!("exited with code {code}"),
            (None, None) => "ended".to_owned(),
        };
        let last_words: String =
            self.stderr.trim().lines().last().unwrap_or_default().chars().take(500).collect();
        let colon = if last_words.is_empty() { "" } else { ": " };
        format!("The agent's program {how} {when}{colon}{last_words}")
    }

    fn as_crash(&self, when: &str) -> AgentFailure {
        AgentFailure { kind: FailureKind::Crashed, message: self.told(when), resets_at: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns() -> Turns {
        Turns::new(Clock::standing_at("2026-01-15T09:30:00Z".parse().unwrap()))
    }

    fn exit(code: i32) -> Exit {
        Exit { code: Some(code), signal: None, stderr: "warning\ncannot open shared object\n".to_owned() }
    }

    #[test]
    fn a_program_that_exits_in_a_turn_has_crashed_and_its_last_words_are_told() {
        let mut turns = turns();
        turns.begin();
        let ending = turns.ended(Vec::new(), &exit(3));
        assert!(
            matches!(&ending.records[..], [Record::TurnEnded(end)] if end.outcome == TurnOutcome::Failed)
        );
        assert_eq!(ending.end.outcome, RunOutcome::Failed);
        let reason =
            "The agent's program exited with code 3 in the middle of a turn: cannot open shared object";
        assert_eq!(ending.end.reason.as_deref(), Some(reason));
    }

    #[test]
    fn a_program_that_is_killed_in_a_turn_was_interrupted() {
        for exit in [Exit { signal: Some(9), ..Exit::default() }, exit(143)] {
            let mut turns = turns();
            turns.begin();
            let ending = turns.ended(Vec::new(), &exit);
            assert_eq!(ending.end.outcome, RunOutcome::Interrupted, "{exit:?}");
        }
    }

    #[test]
    fn a_run_is_what_its_last_turn_was() {
        let mut turns = turns();
        turns.begin();
        let failure = exit(1).as_crash("");
        turns.end(TurnOutcome::Failed, Told { failure: Some(failure), ..Told::default() });
        turns.begin();
        turns.end(TurnOutcome::Completed, Told::default());
        let ending = turns.ended(Vec::new(), &exit(0));
        assert_eq!((ending.records.len(), ending.end.outcome), (0, RunOutcome::Completed));
    }

    #[test]
    fn a_used_up_limit_is_meant_to_be_resumed_and_says_when() {
        let mut turns = turns();
        turns.begin();
        let failure = AgentFailure {
            kind: FailureKind::UsageLimit,
            message: "Limit reached".to_owned(),
            resets_at: Timestamp::from_unix(1_800_000_000),
        };
        turns.end(TurnOutcome::Failed, Told { failure: Some(failure), ..Told::default() });
        let end = turns.ended(Vec::new(), &exit(1)).end;
        assert_eq!(end.outcome, RunOutcome::Interrupted);
        assert_eq!(end.reason.as_deref(), Some("Limit reached (resets at 2027-01-15T08:00:00.000000Z)"));
    }
}
