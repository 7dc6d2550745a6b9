//! Giving waiting tasks to daemons.

use super::{App, TaskChange, tasks::phase_of};
use crate::error::ApiError;
use futures::future::try_join_all;
use makima_model::{
    Daemon, DaemonId, DaemonStatus, OwnerId, TaskStatus,
    placement::{Need, Placement, place},
};
use makima_store::{
    StoreError, Tx, checkpoints, daemons, imports, inbox,
    runs::{self, Run},
    tasks::{self, Copied, Task},
    users,
};
use makima_wire::{
    Code,
    frame::{
        Command, CommandOutcome, CommandResult, CopiedFiles, Input, LastCheckpoint, ResumeFrom, StartRun,
    },
};
use std::time::Duration;
use tokio::time::Instant;

/// How long daemons may take to look for a repository (settled points, §2).
const LOOK: Duration = Duration::from_secs(10);

impl App {
    /// Gives each waiting task of `owner` to a daemon that can run it, or notes why none can.
    pub(crate) async fn place(&self, owner: OwnerId) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        if tasks::placeable(&mut tx, owner).await?.is_empty() {
            return Ok(());
        }
        // One after the other, on all replicas: places are counted before they are taken.
        users::hold(&mut tx, owner).await?;
        for mut task in tasks::placeable(&mut tx, owner).await? {
            // Read anew each time: the one before may have taken a place.
            let daemons = daemons::list(&mut tx, owner).await?;
            let need = Need {
                // A task that has run stays where its worktree is.
                target: task.daemon.or(task.target_daemon),
                agent: task.agent.as_deref(),
                role: task.role,
                out_of_reach: &task.out_of_reach,
            };
            match place(&need, &daemons) {
                Placement::On { daemon, agent } => self.start(&mut tx, &mut task, daemon, agent).await?,
                Placement::Wait { reason } => {
                    if task.status_reason.as_deref() != Some(&reason) {
                        tasks::set_reason(
                            &mut tx,
                            owner,
                            task.id,
                            task.status,
                            Some(&reason),
                            self.clock().now(),
                        )
                        .await?;
                    }
                }
            }
        }
        tx.commit().await
    }

    /// The same, without waiting for it: a failure is logged, and the next occasion tries again.
    pub(crate) fn place_soon(&self, owner: OwnerId) {
        let app = self.downgrade();
        tokio::spawn(async move {
            let Some(app) = app.upgrade() else { return };
            if let Err(error) = app.place(owner).await {
                tracing::warn!("waiting tasks could not be placed: {}", crate::error::chain(Some(&error)));
            }
        });
    }

    async fn start(
        &self,
        tx: &mut Tx,
        task: &mut Task,
        daemon: DaemonId,
        agent: String,
    ) -> Result<(), StoreError> {
        let now = self.clock().now();
        let before = runs::latest_of_task(tx, task.owner, task.id).await?;
        let run = Run {
            id: self.clock().new_id(),
            owner: task.owner,
            task: task.id,
            number: task.run_number + 1,
            daemon,
            agent: agent.clone(),
            branch: task.conversation,
            last_entry: 0,
            turn_seq: task.message_count,
            session_id: None,
            started_at: now,
            ended_at: None,
            outcome: None,
            reason: None,
        };
        let phase = phase_of(tx, task).await?;
        let change =
            TaskChange { clock: self.clock(), at: self.clock().now(), run_number: run.number, phase };
        if !change.become_status(tx, task, TaskStatus::Starting, None).await? {
            return Ok(());
        }
        // Its row is locked only now: whoever moved its conversation meanwhile is heard.
        if let Some(now) = tasks::get(tx, task.owner, task.id).await? {
            *task = now;
        }
        let run = Run { branch: task.conversation, turn_seq: task.message_count, ..run };
        runs::insert(tx, &run).await?;
        tasks::placed(tx, task.owner, task.id, run.number, (daemon, &agent), now).await?;

        let last = checkpoints::latest(tx, task.owner, task.id).await?;
        // One that was imported goes on with the agent's own session, where that left the code.
        let import = match &before {
            Some(_) => None,
            None => imports::of_task(tx, task.owner, task.id).await?,
        };
        let left_at = import.as_ref().and(last.as_ref()).map(|last| last.made.commit_sha.clone());
        let start = StartRun {
            run: run.id,
            run_number: run.number,
            task: task.id,
            task_name: task.name.clone(),
            contract: task.contract,
            owner: task.owner,
            agent,
            permission_mode: task.permission_mode,
            repository: task.repository.clone(),
            base_branch: task.base_branch.clone(),
            base_commit: left_at.or_else(|| task.base_commit.clone()),
            branch_name: task.branch_name.clone(),
            include_uncommitted: task.include_uncommitted,
            commit_on_finish: task.commit_on_finish,
            last_checkpoint: last.map(|last| LastCheckpoint::from(&last.made)),
            resume: (task.message_count > 0)
                .then(|| match import {
                    Some(import) => Some(import.session_id),
                    None => before.and_then(|run| run.session_id),
                })
                .flatten()
                .map(|session_id| ResumeFrom { session_id, message_count: task.message_count }),
            inputs: inbox::undelivered(tx, task.owner, task.id)
                .await?
                .into_iter()
                .map(|message| Input { id: message.id, content: message.content })
                .collect(),
            copied: task.copied.clone().map(|Copied { task, files }| CopiedFiles { task, files }),
            tool_key: None,
        };
        self.queue(tx, task.owner, daemon, Some(run.id), &Command::StartRun(Box::new(start))).await?;
        Ok(())
    }

    /// Asks the connected daemons whether they reach the repository and its branch. Answers those that don't; 422 with
    /// their words if all say no. With none connected, or none that answers in time, nothing is known and nothing refused.
    pub(crate) async fn check_repository(
        &self,
        owner: OwnerId,
        target: Option<DaemonId>,
        repository: &str,
        base_branch: Option<&str>,
    ) -> Result<Vec<DaemonId>, ApiError> {
        let daemons: Vec<Daemon> = daemons::list(&mut self.db().read().await?, owner)
            .await?
            .into_iter()
            .filter(|daemon| {
                daemon.status == DaemonStatus::Online && target.is_none_or(|target| target == daemon.id)
            })
            .collect();
        let looks = daemons.iter().map(|daemon| self.look(owner, daemon.id, repository, base_branch));
        let (mut out_of_reach, mut words) = (Vec::new(), None);
        for (daemon, refusal) in daemons.iter().zip(try_join_all(looks).await?) {
            if let Some(refusal) = refusal {
                out_of_reach.push(daemon.id);
                words = Some(refusal);
            }
        }
        match words {
            Some(words) if out_of_reach.len() == daemons.len() => {
                Err(ApiError::new(Code::RepositoryNotFound, words))
            }
            _ => Ok(out_of_reach),
        }
    }

    /// Asks a daemon that has just connected which of the repositories that tasks wait with it reaches; then places them.
    pub(crate) async fn place_with(&self, owner: OwnerId, daemon: DaemonId) -> Result<(), ApiError> {
        let mut waiting = tasks::placeable(&mut self.db().read().await?, owner).await?;
        // One that has run goes where its worktree is.
        waiting
            .retain(|task| task.daemon.is_none() && task.target_daemon.is_none_or(|target| target == daemon));
        let looks = waiting
            .iter()
            .map(|task| self.look(owner, daemon, &task.repository, task.base_branch.as_deref()));
        let looked = try_join_all(looks).await?;

        let mut tx = self.db().begin().await?;
        for (mut task, refusal) in waiting.into_iter().zip(looked) {
            task.out_of_reach.retain(|other| *other != daemon);
            if refusal.is_some() {
                task.out_of_reach.push(daemon);
            }
            tasks::set_out_of_reach(&mut tx, owner, task.id, &task.out_of_reach).await?;
        }
        tx.commit().await?;
        Ok(self.place(owner).await?)
    }

    /// Asks a daemon whether it reaches a repository and its branch: its words if it doesn't. Who doesn't answer in time is
    /// taken to reach it.
    async fn look(
        &self,
        owner: OwnerId,
        daemon: DaemonId,
        repository: &str,
        base_branch: Option<&str>,
    ) -> Result<Option<String>, StoreError> {
        let question = Command::CheckRepository {
            repository: repository.to_owned(),
            base_branch: base_branch.map(str::to_owned),
        };
        Ok(match self.answer(owner, daemon, &question, Instant::now() + LOOK).await? {
            Some(CommandOutcome::Refused(refusal)) => Some(refusal.message),
            Some(CommandOutcome::Done(CommandResult::Repository(_))) | None => None,
            Some(CommandOutcome::Done(_)) => {
                tracing::warn!(%daemon, "a look for a repository answered something else");
                None
            }
        })
    }
}
