//! What a transaction writes last: events, task events and messages, which need numbers of their owner's sequence; the agents'
//! own records beside them; the costs of messages; and counts.
//!
//! Whoever has an owner's number holds its row's lock until the end, so that numbers become visible in their order and
//! "after this number" never misses one. A lock that everyone wants is taken last: held early, it would make two
//! transactions that also change a task wait for each other for ever. So these rows wait here, in memory, and are written by
//! `commit` in one fixed order: the sequences of all owners by id, the rows, the counters by key.

mod records;
mod write;

pub(crate) use records::statements as record_statements;
pub(crate) use write::statements;

use crate::{
    Noun, Wake,
    conversations::PackedMessage,
    events::{NewHistory, NewTaskEvent},
    native::Lines,
};
use makima_model::{BranchId, MessageId, OwnerId, TaskId};
use sqlx::types::Uuid;
use std::collections::{BTreeMap, BTreeSet};

/// A message that waits for its number in the feed.
#[derive(Debug)]
pub(crate) struct NewMessage {
    pub(crate) owner: OwnerId,
    pub(crate) branch: BranchId,
    pub(crate) seq: i64,
    pub(crate) task: TaskId,
    pub(crate) run_number: i64,
    pub(crate) message: PackedMessage,
}

/// A record of an agent's own. Its place among those of its message is a number of the owner's too: that ascends, whoever
/// appends.
#[derive(Debug)]
pub(crate) struct NewRecord {
    pub(crate) owner: OwnerId,
    pub(crate) branch: BranchId,
    pub(crate) seq: i64,
    pub(crate) file: String,
    pub(crate) lines: Lines,
}

/// A turn's cost, which its messages share by their tokens.
#[derive(Debug)]
pub(crate) struct Cost {
    pub(crate) owner: OwnerId,
    pub(crate) branch: BranchId,
    pub(crate) from_seq: i64,
    pub(crate) usd: f64,
}

/// Something that gets a number of its owner's sequence.
#[derive(Debug)]
enum Numbered {
    History(NewHistory),
    TaskEvent(NewTaskEvent),
    Message(NewMessage),
    Record(NewRecord),
}

/// Which count changes: owner, scope, noun, kind, phase.
type Counter = (OwnerId, Uuid, Noun, String, String);

/// What a transaction writes last.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    numbered: BTreeMap<OwnerId, Vec<Numbered>>,
    costs: Vec<Cost>,
    counts: BTreeMap<Counter, i64>,
    wakes: BTreeSet<Wake>,
}

impl Outbox {
    pub(crate) fn wake(&mut self, wake: Wake) {
        self.wakes.insert(wake);
    }

    pub(crate) fn count(
        &mut self,
        owner: OwnerId,
        scope: Uuid,
        noun: Noun,
        kind: &str,
        phase: &str,
        by: i64,
    ) {
        *self.counts.entry((owner, scope, noun, kind.to_owned(), phase.to_owned())).or_default() += by;
    }

    /// Forgets the counts of a scope that is erased.
    pub(crate) fn forget(&mut self, scope: Uuid) {
        self.counts.retain(|(_, counted, ..), _| *counted != scope);
    }

    pub(crate) fn history(&mut self, event: NewHistory) {
        let phase = event.phase.map_or("", |phase| phase.as_str());
        let scopes =
            [Some(event.owner.uuid()), event.contract.map(|id| id.uuid()), event.task.map(|id| id.uuid())];
        for scope in scopes.into_iter().flatten() {
            self.count(event.owner, scope, Noun::History, event.kind.as_str(), phase, 1);
        }
        self.number(event.owner, Numbered::History(event));
    }

    /// The entries of the timeline that wait here, the newest first.
    pub(crate) fn waiting_history(&mut self, owner: OwnerId) -> impl Iterator<Item = &mut NewHistory> {
        let numbered = self.numbered.get_mut(&owner).into_iter().flatten().rev();
        numbered.filter_map(|numbered| match numbered {
            Numbered::History(event) => Some(event),
            _ => None,
        })
    }

    pub(crate) fn task_event(&mut self, event: NewTaskEvent) {
        self.count(event.owner, event.task.uuid(), Noun::TaskEvent, event.kind.as_str(), "", 1);
        self.number(event.owner, Numbered::TaskEvent(event));
    }

    pub(crate) fn message(&mut self, message: NewMessage) {
        self.count(message.owner, message.task.uuid(), Noun::Message, "", "", 1);
        self.number(message.owner, Numbered::Message(message));
    }

    pub(crate) fn cost(&mut self, cost: Cost) {
        self.costs.push(cost);
    }

    /// Where a message that waits here will stand.
    pub(crate) fn find(&self, owner: OwnerId, id: MessageId) -> Option<(BranchId, i64)> {
        self.numbered.get(&owner)?.iter().rev().find_map(|numbered| match numbered {
            Numbered::Message(new) if new.message.id == id => Some((new.branch, new.seq)),
            _ => None,
        })
    }

    pub(crate) fn record(&mut self, record: NewRecord) {
        self.numbered.entry(record.owner).or_default().push(Numbered::Record(record));
    }

    fn number(&mut self, owner: OwnerId, numbered: Numbered) {
        self.numbered.entry(owner).or_default().push(numbered);
        self.wakes.insert(Wake::Events(owner));
    }
}
