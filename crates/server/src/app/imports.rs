//! Imports: sessions that agents recorded without us, as tasks that have never run here. Whoever has the files reads them; here
//! is taken what they tell, piece by piece, each once.

mod append;

use super::{App, Listed, lists, operations::no_task, texts};
use crate::{caller::Caller, cursor::ListMark, error::ApiError};
use makima_model::{
    BranchId, EventKind, ImportId, Position, TaskEventKind, TaskId, TaskRole, TaskStatus, Timestamp,
    branch_name, name_from_plan,
};
use makima_store::{
    FilePart, Import, NewHistory, NewTaskEvent, StoreError, Task, Tx, events, imports, tasks,
};
use makima_wire::{Code, CreateImport, FinishImport, List, ListImports};
use serde_json::{Value, json};

/// Why a task stands where it does while its session comes.
const COMING: &str = "its import has not come to the end of the session";
/// Why it stands there when its session ended so.
const IN_A_TURN: &str = "the session ended in the middle of a turn";
/// The hash of an empty file.
const NOTHING: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

/// An import, and where its file ended each time that it was read to its end.
pub(crate) struct ImportView {
    pub(crate) import: Import,
    pub(crate) ends: Vec<FilePart>,
}

impl App {
    /// A page of imports.
    pub(crate) async fn imports(
        &self,
        by: Caller,
        wanted: &ListImports,
    ) -> Result<Listed<ImportView>, ApiError> {
        let session = wanted.session_id.as_deref().map(session_id).transpose()?;
        let list = List { limit: wanted.limit, cursor: wanted.cursor.clone(), order: wanted.order };
        let mark = ListMark::new("imports", by.owner, list.order, &[session.as_deref().unwrap_or_default()]);
        let (seek, total) = lists::seek_counted(&list, mark)?;
        let mut tx = self.db().read().await?;
        let page = imports::list(&mut tx, by.owner, session.as_deref(), seek, total).await?;
        let page = lists::listed_counted(page, mark);
        let mut rows = Vec::with_capacity(page.rows.len());
        for import in page.rows {
            rows.push(view(&mut tx, import).await?);
        }
        Ok(Listed { rows, total: page.total, cursor: page.cursor })
    }

    /// Begins an import: a task, which stands as one that was interrupted until its session is here.
    pub(crate) async fn create_import(
        &self,
        by: Caller,
        wanted: CreateImport,
    ) -> Result<ImportView, ApiError> {
        if let Some(id) = by.has_done() {
            return self.import(by, id).await;
        }
        let session_id = session_id(&wanted.session_id)?;
        if !(0..=1_000_000).contains(&wanted.copy) {
            return Err(ApiError::bad_request("copy must be 0 to 1000000"));
        }
        texts::said("plan", &wanted.plan)?;
        let name = match &wanted.name {
            Some(name) => texts::name("name", name)?,
            None => name_from_plan(&wanted.plan),
        };
        let base_commit =
            wanted.base_commit.as_deref().map(|sha| texts::sha("baseCommit", sha)).transpose()?;
        let started_at = moment("startedAt", wanted.started_at)?;
        let (id, now): (TaskId, _) = (self.clock().new_id(), self.clock().now());
        let task = Task {
            id,
            owner: by.owner,
            contract: None,
            parent: None,
            branch_name: branch_name(&name, id),
            name,
            plan: wanted.plan,
            role: TaskRole::Worker,
            status: TaskStatus::Interrupted,
            status_reason: Some(COMING.to_owned()),
            agent: Some(wanted.source.agent().to_owned()),
            permission_mode: None,
            target_daemon: None,
            daemon: None,
            repository: texts::repository(&wanted.repository)?,
            continue_from: None,
            copied: None,
            base_branch: wanted.base_branch.as_deref().map(texts::branch).transpose()?,
            base_commit: base_commit.map(|sha| sha.as_str().to_owned()),
            worktree_path: None,
            include_uncommitted: false,
            commit_on_finish: true,
            wanted: false,
            cancelling: false,
            out_of_reach: Vec::new(),
            run_number: 0,
            conversation: self.clock().new_id::<BranchId>(),
            message_count: 0,
            total_tokens: 0,
            total_cost: 0.0,
            checkpoint_count: 0,
            last_checkpoint_sha: None,
            checkpoint_message: None,
            created_at: started_at,
            updated_at: now,
            started_at: Some(started_at),
            completed_at: Some(started_at),
        };
        let import = Import {
            id: self.clock().new_id(),
            owner: by.owner,
            source: wanted.source,
            session_id,
            copy: wanted.copy,
            task: id,
            in_trash: false,
            position: Position { branch: task.conversation, seq: 0 },
            reached: FilePart { bytes: 0, digest: NOTHING.to_owned() },
            created_at: now,
            finished_at: None,
            finished_bytes: None,
        };
        let mut tx = self.db().begin().await?;
        if let Some(own) = imports::task_of_session(&mut tx, by.owner, &import.session_id).await? {
            let message = "the session is that of a run of Makima's own: its task has all of it already";
            return Err(ApiError::new(Code::Conflict, message).with(json!({ "taskId": own })));
        }
        tasks::insert(&mut tx, &task).await?;
        if !imports::insert(&mut tx, &import).await? {
            let message = format!("copy {} of this session was begun to be imported before", import.copy);
            return Err(ApiError::new(Code::Conflict, message));
        }
        self.note(&mut tx, by, import.id).await?;
        let story = Story { app: self, task: &task };
        story.status(&mut tx, TaskStatus::Pending, started_at);
        let data = json!({ "name": task.name, "role": task.role, "status": task.status, "importedFrom": import.source });
        story.history(&mut tx, EventKind::Task, "task_created", data, started_at);
        tx.commit().await?;
        Ok(ImportView { import, ends: Vec::new() })
    }

    /// The session is here, as far as its file goes now: its task stands where it ended.
    pub(crate) async fn finish_import(
        &self,
        by: Caller,
        id: ImportId,
        wanted: FinishImport,
    ) -> Result<ImportView, ApiError> {
        if by.has_done::<ImportId>().is_some() {
            return self.import(by, id).await;
        }
        let ended_at = moment("endedAt", wanted.ended_at)?;
        let mut tx = self.db().begin().await?;
        let (import, task) = open(&mut tx, by, id).await?;
        if u64::try_from(import.reached.bytes) != Ok(wanted.bytes) {
            return Err(elsewhere(&import));
        }
        self.note(&mut tx, by, id).await?;
        let now = self.clock().now();
        if imports::finish(&mut tx, by.owner, id, now).await? {
            let (status, reason) = match wanted.interrupted {
                true => (TaskStatus::Interrupted, Some(IN_A_TURN)),
                false => (TaskStatus::Completed, None),
            };
            let ends = imports::end_task(&mut tx, by.owner, task.id, status, reason, (ended_at, now)).await?;
            if ends {
                let previous = task.status;
                let task = Task { status, status_reason: reason.map(str::to_owned), ..task };
                let story = Story { app: self, task: &task };
                if previous != status {
                    story.status(&mut tx, previous, ended_at);
                }
                let mut data = json!({ "previousStatus": previous, "newStatus": status });
                if let Some(reason) = reason {
                    data["reason"] = json!(reason);
                }
                let subtype = if status == TaskStatus::Completed { "task_completed" } else { "task_status" };
                story.history(&mut tx, EventKind::Task, subtype, data, ended_at);
            }
        }
        tx.commit().await?;
        self.import(by, id).await
    }

    async fn import(&self, by: Caller, id: ImportId) -> Result<ImportView, ApiError> {
        let mut tx = self.db().read().await?;
        let import = imports::get(&mut tx, by.owner, id).await?;
        Ok(view(&mut tx, import.ok_or_else(|| ApiError::not_found("import"))?).await?)
    }
}

/// The import as it is shown.
pub(crate) async fn view(tx: &mut Tx, import: Import) -> Result<ImportView, StoreError> {
    let ends = imports::ends(tx, import.owner, import.id).await?;
    Ok(ImportView { import, ends })
}

/// The import and its task, which nobody else changes until the end of the transaction.
async fn open(tx: &mut Tx, by: Caller, id: ImportId) -> Result<(Import, Task), ApiError> {
    let known = imports::get(tx, by.owner, id).await?.ok_or_else(|| ApiError::not_found("import"))?;
    let Some(task) = tasks::lock(tx, by.owner, known.task).await? else {
        return Err(no_task(tx, by.owner, known.task).await?);
    };
    let import = imports::lock(tx, by.owner, id).await?.ok_or_else(|| ApiError::not_found("import"))?;
    Ok((import, task))
}

/// Somebody else went on with it, or this was taken before.
fn elsewhere(import: &Import) -> ApiError {
    let bytes = import.reached.bytes;
    ApiError::new(Code::Conflict, format!("{bytes} bytes of the file are here: go on from there"))
        .with(json!({ "bytes": bytes }))
}

/// An agent's id of a session: one word.
fn session_id(text: &str) -> Result<String, ApiError> {
    let good = (1..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if good {
        return Ok(text.to_owned());
    }
    Err(ApiError::unprocessable("sessionId must have 1 to 200 visible characters of ASCII"))
}

/// A time that was told, within what every time here is.
fn moment(what: &str, at: Timestamp) -> Result<Timestamp, ApiError> {
    let year = at.to_string().get(..5).map(str::to_owned).unwrap_or_default();
    if ("2000-".."9999-").contains(&year.as_str()) {
        return Ok(at);
    }
    Err(ApiError::unprocessable(format!("{what} must lie between the years 2000 and 9998, and is {at}")))
}

/// What is told of an imported task, at the times of its session.
struct Story<'a> {
    app: &'a App,
    task: &'a Task,
}

impl Story<'_> {
    fn status(&self, tx: &mut Tx, previous: TaskStatus, at: Timestamp) {
        let reason = self.task.status_reason.as_ref();
        let data = reason.map_or(json!({}), |reason| json!({ "reason": reason }));
        self.event(tx, TaskEventKind::StatusChange, Some((previous, self.task.status)), data, at);
    }

    fn event(
        &self,
        tx: &mut Tx,
        kind: TaskEventKind,
        change: Option<(TaskStatus, TaskStatus)>,
        data: Value,
        created_at: Timestamp,
    ) {
        let (previous_status, new_status) = change.unzip();
        let event = NewTaskEvent {
            id: self.app.clock().new_id(),
            owner: self.task.owner,
            task: self.task.id,
            run_number: 0,
            kind,
            previous_status,
            new_status,
            data,
            created_at,
        };
        events::append_task_event(tx, event);
    }

    fn history(&self, tx: &mut Tx, kind: EventKind, subtype: &str, data: Value, created_at: Timestamp) {
        let event = NewHistory {
            id: self.app.clock().new_id(),
            owner: self.task.owner,
            contract: None,
            task: Some(self.task.id),
            kind,
            subtype: subtype.to_owned(),
            phase: None,
            data,
            created_at,
        };
        events::append_history(tx, event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_this_hash() {
        assert_eq!(blake3::hash(b"").to_hex().as_str(), NOTHING);
    }

    #[test]
    fn times_are_of_four_digits() {
        for (at, good) in [
            ("2025-08-01T10:00:00Z", true),
            ("1999-12-31T23:59:59Z", false),
            ("9999-01-01T00:00:00Z", false),
            ("0000-01-01T00:00:00Z", false),
        ] {
            assert_eq!(moment("at", at.parse().unwrap()).is_ok(), good, "{at}");
        }
    }
}
