//! Moving the head of a conversation: back to a snapshot, and by an undo.

use super::{App, Intent};
use crate::{app::tasks::existing, caller::Caller, error::ApiError};
use makima_model::{
    Branch, BranchReason, Circumstances, Head, Operation, OperationKind, Position, SnapshotId, TaskId,
    branch::settle,
};
use makima_store::{StoreError, Task, Tx, conversations, operations::Ending, snapshots, tasks};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;

/// What was asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    snapshot_id: SnapshotId,
    stop: bool,
}

impl App {
    /// Has a task's conversation go on from where it stood when a snapshot was taken.
    pub(crate) async fn restore_snapshot(
        &self,
        by: Caller,
        id: TaskId,
        snapshot: SnapshotId,
        stop: bool,
    ) -> Result<Operation, ApiError> {
        let until = Instant::now() + self.settings().patience;
        if let Some(operation) = by.has_done() {
            return self.come_to(by.owner, operation, until).await;
        }
        let mut tx = self.begin_operation().await?;
        let task = existing(&mut tx, by.owner, id).await?;
        let found = snapshots::get(&mut tx, by.owner, snapshot).await?.filter(|found| found.task == id);
        found.ok_or_else(|| ApiError::not_found("snapshot"))?;
        self.hold_contract(&mut tx, by.owner, task.contract).await?;
        let intent = Intent {
            kind: OperationKind::Restore,
            task: Some(id),
            contract: task.contract,
            request: json!(Request { snapshot_id: snapshot, stop }),
            before: standing(head(&task)),
            undoes: None,
        };
        let operation = self.prepare(&mut tx, by, intent).await?;
        self.may_begin(&mut tx, by.owner, (Some(id), None), stop).await?;
        self.advance(&mut tx, by.owner, operation.id).await?;
        self.carried_out(tx, operation, until).await
    }

    /// Moves the head to the snapshot, once no agent works.
    pub(super) async fn restore(
        &self,
        tx: &mut Tx,
        operation: &Operation,
    ) -> Result<Option<Ending>, StoreError> {
        if self.still_works(tx, operation).await? {
            return Ok(None);
        }
        let snapshot = match serde_json::from_value(operation.request.clone()) {
            Ok(Request { snapshot_id, .. }) => snapshots::get(tx, operation.owner, snapshot_id).await?,
            Err(_) => None,
        };
        let Some(snapshot) = snapshot else {
            return Ok(Some(Ending::Failed("the snapshot is gone".to_owned())));
        };
        self.move_head(tx, operation, snapshot.position, BranchReason::Restored).await
    }

    /// Begins a branch at a position, from which the task's conversation goes on. What it had stays on its branches.
    pub(super) async fn move_head(
        &self,
        tx: &mut Tx,
        operation: &Operation,
        to: Position,
        reason: BranchReason,
    ) -> Result<Option<Ending>, StoreError> {
        let owner = operation.owner;
        let task = match operation.task {
            Some(id) => tasks::get(tx, owner, id).await?,
            None => None,
        };
        let Some(task) = task else {
            return Ok(Some(Ending::Failed("the task is gone".to_owned())));
        };
        let lineage = conversations::lineage(tx, owner, to.branch).await?;
        let base = settle(&lineage, to)?;
        let now = self.clock().now();
        let branch = Branch {
            id: self.clock().new_id(),
            base: Some(base),
            head_seq: base.seq,
            reason,
            created_at: now,
        };
        conversations::insert(tx, owner, task.id, &branch).await?;
        tasks::set_conversation(tx, owner, task.id, branch.id, now).await?;
        self.note_task(tx, operation, &task, "conversation_moved").await?;
        Ok(Some(Ending::Done { before: Some(standing(head(&task))), after: standing(branch.head().into()) }))
    }
}

/// Where a task's conversation stands.
pub(super) fn head(task: &Task) -> Head {
    Head { branch_id: task.conversation, message_count: task.message_count }
}

fn standing(head: Head) -> Circumstances {
    Circumstances { conversation: Some(head), ..Circumstances::default() }
}
