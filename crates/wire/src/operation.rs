//! Operations.

use crate::{List, Order, Words};
use makima_model::{
    Circumstances, ContractId, OperationId, OperationKind, OperationState, Origin, PrincipalId, TaskId,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// One change that somebody made to history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// How far it has come.
    pub state: OperationState,
    /// The task that it is done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// The contract that it is done to, or that the task belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<ContractId>,
    /// Who asked for it.
    pub principal: PrincipalId,
    /// Where it was asked for.
    pub origin: Origin,
    /// What was asked for.
    #[schema(value_type = Object)]
    pub request: Value,
    /// What it changes, as it was.
    pub before: Circumstances,
    /// What it changed, as it is since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Circumstances>,
    /// The operation that it undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<OperationId>,
    /// The operation that undid it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<OperationId>,
    /// Why it failed, or was abandoned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// A page of operations, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationList {
    /// The rows.
    pub operations: Vec<Operation>,
    /// How many there are in all.
    pub total_count: i64,
    /// Where the next page begins; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Which operations: all conditions that are given hold of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListOperations {
    /// Those on this task, also where it lies in the trash or was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// Those on this contract and on its tasks, also where it lies in the trash or was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<ContractId>,
    /// Those of one of these kinds; repeated or with commas.
    #[param(value_type = Option<Vec<OperationKind>>, inline)]
    #[serde(default, skip_serializing_if = "Words::is_empty")]
    pub kind: Words<OperationKind>,
    /// Those that are in one of these states; repeated or with commas.
    #[param(value_type = Option<Vec<OperationState>>, inline)]
    #[serde(default, skip_serializing_if = "Words::is_empty")]
    pub state: Words<OperationState>,
    /// How many rows at most: 100 unless told, 1000 at most.
    #[param(minimum = 1, maximum = 1000)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page before ended: its `cursor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// `desc`: newest first, as without it. `asc`: oldest first.
    #[param(inline)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

impl ListOperations {
    /// What every list has.
    pub fn list(&self) -> List {
        List { limit: self.limit, cursor: self.cursor.clone(), order: self.order }
    }
}

/// How to delete a task or a contract.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Deletion {
    /// Whether it is erased for good, instead of put into the trash. That can't be undone.
    #[serde(default)]
    pub purge: bool,
    /// Whether agents that work are stopped first.
    #[serde(default)]
    pub stop: bool,
}

/// How to restore a snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestoreSnapshot {
    /// Whether an agent that works is stopped first.
    #[serde(default)]
    pub stop: bool,
}

/// How to undo an operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UndoOperation {
    /// Whether it is undone though things went on since; what came after is kept.
    #[serde(default)]
    pub keep_newer: bool,
    /// Whether an agent that works is stopped first.
    #[serde(default)]
    pub stop: bool,
}
