//! What streams and is never stored: pieces of messages that are not complete yet.

use super::App;
use crate::{caller::Caller, error::ApiError};
use makima_model::{ContractId, MessageId, OwnerId, RunId, TaskId};
use makima_store::{FeedScope, StoreError, runs, tasks};
use makima_wire::{Delta, DeltaKind};
use std::collections::{HashMap, VecDeque};
use tokio::sync::broadcast;

/// A piece, and which feeds want it.
#[derive(Debug, Clone)]
pub(crate) struct LiveDelta {
    pub(crate) contract: Option<ContractId>,
    pub(crate) delta: Delta,
}

impl LiveDelta {
    /// Whether a feed of `scope` tells of it.
    pub(crate) fn is_in(&self, scope: FeedScope) -> bool {
        match scope {
            FeedScope::Owner => true,
            FeedScope::Contract(contract) => self.contract == Some(contract),
            FeedScope::Task(task) => self.delta.task_id == task,
        }
    }
}

/// A piece, as a daemon tells it.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) run: RunId,
    /// The run's entry that comes before it.
    pub(crate) after: u64,
    pub(crate) message: MessageId,
    pub(crate) kind: DeltaKind,
    pub(crate) text: String,
}

/// Pieces that wait for what was said before them: what is stored has a longer way.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    waiting: VecDeque<Piece>,
    /// The newest entry that is stored, of each run that was heard of.
    stored: HashMap<RunId, u64>,
    /// Which task and contract each run belongs to.
    of: HashMap<RunId, (TaskId, Option<ContractId>)>,
}

/// How many pieces may wait; of more, the oldest are dropped, as they may be.
const WAITING: usize = 1024;

impl Pieces {
    /// These wait now.
    pub(crate) fn wait(&mut self, pieces: impl Iterator<Item = Piece>) {
        self.waiting.extend(pieces);
        let surplus = self.waiting.len().saturating_sub(WAITING);
        self.waiting.drain(..surplus);
    }

    /// The run's entries up to `n` are stored.
    pub(crate) fn reached(&mut self, run: RunId, n: u64) {
        self.stored.insert(run, n);
    }
}

impl App {
    /// The pieces of all owners, from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<(OwnerId, LiveDelta)> {
        self.0.live.subscribe()
    }

    /// Whether anybody listens.
    pub(crate) fn is_listened_to(&self) -> bool {
        self.0.live.receiver_count() > 0
    }

    /// Passes on the pieces whose time has come.
    pub(crate) async fn pass_on(&self, owner: OwnerId, pieces: &mut Pieces) {
        for piece in std::mem::take(&mut pieces.waiting) {
            if !pieces.of.contains_key(&piece.run) {
                match self.begin_to_hear(owner, piece.run, pieces).await {
                    Ok(true) => {}
                    // Nobody's, or the database is away: pieces may be missed.
                    Ok(false) | Err(_) => continue,
                }
            }
            if pieces.stored.get(&piece.run).is_none_or(|stored| *stored < piece.after) {
                pieces.waiting.push_back(piece);
                continue;
            }
            let Some((task_id, contract)) = pieces.of.get(&piece.run).copied() else { continue };
            let delta = Delta { task_id, message_id: piece.message, kind: piece.kind, text: piece.text };
            // Nobody listening is no error.
            let _ = self.0.live.send((owner, LiveDelta { contract, delta }));
        }
    }

    async fn begin_to_hear(
        &self,
        owner: OwnerId,
        run: RunId,
        pieces: &mut Pieces,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db().read().await?;
        let Some(run) = runs::get(&mut tx, owner, run).await? else { return Ok(false) };
        let Some(task) = tasks::get(&mut tx, owner, run.task).await? else { return Ok(false) };
        pieces.of.insert(run.id, (task.id, task.contract));
        pieces.stored.entry(run.id).or_insert(u64::try_from(run.last_entry).unwrap_or(0));
        Ok(true)
    }

    /// What a feed of this contract or task tells of; 404 where there is none.
    pub(crate) async fn feed_scope(
        &self,
        by: Caller,
        contract: Option<ContractId>,
        task: Option<TaskId>,
    ) -> Result<FeedScope, ApiError> {
        let mut tx = self.db().read().await?;
        if let Some(id) = contract {
            super::contracts::existing_contract(&mut tx, by.owner, id).await?;
        }
        let Some(id) = task else {
            return Ok(contract.map_or(FeedScope::Owner, FeedScope::Contract));
        };
        let task = super::tasks::existing(&mut tx, by.owner, id).await?;
        if contract.is_some() && task.contract != contract {
            return Err(ApiError::not_found("task of that contract"));
        }
        Ok(FeedScope::Task(id))
    }
}
