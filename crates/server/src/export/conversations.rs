//! Conversations of an archive: each branch once, with the messages and the agent's own lines that are its own. What other tasks'
//! branches have of it that are not exported comes with it, as far as it is needed.

use super::{lines::Lines, spool::Folder};
use crate::{
    app::Messages,
    error::ApiError,
    routes::shown::{self, PassedOn},
};
use makima_model::{Branch, BranchId, NativeLine, OwnerId, Position, TaskId};
use makima_store::{Db, Reader, conversations::History, native::LineReader};
use makima_wire::ExportedFile;
use serde::Serialize;
use std::collections::HashMap;

/// All branches that are exported.
#[derive(Default)]
pub(super) struct Conversations {
    parts: Vec<Part>,
    places: HashMap<BranchId, usize>,
    /// Of each task: its branches, and all that these are based on.
    lineages: Vec<Vec<Branch>>,
}

/// A branch, up to where it is exported.
pub(super) struct Part {
    /// The task that it is read of.
    pub(super) task: TaskId,
    pub(super) branch: Branch,
    lineage: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageLine {
    task_id: TaskId,
    branch_id: BranchId,
    #[serde(flatten)]
    message: PassedOn,
}

/// A line of the agent's own record, as it wrote it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordLine<'a> {
    task_id: TaskId,
    branch_id: BranchId,
    /// Of the message that it belongs to.
    index: i64,
    /// The session's file; the main one is the empty name.
    file: &'a str,
    #[serde(flatten)]
    line: &'a NativeLine,
}

impl Conversations {
    /// The conversation of a task.
    pub(super) fn add(&mut self, task: TaskId, history: History) {
        let lineage = self.lineages.len();
        let own: Vec<BranchId> = history.own.iter().map(|branch| branch.id).collect();
        for branch in &history.own {
            self.put(Part { task, branch: branch.clone(), lineage }, true);
        }
        for branch in history.all.iter().filter(|branch| !own.contains(&branch.id)) {
            let bases = history.all.iter().filter_map(|branch| branch.base);
            let needed = bases.filter(|base| base.branch == branch.id).map(|base| base.seq).max();
            let head_seq = needed.unwrap_or(0);
            self.put(Part { task, branch: Branch { head_seq, ..branch.clone() }, lineage }, false);
        }
        self.lineages.push(history.all);
    }

    /// A branch that another task needs too is exported as far as the one that needs most of it.
    fn put(&mut self, part: Part, is_own: bool) {
        match self.places.get(&part.branch.id).and_then(|place| self.parts.get_mut(*place)) {
            Some(known) if is_own || known.branch.head_seq < part.branch.head_seq => *known = part,
            Some(_) => {}
            None => {
                self.places.insert(part.branch.id, self.parts.len());
                self.parts.push(part);
            }
        }
    }

    /// The branches, those of one task together.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter()
    }

    /// `messages.jsonl`: of each branch its own, in their order.
    pub(super) async fn messages(
        &self,
        db: &Db,
        owner: OwnerId,
        folder: &Folder,
    ) -> Result<ExportedFile, ApiError> {
        let mut file = Lines::create(folder, "messages.jsonl").await?;
        for part in &self.parts {
            let (branch, start) = (&part.branch, part.branch.base_seq());
            let Some(lineage) = self.lineages.get(part.lineage) else { continue };
            let reader = Reader::new(db, owner, lineage, branch.head(), start..branch.head_seq)?;
            let begins = Position { branch: branch.id, seq: start };
            let mut messages = Messages::of(reader).looking_back(db, owner, lineage.clone(), begins);
            let mut read = start;
            loop {
                let piece = messages.next().await?;
                if piece.is_empty() {
                    break;
                }
                for shown in piece {
                    read += 1;
                    let (task_id, branch_id) = (shown.message.task, shown.message.branch);
                    let message = shown::passed_on(shown);
                    file.push(&MessageLine { task_id, branch_id, message }).await?;
                }
            }
            if read < branch.head_seq {
                // Nothing else takes messages away.
                return Err(ApiError::not_found("task any more: it was erased while it was exported"));
            }
        }
        Ok(file.finish().await?)
    }

    /// `native.jsonl`: the agents' own records, line by line.
    pub(super) async fn native(
        &self,
        db: &Db,
        owner: OwnerId,
        folder: &Folder,
    ) -> Result<ExportedFile, ApiError> {
        let mut file = Lines::create(folder, "native.jsonl").await?;
        for part in &self.parts {
            let mut reader = LineReader::of_branch(db, owner, &part.branch);
            loop {
                let records = reader.records().await?;
                if records.is_empty() {
                    break;
                }
                for record in records {
                    for line in &record.lines {
                        let line = RecordLine {
                            task_id: part.task,
                            branch_id: part.branch.id,
                            index: record.seq,
                            file: &record.file,
                            line,
                        };
                        file.push(&line).await?;
                    }
                }
            }
        }
        Ok(file.finish().await?)
    }
}
