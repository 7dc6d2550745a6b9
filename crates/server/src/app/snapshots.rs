//! Snapshots of conversations: taken by hand, listed, read.

use super::{App, Listed, Messages, lists, tasks::existing};
use crate::{caller::Caller, cursor::ListMark, error::ApiError};
use makima_model::{Position, SnapshotId, SnapshotType, TaskId};
use makima_store::{
    Reader, conversations,
    snapshots::{self, Snapshot},
};
use makima_wire::List;
use serde_json::{Map, Value};

/// The most bytes that the metadata of a snapshot has as JSON.
const METADATA: usize = 64 << 10;
/// How deep it is nested at most.
const DEPTH: usize = 32;

/// A snapshot, and the conversation as it was.
pub(crate) struct SnapshotView {
    pub(crate) snapshot: Snapshot,
    pub(crate) messages: Messages,
}

impl App {
    /// Keeps where the conversation of a task stands now.
    pub(crate) async fn take_snapshot(
        &self,
        by: Caller,
        id: TaskId,
        metadata: Option<Map<String, Value>>,
    ) -> Result<Snapshot, ApiError> {
        let metadata = metadata.map(described).transpose()?;
        if let Some(id) = by.has_done() {
            let mut tx = self.db().read().await?;
            let taken = snapshots::get(&mut tx, by.owner, id).await?;
            return taken.ok_or_else(|| ApiError::not_found("snapshot"));
        }
        let mut tx = self.db().begin().await?;
        let task = existing(&mut tx, by.owner, id).await?;
        let snapshot = Snapshot {
            id: self.clock().new_id(),
            owner: by.owner,
            task: id,
            checkpoint: None,
            kind: SnapshotType::Manual,
            position: Position { branch: task.conversation, seq: task.message_count },
            metadata,
            created_at: self.clock().now(),
        };
        snapshots::insert(&mut tx, &snapshot).await?;
        self.note(&mut tx, by, snapshot.id).await?;
        tx.commit().await?;
        // As it is kept: PostgreSQL has no NUL in text.
        let mut tx = self.db().read().await?;
        snapshots::get(&mut tx, by.owner, snapshot.id).await?.ok_or_else(|| ApiError::not_found("snapshot"))
    }

    /// A page of a task's snapshots.
    pub(crate) async fn snapshots(
        &self,
        by: Caller,
        id: TaskId,
        list: &List,
    ) -> Result<Listed<Snapshot>, ApiError> {
        let mark = ListMark::new("snapshots", by.owner, list.order, &[&id.to_string()]);
        let seek = lists::seek(list, mark)?;
        let mut tx = self.db().read().await?;
        existing(&mut tx, by.owner, id).await?;
        Ok(lists::listed(snapshots::list(&mut tx, by.owner, id, seek).await?, mark))
    }

    /// A snapshot of a task, and the conversation as it was.
    pub(crate) async fn snapshot(
        &self,
        by: Caller,
        task: TaskId,
        id: SnapshotId,
    ) -> Result<SnapshotView, ApiError> {
        let mut tx = self.db().read().await?;
        existing(&mut tx, by.owner, task).await?;
        let snapshot = snapshots::get(&mut tx, by.owner, id).await?.filter(|snapshot| snapshot.task == task);
        let snapshot = snapshot.ok_or_else(|| ApiError::not_found("snapshot"))?;
        let at = snapshot.position;
        let lineage = conversations::lineage(&mut tx, by.owner, at.branch).await?;
        let reader = Reader::new(self.db(), by.owner, &lineage, at, 0..at.seq)?;
        let mut messages = Messages::of(reader);
        messages.read_ahead(&mut tx).await?;
        Ok(SnapshotView { snapshot, messages })
    }
}

/// What somebody says about a snapshot, if it has a size that can be kept.
fn described(metadata: Map<String, Value>) -> Result<Value, ApiError> {
    let metadata = Value::Object(metadata);
    let (bytes, depth) = (metadata.to_string().len(), depth(&metadata));
    if bytes > METADATA {
        return Err(ApiError::unprocessable(format!(
            "metadata has {bytes} bytes as JSON; at most {METADATA} are kept"
        )));
    }
    if depth > DEPTH {
        return Err(ApiError::unprocessable(format!(
            "metadata is nested {depth} deep; at most {DEPTH} is kept"
        )));
    }
    Ok(metadata)
}

/// How many objects and lists stand inside each other. That of anything parsed is small: the parser has a limit of its own.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn depth_counts_what_stands_inside_each_other() {
        for (value, levels) in [(json!(1), 0), (json!({}), 1), (json!({"a": [1, {"b": []}], "c": {}}), 4)] {
            assert_eq!(depth(&value), levels, "{value}");
        }
    }
}
