//! The operation that is meant by a word; and what is meant by one that may lie in the trash, where only operations tell of it.

use super::{ContractRef, Named, TaskRef, only};
use crate::{
    failure::{Exit, Failure},
    pages::{all_operations, all_snapshots},
};
use makima_client::Client;
use makima_model::{ContractId, OperationId, SnapshotId, TaskId};
use makima_wire::{Operation, Snapshot};
use std::{collections::BTreeSet, convert::Infallible, str::FromStr};

/// A word that names an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OperationRef(String);

/// A word that names a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SnapshotRef(String);

impl FromStr for OperationRef {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(Self(word.to_owned()))
    }
}

impl FromStr for SnapshotRef {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(Self(word.to_owned()))
    }
}

impl Named for Operation {
    const KIND: &'static str = "an operation";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn name(&self) -> &str {
        self.kind.as_str()
    }
}

impl Named for Snapshot {
    const KIND: &'static str = "a snapshot";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn name(&self) -> &str {
        self.snapshot_type.as_str()
    }
}

impl OperationRef {
    /// The operation, if exactly one is meant.
    pub(crate) async fn find(&self, client: &Client) -> Result<Operation, Failure> {
        if let Ok(id) = self.0.parse::<OperationId>() {
            return Ok(client.operation(id).await?);
        }
        only(&self.0, all_operations(client).await?)
    }
}

impl SnapshotRef {
    /// The snapshot of a task, if exactly one is meant.
    pub(crate) async fn find(&self, client: &Client, task: TaskId) -> Result<Snapshot, Failure> {
        if let Ok(id) = self.0.parse::<SnapshotId>() {
            return Ok(client.snapshot(task, id).await?.snapshot);
        }
        only(&self.0, all_snapshots(client, task).await?)
    }
}

/// Something of which an operation tells no more than its id.
struct Gone<T>(T);

macro_rules! gone {
    ($id:ident, $kind:literal) => {
        impl Named for Gone<$id> {
            const KIND: &'static str = $kind;

            fn id(&self) -> String {
                self.0.to_string()
            }

            fn name(&self) -> &str {
                ""
            }
        }
    };
}
gone!(TaskId, "a task");
gone!(ContractId, "a contract");

impl TaskRef {
    /// The same, where it may lie in the trash: by its id alone then.
    pub(crate) async fn find_even_deleted(&self, client: &Client) -> Result<TaskId, Failure> {
        if let Ok(id) = self.word().parse::<TaskId>() {
            return Ok(id);
        }
        let found = self.find(client).await.map(|task| task.id);
        or_gone(found, self.word(), client, |operation| operation.task_id).await
    }
}

impl ContractRef {
    /// The same, where it may lie in the trash: by its id alone then.
    pub(crate) async fn find_even_deleted(&self, client: &Client) -> Result<ContractId, Failure> {
        if let Ok(id) = self.word().parse::<ContractId>() {
            return Ok(id);
        }
        let found = self.find(client).await.map(|contract| contract.id);
        or_gone(found, self.word(), client, |operation| operation.contract_id).await
    }
}

async fn or_gone<T: Ord + Copy>(
    found: Result<T, Failure>,
    word: &str,
    client: &Client,
    of: impl Fn(&Operation) -> Option<T>,
) -> Result<T, Failure>
where
    Gone<T>: Named,
{
    match found {
        Err(missing) if missing.exit == Exit::NotFound => {
            let told: BTreeSet<T> = all_operations(client).await?.iter().filter_map(of).collect();
            only(word, told.into_iter().map(Gone)).map(|gone| gone.0)
        }
        found => found,
    }
}
