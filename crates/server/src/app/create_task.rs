//! Making a task.

use super::{
    App, TaskChange, TaskView, continue_task::worktrees_daemon, contracts::existing_contract,
    tasks::existing, texts,
};
use crate::{caller::Caller, error::ApiError};
use makima_model::{
    BranchId, DaemonId, EventKind, MessageId, NoticeLevel, TaskEventKind, TaskId, TaskRole, TaskStatus,
    branch_name, name_from_plan,
};
use makima_store::{
    Tx, contracts, daemons,
    events::{self, NewTaskEvent},
    inbox::{self, InboxMessage},
    tasks::{self, Task},
    trash,
};
use makima_wire::{Code, CreateTask};
use serde_json::json;

/// What to do where there is no agent.
const INSTALL: &str = "install Claude Code (npm install -g @anthropic-ai/claude-code) on the daemon's machine, or configure one \
                       below [agents], and start the daemon again";

impl App {
    /// Makes a task: its row, its conversation, its first message, its place in the timeline; then looks for a daemon.
    pub(crate) async fn create_task(&self, by: Caller, wanted: CreateTask) -> Result<TaskView, ApiError> {
        if let Some(id) = by.has_done() {
            self.place(by.owner).await?;
            return self.task(by.owner, id).await;
        }
        texts::said("plan", &wanted.plan)?;
        let name = match &wanted.name {
            Some(name) => texts::name("name", name)?,
            None => name_from_plan(&wanted.plan),
        };
        let agent = wanted.agent.as_deref().map(|agent| texts::name("agent", agent)).transpose()?;
        let base_branch = wanted.base_branch.as_deref().map(texts::branch).transpose()?;

        let mut tx = self.db().read().await?;
        let contract = match wanted.contract_id {
            Some(id) => Some(existing_contract(&mut tx, by.owner, id).await?),
            None => None,
        };
        let parent = match wanted.parent_task_id {
            Some(id) => Some(existing(&mut tx, by.owner, id).await?),
            None => None,
        };
        if parent.as_ref().is_some_and(|parent| parent.contract != wanted.contract_id) {
            return Err(ApiError::unprocessable("the parent task belongs to another contract"));
        }
        if let Some(daemon) = wanted.target_daemon_id {
            daemons::get(&mut tx, by.owner, daemon).await?.ok_or_else(|| ApiError::not_found("daemon"))?;
        }
        let connected = daemons::list(&mut tx, by.owner).await?;
        drop(tx);

        let beginning = self.beginning(by, &wanted, &name).await?;
        let copied = self.copied(by, &wanted).await?;
        let repository = match (&wanted.repository, &beginning, &contract) {
            (_, Some(beginning), _) => beginning.source.repository.clone(),
            (Some(repository), ..) => texts::repository(repository)?,
            (None, None, Some(contract)) => contract.repository.clone(),
            (None, None, None) => {
                return Err(ApiError::unprocessable(
                    "repository is missing: name one, or a contract that has one",
                ));
            }
        };
        // Its state and its files are where the other's worktree is.
        let target = match (&beginning, &copied) {
            (Some(beginning), _) => Some(worktrees_daemon(&beginning.source)?),
            (None, Some(copied)) => self.daemon_of(by, copied.task, wanted.target_daemon_id).await?,
            (None, None) => wanted.target_daemon_id,
        };
        let base_branch = match &beginning {
            Some(beginning) => beginning.source.base_branch.clone(),
            None => base_branch,
        };
        let base_branch =
            base_branch.or_else(|| contract.as_ref().and_then(|contract| contract.base_branch.clone()));
        let agent = agent
            .or_else(|| contract.as_ref().and_then(|contract| contract.agent.clone()))
            .or_else(|| beginning.as_ref().and_then(|beginning| beginning.source.agent.clone()));
        self.check_agent(agent.as_deref(), target, &connected)?;
        let out_of_reach = match &beginning {
            // The daemon has a clone of it already.
            Some(_) => Vec::new(),
            None => self.check_repository(by.owner, target, &repository, base_branch.as_deref()).await?,
        };

        let (id, now): (TaskId, _) = (self.clock().new_id(), self.clock().now());
        let task = Task {
            id,
            owner: by.owner,
            contract: wanted.contract_id,
            parent: wanted.parent_task_id,
            branch_name: branch_name(&name, id),
            name,
            plan: wanted.plan.clone(),
            role: TaskRole::Worker,
            status: TaskStatus::Pending,
            status_reason: None,
            agent,
            permission_mode: wanted.permission_mode,
            target_daemon: target,
            daemon: None,
            repository,
            continue_from: wanted.continue_from_task_id,
            copied,
            base_branch,
            base_commit: beginning.as_ref().map(|beginning| beginning.commit.clone()),
            worktree_path: None,
            include_uncommitted: wanted.include_uncommitted,
            commit_on_finish: wanted.commit_on_finish.unwrap_or(true),
            wanted: wanted.start.unwrap_or(true),
            cancelling: false,
            out_of_reach,
            run_number: 0,
            conversation: self.clock().new_id::<BranchId>(),
            message_count: 0,
            total_tokens: 0,
            total_cost: 0.0,
            checkpoint_count: 0,
            last_checkpoint_sha: None,
            checkpoint_message: None,
            created_at: now,
            updated_at: now,
            started_at: None,
            completed_at: None,
        };
        let first = InboxMessage {
            id: self.clock().new_id::<MessageId>(),
            owner: by.owner,
            task: id,
            principal: by.principal,
            content: wanted.plan,
            created_at: now,
            delivered: None,
        };
        let mut tx = self.db().begin().await?;
        still_there(&mut tx, &task).await?;
        tasks::insert(&mut tx, &task).await?;
        inbox::put(&mut tx, &first).await?;
        self.note(&mut tx, by, id).await?;
        let change = TaskChange {
            clock: self.clock(),
            at: now,
            run_number: 0,
            phase: contract.map(|contract| contract.phase),
        };
        let data = json!({ "name": task.name, "role": task.role, "status": task.status });
        change.history(&mut tx, &task, EventKind::Task, "task_created", data);
        if let Some(note) = beginning.and_then(|beginning| beginning.note) {
            events::append_task_event(
                &mut tx,
                NewTaskEvent {
                    id: self.clock().new_id(),
                    owner: by.owner,
                    task: id,
                    run_number: 0,
                    kind: TaskEventKind::Output,
                    previous_status: None,
                    new_status: None,
                    data: json!({ "level": NoticeLevel::Warning, "text": note }),
                    created_at: now,
                },
            );
        }
        tx.commit().await?;

        self.place(by.owner).await?;
        self.task(by.owner, id).await
    }

    /// The daemon that has a task's worktree, where files are copied from; 422 where another one is wanted.
    async fn daemon_of(
        &self,
        by: Caller,
        id: TaskId,
        wanted: Option<DaemonId>,
    ) -> Result<Option<DaemonId>, ApiError> {
        let daemon = worktrees_daemon(&self.task(by.owner, id).await?.task)?;
        if wanted.is_some_and(|wanted| wanted != daemon) {
            return Err(ApiError::unprocessable(
                "the files to copy are on another daemon's machine: leave targetDaemonId out",
            ));
        }
        Ok(Some(daemon))
    }

    /// 422 where daemons are connected and none of them has the agent.
    fn check_agent(
        &self,
        agent: Option<&str>,
        target: Option<makima_model::DaemonId>,
        daemons: &[makima_model::Daemon],
    ) -> Result<(), ApiError> {
        let online: Vec<_> = daemons
            .iter()
            .filter(|daemon| daemon.status == makima_model::DaemonStatus::Online)
            .filter(|daemon| target.is_none_or(|target| target == daemon.id))
            .collect();
        let has = |daemon: &&makima_model::Daemon| match agent {
            Some(name) => daemon.agents.iter().any(|agent| agent.name == name),
            None => daemon.agents.iter().any(|agent| agent.default),
        };
        if online.is_empty() || online.iter().any(has) {
            return Ok(());
        }
        let known: Vec<&str> =
            online.iter().flat_map(|daemon| &daemon.agents).map(|agent| agent.name.as_str()).collect();
        let there = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(ApiError::new(
            Code::AgentNotFound,
            match agent {
                Some(name) => format!(
                    "no connected daemon has the agent {name:?} (there: {there}): install its program on the daemon's \
                     machine, or configure it below [agents.{name}], and start the daemon again"
                ),
                None if known.is_empty() => format!("no connected daemon has an agent: {INSTALL}"),
                None => format!(
                    "none of the connected agents is a default (there: {there}): name one as `agent`, or {INSTALL}"
                ),
            },
        ))
    }
}

/// 404 where what the task belongs to or goes on from went into the trash meanwhile. It stays where it is until the end of the
/// transaction.
async fn still_there(tx: &mut Tx, task: &Task) -> Result<(), ApiError> {
    if let Some(contract) = task.contract {
        contracts::hold(tx, task.owner, contract).await?;
        existing_contract(tx, task.owner, contract).await?;
    }
    let mut others: Vec<TaskId> = [task.parent, task.continue_from].into_iter().flatten().collect();
    others.sort();
    for other in others {
        trash::lock_task(tx, task.owner, other).await?;
        existing(tx, task.owner, other).await?;
    }
    Ok(())
}
