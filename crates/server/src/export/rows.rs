//! The JSON lines of an archive: everything that the API shows, in the API's own shapes. All of it but the conversations is read in
//! one transaction, so that it is of one moment.

use super::{
    conversations::Conversations,
    lines::Lines,
    spool::{Folder, SpoolError},
    walk::Walk,
};
use crate::{
    app::{contract_view, import_view, task_view},
    error::ApiError,
    routes::{chats, contracts, imports as shown_imports, operations as shown_operations, shown, tasks},
};
use makima_model::{BlobRef, BranchId, Chat, ContractId, OwnerId, RunId, TaskId, Timestamp};
use makima_store::{
    Key, TimelineFilter, TimelineScope, Tx, chats as stored_chats, checkpoints, conversations as stored,
    events, imports, operations, snapshots,
};
use makima_wire::{ExportedCheckpoint, ExportedFile};
use serde::Serialize;
use std::collections::HashSet;

/// A row, and the task that it is of.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfTask<T> {
    task_id: TaskId,
    #[serde(flatten)]
    row: T,
}

/// What of a task's checkpoints is needed again.
pub(super) struct Kept {
    pub(super) checkpoint: ExportedCheckpoint,
    pub(super) run: Option<RunId>,
    pub(super) patch: Option<BlobRef>,
    pub(super) has_changes: bool,
}

/// Reads them, file by file.
pub(super) struct Rows<'a> {
    pub(super) tx: &'a mut Tx,
    pub(super) owner: OwnerId,
    pub(super) folder: &'a Folder,
    pub(super) tasks: &'a [TaskId],
}

impl Rows<'_> {
    async fn file(&self, name: &str) -> Result<Lines, SpoolError> {
        Lines::create(self.folder, name).await
    }

    /// `contract.jsonl`.
    pub(super) async fn contract(&mut self, id: ContractId) -> Result<ExportedFile, ApiError> {
        let mut file = self.file("contract.jsonl").await?;
        file.push(&contracts::shown(contract_view(self.tx, self.owner, id).await?)).await?;
        Ok(file.finish().await?)
    }

    /// `tasks.jsonl`; and when one of them last changed.
    pub(super) async fn tasks(&mut self) -> Result<(ExportedFile, Option<Timestamp>), ApiError> {
        let (mut file, mut newest) = (self.file("tasks.jsonl").await?, None);
        for id in self.tasks {
            let view = task_view(self.tx, self.owner, *id).await?;
            newest = newest.max(Some(view.task.updated_at));
            file.push(&tasks::shown(view)).await?;
        }
        Ok((file.finish().await?, newest))
    }

    /// `checkpoints.jsonl`.
    pub(super) async fn checkpoints(&mut self) -> Result<(ExportedFile, Vec<Kept>), ApiError> {
        let (mut file, mut kept) = (self.file("checkpoints.jsonl").await?, Vec::new());
        for id in self.tasks {
            let mut walk = Walk::<Key>::new();
            while let Some(seek) = walk.next() {
                for row in walk.rows(checkpoints::list(self.tx, self.owner, *id, seek).await?) {
                    kept.push(Kept {
                        checkpoint: ExportedCheckpoint {
                            id: row.made.id,
                            task_id: row.task,
                            checkpoint_number: row.made.number,
                            commit_sha: row.made.commit_sha.clone(),
                        },
                        run: row.run,
                        patch: row.made.patch.clone(),
                        has_changes: !row.made.files_changed.is_empty(),
                    });
                    file.push(&tasks::checkpoints::shown(row)).await?;
                }
            }
        }
        Ok((file.finish().await?, kept))
    }

    /// `snapshots.jsonl`.
    pub(super) async fn snapshots(&mut self) -> Result<ExportedFile, ApiError> {
        let mut file = self.file("snapshots.jsonl").await?;
        for id in self.tasks {
            let mut walk = Walk::<Key>::new();
            while let Some(seek) = walk.next() {
                for row in walk.rows(snapshots::list(self.tx, self.owner, *id, seek).await?) {
                    file.push(&tasks::snapshots::shown(row)).await?;
                }
            }
        }
        Ok(file.finish().await?)
    }

    /// `task_events.jsonl`.
    pub(super) async fn task_events(&mut self) -> Result<ExportedFile, ApiError> {
        let mut file = self.file("task_events.jsonl").await?;
        for id in self.tasks {
            let mut walk = Walk::<i64>::new();
            while let Some(seek) = walk.next() {
                for row in walk.rows(events::of_task(self.tx, self.owner, *id, None, seek).await?) {
                    file.push(&shown::task_event(row)).await?;
                }
            }
        }
        Ok(file.finish().await?)
    }

    /// `imports.jsonl`.
    pub(super) async fn imports(&mut self) -> Result<ExportedFile, ApiError> {
        let mut file = self.file("imports.jsonl").await?;
        for id in self.tasks {
            if let Some(import) = imports::of_task(self.tx, self.owner, *id).await? {
                file.push(&shown_imports::shown(import_view(self.tx, import).await?)).await?;
            }
        }
        Ok(file.finish().await?)
    }

    /// `events.jsonl`: the timeline.
    pub(super) async fn events(&mut self, scope: &TimelineScope) -> Result<ExportedFile, ApiError> {
        let (mut file, filter) = (self.file("events.jsonl").await?, TimelineFilter::default());
        let mut walk = Walk::<Key>::new();
        while let Some(seek) = walk.next() {
            let page = events::timeline(self.tx, self.owner, scope, &filter, seek, Some(0)).await?;
            for row in walk.rows(page) {
                file.push(&shown::history(row)).await?;
            }
        }
        Ok(file.finish().await?)
    }

    /// `operations.jsonl`.
    pub(super) async fn operations(&mut self, of: &operations::Filter) -> Result<ExportedFile, ApiError> {
        let mut file = self.file("operations.jsonl").await?;
        let mut walk = Walk::<Key>::new();
        while let Some(seek) = walk.next() {
            for row in walk.rows(operations::list(self.tx, self.owner, of, seek, Some(0)).await?) {
                file.push(&shown_operations::shown(row)).await?;
            }
        }
        Ok(file.finish().await?)
    }

    /// `chat_conversations.jsonl` and `chat_messages.jsonl`.
    pub(super) async fn chat(&mut self, contract: ContractId) -> Result<[ExportedFile; 2], ApiError> {
        let chat = Chat::Contract(contract);
        let mut begun = self.file("chat_conversations.jsonl").await?;
        let mut said = self.file("chat_messages.jsonl").await?;
        let mut walk = Walk::<Key>::new();
        while let Some(seek) = walk.next() {
            for row in walk.rows(stored_chats::list(self.tx, self.owner, chat, seek).await?) {
                let mut inner = Walk::<Key>::new();
                while let Some(seek) = inner.next() {
                    let page = stored_chats::messages(self.tx, self.owner, chat, row.id, seek).await?;
                    for message in inner.rows(page) {
                        said.push(&chats::message(message)).await?;
                    }
                }
                begun.push(&chats::conversation(chat, row)).await?;
            }
        }
        Ok([begun.finish().await?, said.finish().await?])
    }

    /// `branches.jsonl`.
    pub(super) async fn branches(&mut self) -> Result<(ExportedFile, Conversations), ApiError> {
        let mut file = self.file("branches.jsonl").await?;
        let (mut conversations, mut going_on) = (Conversations::default(), HashSet::<BranchId>::new());
        for id in self.tasks {
            let history = stored::history(self.tx, self.owner, *id).await?;
            going_on.insert(task_view(self.tx, self.owner, *id).await?.task.conversation);
            conversations.add(*id, history);
        }
        for part in conversations.parts() {
            let is_current = going_on.contains(&part.branch.id);
            let row = tasks::conversation::shown(part.branch.clone(), is_current);
            file.push(&OfTask { task_id: part.task, row }).await?;
        }
        Ok((file.finish().await?, conversations))
    }
}
