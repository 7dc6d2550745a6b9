//! Erasing tasks and contracts for good, on the server and on their daemons.

use super::{App, abandon::away, refusal};
use makima_model::{Circumstances, ContractId, DaemonId, EventKind, Operation, OwnerId, Phase, TaskId};
use makima_store::{
    CommandState, StoreError, Tx, blobs, commands, contracts, erase,
    events::{self, NewHistory},
    operations::{self, Ending},
    runs, trash,
};
use makima_wire::frame::Command;
use serde_json::json;
use std::collections::BTreeSet;

impl App {
    /// Erases what the operation is on: it goes into the trash once no agent works on it, then the daemons erase what they have, and
    /// last the rows go.
    pub(super) async fn purge(
        &self,
        tx: &mut Tx,
        operation: &Operation,
    ) -> Result<Option<Ending>, StoreError> {
        if self.still_works(tx, operation).await? {
            return Ok(None);
        }
        let owner = operation.owner;
        let phase = self.phase_before(tx, owner, operation.contract).await?;
        let erased = match (operation.task, operation.contract) {
            (Some(task), _) => vec![task],
            (None, Some(contract)) => trash::tasks_of_contract(tx, owner, contract).await?,
            (None, None) => Vec::new(),
        };
        let told: Vec<_> = commands::of_operation(tx, owner, operation.id)
            .await?
            .into_iter()
            // Those of a run told it to stop.
            .filter(|command| command.run.is_none())
            .collect();
        let waits = told.is_empty() && self.tell_daemons(tx, operation, &erased).await?;
        // What is erased at once has no place in the timeline but the word that it is.
        self.put_into_trash(tx, operation, waits).await?;
        if waits {
            return Ok(None);
        }
        if told.iter().any(|command| !command.state.is_finished()) {
            return Ok(None);
        }
        if let Some(failed) = told.iter().find(|command| command.state == CommandState::Failed) {
            let why = refusal(failed).unwrap_or_default();
            self.take_out_of_trash(tx, operation, operation.id).await?;
            return Ok(Some(Ending::Failed(format!(
                "its daemon could not erase what it has, so nothing was erased: {why}"
            ))));
        }
        let mut heirs = BTreeSet::new();
        for task in &erased {
            heirs.extend(erase::task(tx, owner, *task, operation.id, self.clock().now()).await?);
        }
        heirs.retain(|heir| !erased.contains(heir));
        if let (None, Some(contract)) = (operation.task, operation.contract) {
            erase::contract(tx, owner, contract, operation.id).await?;
        }
        self.note_purge(tx, operation, phase);
        let after = Circumstances {
            deleted: Some(true),
            erased: Some(true),
            tasks: operation.task.is_none().then_some(erased),
            handed_over_to: (!heirs.is_empty()).then(|| heirs.into_iter().collect()),
            ..Circumstances::default()
        };
        Ok(Some(Ending::Done { before: None, after }))
    }

    /// Has each daemon that tasks ran on erase what it has of them. Whether there is any to wait for: one that is away is not, once
    /// an earlier erasure was given up. It erases what it has should it come back.
    async fn tell_daemons(
        &self,
        tx: &mut Tx,
        operation: &Operation,
        erased: &[TaskId],
    ) -> Result<bool, StoreError> {
        let given_up = operations::was_given_up(tx, operation).await?;
        let mut waits = false;
        for id in erased {
            let runs = runs::of_task(tx, operation.owner, *id).await?;
            let daemons: BTreeSet<DaemonId> = runs.iter().map(|run| run.daemon).collect();
            for daemon in daemons {
                let purge = Command::PurgeTask { task: *id };
                if given_up && away(tx, operation.owner, daemon).await?.is_some() {
                    self.queue(tx, operation.owner, daemon, None, &purge).await?;
                } else {
                    self.queue_for(tx, operation, daemon, None, &purge).await?;
                    waits = true;
                }
            }
        }
        Ok(waits)
    }

    async fn phase_before(
        &self,
        tx: &mut Tx,
        owner: OwnerId,
        contract: Option<ContractId>,
    ) -> Result<Option<Phase>, StoreError> {
        let Some(contract) = contract else { return Ok(None) };
        Ok(contracts::get(tx, owner, contract).await?.map(|contract| contract.phase))
    }

    /// What the timeline tells of what is gone: that it is, and no more.
    fn note_purge(&self, tx: &mut Tx, operation: &Operation, phase: Option<Phase>) {
        let (subtype, kind, contract) = match operation.task {
            Some(_) => ("task_purged", EventKind::Task, operation.contract),
            None => ("contract_purged", EventKind::Phase, None),
        };
        let mut data = json!({ "operationId": operation.id });
        match (operation.task, operation.contract) {
            (Some(task), _) => data["taskId"] = json!(task),
            (None, contract) => data["contractId"] = json!(contract),
        }
        events::append_history(
            tx,
            NewHistory {
                id: self.clock().new_id(),
                owner: operation.owner,
                contract,
                task: None,
                kind,
                subtype: subtype.to_owned(),
                phase,
                data,
                created_at: self.clock().now(),
            },
        );
    }

    /// Removes the files of blobs that nobody has any more. A blob that comes anew meanwhile is kept: whoever keeps one looks for its
    /// file once more when its row is there.
    pub(super) async fn sweep_blobs(&self) -> Result<(), StoreError> {
        let mut tx = self.db().read().await?;
        let erased = blobs::erased(&mut tx).await?;
        drop(tx);
        for hash in erased {
            let Ok(aside) = self.blobs().put_aside(&hash).await.inspect_err(|error| {
                tracing::warn!(hash, "a blob could not be removed: {}", crate::error::chain(Some(error)));
            }) else {
                continue;
            };
            let mut tx = self.db().begin().await?;
            let is_kept = blobs::is_kept(&mut tx, &hash).await?;
            if let Err(error) = aside.settle(is_kept).await {
                tracing::warn!(hash, "a blob could not be removed: {}", crate::error::chain(Some(&error)));
                continue;
            }
            blobs::swept(&mut tx, &hash).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
