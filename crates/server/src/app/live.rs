//! What streams and is never stored: pieces of messages that are not complete yet.

use super::App;
use crate::{caller::Caller, error::ApiError};
use makima_model::{ContractId, MessageId, OwnerId, RunId, TaskId};
use makima_store::{FeedScope, StoreError, contracts, runs, tasks};
use makima_wire::{Delta, DeltaKind};
use std::collections::HashMap;
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

/// Which task each run of a connection belongs to, so that a piece costs no look into the database.
#[derive(Debug, Default)]
pub(crate) struct KnownRuns(HashMap<RunId, (TaskId, Option<ContractId>)>);

impl App {
    /// The pieces of all owners, from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<(OwnerId, LiveDelta)> {
        self.0.live.subscribe()
    }

    /// Passes a piece on to whoever listens.
    pub(crate) async fn pass_on(
        &self,
        owner: OwnerId,
        known: &mut KnownRuns,
        run: RunId,
        (message_id, kind, text): (Option<MessageId>, DeltaKind, String),
    ) -> Result<(), StoreError> {
        if self.0.live.receiver_count() == 0 {
            return Ok(());
        }
        let (task_id, contract) = match known.0.get(&run) {
            Some(found) => *found,
            None => {
                let mut tx = self.db().read().await?;
                let Some(row) = runs::get(&mut tx, owner, run).await? else { return Ok(()) };
                let Some(task) = tasks::get(&mut tx, owner, row.task).await? else { return Ok(()) };
                *known.0.entry(run).insert_entry((task.id, task.contract)).get()
            }
        };
        let delta = Delta { task_id, message_id, kind, text };
        // Nobody listening is no error.
        let _ = self.0.live.send((owner, LiveDelta { contract, delta }));
        Ok(())
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
            contracts::get(&mut tx, by.owner, id).await?.ok_or_else(|| ApiError::not_found("contract"))?;
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
