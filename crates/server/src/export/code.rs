//! The code of an archive: git bundles, made by the daemons that have it. Of each of them and each repository there is one.

use super::{lines::hashed, rows::Kept, spool::Folder};
use crate::{
    App,
    app::{Asked, existing_task},
    error::ApiError,
};
use makima_model::{DaemonId, DaemonStatus, ExportId, OwnerId, TaskId};
use makima_store::{Run, Tx, daemons, runs};
use makima_wire::{
    Code as ErrorCode, ExportedCheckpoint, ExportedCode, ExportedFile, WithoutCode, WithoutCodeReason,
    frame::{Bundled, BundledTag, Command, CommandOutcome, CommandResult, WantedBundle},
};
use std::collections::HashMap;
use tokio::time::Instant;

/// What to do where a daemon doesn't give its code.
const HINT: &str = "`code=false` exports the rest";

/// Where the code of tasks is.
pub(super) struct Code {
    pub(super) groups: Vec<Group>,
    pub(super) without: Vec<WithoutCode>,
}

/// What one daemon has of one repository.
pub(super) struct Group {
    daemon: DaemonId,
    repository: String,
    tasks: Vec<TaskId>,
    branches: Vec<String>,
    checkpoints: Vec<ExportedCheckpoint>,
}

/// A bundle that a daemon was asked for.
pub(super) struct AskedBundle {
    group: Group,
    number: u32,
    question: Asked,
}

/// What the file of a bundle is called.
pub(crate) fn bundle_file(number: u32) -> String {
    match number {
        1 => "code.bundle".to_owned(),
        number => format!("code-{number}.bundle"),
    }
}

impl Code {
    /// Looks for the code of tasks. 503 where a daemon that has some isn't connected.
    pub(super) async fn find(
        tx: &mut Tx,
        owner: OwnerId,
        tasks: &[TaskId],
        kept: &[Kept],
        is_wanted: bool,
    ) -> Result<Self, ApiError> {
        let of_one = |one: &Kept, other: &Kept| one.checkpoint.task_id == other.checkpoint.task_id;
        let of_task: HashMap<TaskId, &[Kept]> =
            kept.chunk_by(of_one).filter_map(|kept| Some((kept.first()?.checkpoint.task_id, kept))).collect();
        let mut code = Self { groups: Vec::new(), without: Vec::new() };
        for id in tasks {
            let reason = match of_task.get(id) {
                _ if !is_wanted => Some(WithoutCodeReason::NotWanted),
                None => Some(WithoutCodeReason::NoCheckpoints),
                Some(kept) => code.add(tx, owner, *id, kept).await?,
            };
            code.without.extend(reason.map(|reason| WithoutCode { task_id: *id, reason }));
        }
        for group in &code.groups {
            let daemon = daemons::get(tx, owner, group.daemon).await?;
            if let Some(daemon) = daemon.filter(|daemon| daemon.status != DaemonStatus::Online) {
                let message = format!("daemon {}, which has the code, is not connected: {HINT}", daemon.name);
                return Err(ApiError::new(ErrorCode::NoDaemon, message));
            }
        }
        Ok(code)
    }

    /// Adds the code of a task, unless there is none.
    async fn add(
        &mut self,
        tx: &mut Tx,
        owner: OwnerId,
        id: TaskId,
        kept: &[Kept],
    ) -> Result<Option<WithoutCodeReason>, ApiError> {
        let task = existing_task(tx, owner, id).await?;
        let runs = runs::of_task(tx, owner, id).await?;
        // What was made by hand, or came with an import, is where the task last was.
        let Some(last) = runs.iter().max_by_key(|run| run.number).map(|run| run.daemon) else {
            return Ok(Some(WithoutCodeReason::NeverRan));
        };
        let of_run = |kept: &Kept| {
            let run = kept.run.and_then(|id| runs.iter().find(|run: &&Run| run.id == id));
            run.map_or(last, |run| run.daemon)
        };
        for kept in kept {
            let daemon = of_run(kept);
            let group = self.group(daemon, &task.repository);
            if group.tasks.last() != Some(&id) {
                group.tasks.push(id);
                group.branches.push(task.branch_name.clone());
            }
            group.checkpoints.push(kept.checkpoint.clone());
        }
        Ok(None)
    }

    fn group(&mut self, daemon: DaemonId, repository: &str) -> &mut Group {
        let is_it = |group: &Group| group.daemon == daemon && group.repository == repository;
        let place = self.groups.iter().position(is_it).unwrap_or_else(|| {
            self.groups.push(Group {
                daemon,
                repository: repository.to_owned(),
                tasks: Vec::new(),
                branches: Vec::new(),
                checkpoints: Vec::new(),
            });
            self.groups.len() - 1
        });
        &mut self.groups[place]
    }
}

impl App {
    /// Asks the daemons for their code.
    pub(super) async fn ask_for_code(
        &self,
        owner: OwnerId,
        export: ExportId,
        groups: Vec<Group>,
    ) -> Result<Vec<AskedBundle>, ApiError> {
        let mut asked = Vec::new();
        if groups.is_empty() {
            return Ok(asked);
        }
        let mut tx = self.db().begin().await?;
        for (number, group) in (1..).zip(groups) {
            let tags = group.checkpoints.iter().map(|checkpoint| BundledTag {
                tag: format!("makima/{}/{}", checkpoint.task_id, checkpoint.checkpoint_number),
                commit: checkpoint.commit_sha.clone(),
            });
            let wanted = WantedBundle {
                export,
                number,
                repository: group.repository.clone(),
                branches: group.branches.clone(),
                tags: tags.collect(),
            };
            let question = self.ask(&mut tx, owner, group.daemon, &Command::Bundle(wanted)).await?;
            asked.push(AskedBundle { group, number, question });
        }
        tx.commit().await?;
        Ok(asked)
    }

    /// Waits for the bundles.
    pub(super) async fn code_that_came(
        &self,
        asked: Vec<AskedBundle>,
        folder: &Folder,
        files: &mut Vec<ExportedFile>,
    ) -> Result<Vec<ExportedCode>, ApiError> {
        let mut code = Vec::new();
        for AskedBundle { group, number, mut question } in asked {
            let Bundled { bytes, missing } = self.bundled(&mut question).await?;
            let file = match bytes {
                0 => None,
                bytes => {
                    let file = hashed(folder, bundle_file(number)).await?;
                    if file.bytes != bytes {
                        return Err(no_daemon("what came of the code is not what was sent"));
                    }
                    Some(file)
                }
            };
            code.push(ExportedCode {
                file: file.as_ref().map(|file| file.name.clone()),
                daemon_id: group.daemon,
                repository: group.repository,
                tasks: group.tasks,
                missing: group
                    .checkpoints
                    .into_iter()
                    .filter(|checkpoint| missing.contains(&checkpoint.commit_sha))
                    .collect(),
            });
            files.extend(file);
        }
        Ok(code)
    }

    /// What came of a bundle. It is waited for as long as the daemon is there: what it takes depends on the repository alone.
    async fn bundled(&self, question: &mut Asked) -> Result<Bundled, ApiError> {
        let stopping = self.stopping();
        loop {
            let until = Instant::now() + self.settings().patience;
            let outcome = tokio::select! {
                outcome = question.outcome(until) => outcome?,
                () = stopping.cancelled() => return Err(no_daemon("the server stops")),
            };
            match outcome {
                Some(CommandOutcome::Done(CommandResult::Bundle(bundled))) => return Ok(bundled),
                Some(CommandOutcome::Refused(refusal)) => {
                    return Err(ApiError::new(refusal.code, format!("{}: {HINT}", refusal.message)));
                }
                Some(CommandOutcome::Done(_)) => return Err(no_daemon("the daemon did something else")),
                None => {}
            }
            let mut tx = self.db().read().await?;
            if !question.may_be_answered(&mut tx).await? {
                return Err(no_daemon("the daemon that has the code went away before all of it was there"));
            }
        }
    }

    /// Takes a part of a bundle from a daemon. 404 where nobody waits for it any more.
    pub(crate) async fn take_bundle_part(
        &self,
        owner: OwnerId,
        (export, number): (ExportId, u32),
        at: u64,
        part: axum::body::Bytes,
    ) -> Result<(), ApiError> {
        let is_wanted = self.spool().put((owner, export), bundle_file(number), at, part).await?;
        if is_wanted { Ok(()) } else { Err(ApiError::not_found("export any more")) }
    }
}

fn no_daemon(message: &str) -> ApiError {
    ApiError::new(ErrorCode::NoDaemon, format!("{message}: {HINT}"))
}
