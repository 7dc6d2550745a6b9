//! Tasks as they are shown, and how their status changes.

use super::{App, Listed, contracts::existing_contract, lists, operations::no_task, texts};
use crate::{caller::Caller, cursor::ListMark, error::ApiError};
use makima_model::{
    Clock, ContractId, EventKind, OwnerId, Phase, Question, SnapshotId, TaskEventKind, TaskId, TaskStatus,
    Timestamp,
};
use makima_store::{
    StoreError, Tx, contracts,
    events::{self, NewHistory, NewTaskEvent},
    questions, snapshots,
    tasks::{self, Filter, Task},
};
use makima_wire::{ListTasks, OfContract};
use serde_json::{Value, json};

/// A task, and what stands beside it when it is shown.
pub(crate) struct TaskView {
    pub(crate) task: Task,
    pub(crate) question: Option<Question>,
    pub(crate) snapshot: Option<SnapshotId>,
}

impl App {
    /// The task as it is shown.
    pub(crate) async fn task(&self, owner: OwnerId, id: TaskId) -> Result<TaskView, ApiError> {
        task_view(&mut self.db().read().await?, owner, id).await
    }

    /// A page of tasks.
    pub(crate) async fn tasks(&self, by: Caller, wanted: &ListTasks) -> Result<Listed<TaskView>, ApiError> {
        let list = wanted.list();
        let (contract, loose) = match wanted.contract_id {
            None => (None, false),
            Some(OfContract::None) => (None, true),
            Some(OfContract::One(id)) => (Some(id), false),
        };
        let filter = Filter {
            loose,
            status: wanted.status.0.clone(),
            agent: wanted.agent.as_deref().map(|agent| texts::name("agent", agent)).transpose()?,
            daemon: wanted.daemon_id,
            text: wanted.q.as_deref().map(texts::sought).transpose()?,
        };
        let mark = ListMark::new(
            "tasks",
            by.owner,
            list.order,
            &[&contract.map(|id| id.to_string()).unwrap_or_default(), &format!("{filter:?}")],
        );
        let mut tx = self.db().read().await?;
        if let Some(contract) = contract {
            existing_contract(&mut tx, by.owner, contract).await?;
        }
        let page = if filter == Filter::default() {
            lists::listed(tasks::list(&mut tx, by.owner, contract, lists::seek(&list, mark)?).await?, mark)
        } else {
            let (seek, total) = lists::seek_counted(&list, mark)?;
            lists::listed_counted(
                tasks::filtered(&mut tx, by.owner, contract, &filter, seek, total).await?,
                mark,
            )
        };
        let mut rows = Vec::with_capacity(page.rows.len());
        for task in page.rows {
            rows.push(view(&mut tx, task).await?);
        }
        Ok(Listed { rows, total: page.total, cursor: page.cursor })
    }
}

impl App {
    /// The contract of a task of the owner's.
    pub(crate) async fn contract_of_task(
        &self,
        owner: OwnerId,
        id: TaskId,
    ) -> Result<Option<ContractId>, StoreError> {
        let mut tx = self.db().read().await?;
        Ok(tasks::get(&mut tx, owner, id).await?.and_then(|task| task.contract))
    }
}

/// The task, or 404.
pub(crate) async fn existing(tx: &mut Tx, owner: OwnerId, id: TaskId) -> Result<Task, ApiError> {
    match tasks::get(tx, owner, id).await? {
        Some(task) => Ok(task),
        None => Err(no_task(tx, owner, id).await?),
    }
}

/// The task, which nobody else changes until the end of the transaction, or 404.
pub(super) async fn locked(tx: &mut Tx, owner: OwnerId, id: TaskId) -> Result<Task, ApiError> {
    match tasks::lock(tx, owner, id).await? {
        Some(task) => Ok(task),
        None => Err(no_task(tx, owner, id).await?),
    }
}

/// The task as it is shown, or 404.
pub(crate) async fn task_view(tx: &mut Tx, owner: OwnerId, id: TaskId) -> Result<TaskView, ApiError> {
    let task = existing(tx, owner, id).await?;
    Ok(view(tx, task).await?)
}

async fn view(tx: &mut Tx, task: Task) -> Result<TaskView, StoreError> {
    // Only a waiting task has a question, and most lists have none.
    let question = match task.status {
        TaskStatus::Waiting => questions::pending(tx, task.owner, task.id).await?.into_iter().next(),
        _ => None,
    };
    let snapshot = snapshots::latest_of_task(tx, task.owner, task.id).await?.map(|snapshot| snapshot.id);
    Ok(TaskView { question: question.map(|row| row.question), task, snapshot })
}

/// A change of a task's status: the row and the events that tell of it, in one transaction.
pub(crate) struct TaskChange<'a> {
    pub(crate) clock: &'a Clock,
    /// When it happened: what a daemon tells of may be a while ago.
    pub(crate) at: Timestamp,
    /// The run in which it happens; 0 outside one.
    pub(crate) run_number: i64,
    /// The contract's phase at that moment.
    pub(crate) phase: Option<Phase>,
}

impl TaskChange<'_> {
    /// Takes `task` to `next`, or to `cancelled` where it would end and was cancelled while it ran. Nothing happens where that is no step that a task may take; whether it did is answered.
    pub(crate) async fn become_status(
        &self,
        tx: &mut Tx,
        task: &mut Task,
        next: TaskStatus,
        reason: Option<String>,
    ) -> Result<bool, StoreError> {
        let is_cancelled = task.cancelling && next.is_over();
        let (next, reason) = if is_cancelled { (TaskStatus::Cancelled, None) } else { (next, reason) };
        if !task.status.may_become(next) {
            return Ok(false);
        }
        let now = self.clock.now();
        if is_cancelled {
            tasks::set_cancelling(tx, task.owner, task.id, false, now).await?;
            task.cancelling = false;
        }
        let previous = task.status;
        if !tasks::set_status(tx, task.owner, task.id, previous, next, reason.as_deref(), now).await? {
            return Ok(false);
        }
        task.status = next;
        task.status_reason = reason;
        let mut data = json!({ "previousStatus": previous, "newStatus": next });
        if let Some(reason) = &task.status_reason {
            data["reason"] = json!(reason);
        }
        events::append_task_event(
            tx,
            NewTaskEvent {
                id: self.clock.new_id(),
                owner: task.owner,
                task: task.id,
                run_number: self.run_number,
                kind: TaskEventKind::StatusChange,
                previous_status: Some(previous),
                new_status: Some(next),
                data: task.status_reason.as_ref().map_or(json!({}), |reason| json!({ "reason": reason })),
                created_at: self.at,
            },
        );
        let subtype = if next == TaskStatus::Completed { "task_completed" } else { "task_status" };
        self.history(tx, task, EventKind::Task, subtype, data);
        Ok(true)
    }

    /// Notes an entry of the timeline.
    pub(crate) fn history(&self, tx: &mut Tx, task: &Task, kind: EventKind, subtype: &str, data: Value) {
        events::append_history(
            tx,
            NewHistory {
                id: self.clock.new_id(),
                owner: task.owner,
                contract: task.contract,
                task: Some(task.id),
                kind,
                subtype: subtype.to_owned(),
                phase: self.phase,
                data,
                created_at: self.at,
            },
        );
    }
}

/// The phase of the task's contract, if it has one.
pub(crate) async fn phase_of(tx: &mut Tx, task: &Task) -> Result<Option<Phase>, StoreError> {
    Ok(match task.contract {
        Some(contract) => contracts::get(tx, task.owner, contract).await?.map(|contract| contract.phase),
        None => None,
    })
}
