//! Operations of each kind and state, and what they leave behind.

use super::Builder;
use crate::{
    Db, NewCommand, Order, Run, Seek, Task, Tx, checkpoints, commands, contracts, conversations, erase,
    idempotency::{self, Asked},
    operations::{self, Ending, Filter},
    tasks, trash,
};
use makima_model::{
    AttemptId, Branch, BranchReason, CheckpointId, Circumstances, ContractId, Operation, OperationId,
    OperationKind, OperationState, Origin, OwnerId, Position, PrincipalId, TaskId,
};
use serde_json::json;
use std::time::Duration;

/// What an operation is done to.
#[derive(Clone, Copy)]
struct On(Option<TaskId>, Option<ContractId>);

impl From<&Task> for On {
    fn from(task: &Task) -> Self {
        Self(Some(task.id), task.contract)
    }
}

fn deleted(deleted: bool) -> Circumstances {
    Circumstances { deleted: Some(deleted), ..Circumstances::default() }
}

fn kept(checkpoint: CheckpointId, kept: bool) -> Circumstances {
    Circumstances { checkpoint_id: Some(checkpoint), kept: Some(kept), ..Circumstances::default() }
}

impl Builder<'_> {
    /// One that is begun, on `on` and with an effect that is yet to come.
    async fn begin(
        &self,
        tx: &mut Tx,
        kind: OperationKind,
        on: On,
        before: Circumstances,
        undoes: Option<OperationId>,
    ) -> OperationId {
        let operation = Operation {
            id: self.clock.new_id(),
            owner: self.owner,
            kind,
            state: OperationState::Prepared,
            task: on.0,
            contract: on.1,
            principal: PrincipalId::from(self.owner.uuid()),
            origin: Origin::Api,
            request: json!({ "stop": false }),
            before,
            after: None,
            undoes,
            undone_by: None,
            error: None,
            created_at: self.clock.now(),
            finished_at: None,
        };
        operations::insert(tx, &operation).await.unwrap();
        operation.id
    }

    async fn finish(&self, tx: &mut Tx, id: OperationId, after: Circumstances, undoes: Option<OperationId>) {
        let ending = Ending::Done { before: None, after };
        assert!(operations::finish(tx, self.owner, id, &ending, self.clock.now()).await.unwrap());
        if let Some(undone) = undoes {
            assert!(operations::set_undone_by(tx, self.owner, undone, id).await.unwrap());
        }
    }

    /// Puts a task into the trash.
    async fn delete(&self, tx: &mut Tx, task: &Task) -> OperationId {
        let id = self.begin(tx, OperationKind::Delete, task.into(), deleted(false), None).await;
        trash::put_task(tx, self.owner, task.id, id, self.clock.now()).await.unwrap();
        self.finish(tx, id, deleted(true), None).await;
        id
    }

    /// Takes it out again.
    async fn take_out(&self, tx: &mut Tx, task: &Task, by: OperationId) -> OperationId {
        let id = self.begin(tx, OperationKind::Undo, task.into(), deleted(true), Some(by)).await;
        assert_eq!(trash::take_out(tx, self.owner, by).await.unwrap(), [task.id]);
        self.finish(tx, id, deleted(false), Some(by)).await;
        id
    }

    /// Tasks are known by their names: `trashed` is deleted, of `returned` that is undone, of `redone` that is undone again. `erased`
    /// is no more, and `leaving` is about to be. The contract `dropped` is deleted with its task.
    pub(super) async fn changes(&self, done: (&Task, &Run), live: (&Task, &Run)) {
        let mut tx = self.db.begin().await.unwrap();
        let (trashed, _) = self.task(&mut tx, "trashed", None).await;
        let (returned, _) = self.task(&mut tx, "returned", None).await;
        let (redone, _) = self.task(&mut tx, "redone", None).await;
        let (erased, _) = self.task(&mut tx, "erased", None).await;
        let (leaving, _) = self.task(&mut tx, "leaving", None).await;
        tx.commit().await.unwrap();

        let mut tx = self.db.begin().await.unwrap();
        self.delete(&mut tx, &trashed).await;
        let by = self.delete(&mut tx, &returned).await;
        self.take_out(&mut tx, &returned, by).await;
        self.move_back(&mut tx, &returned).await;
        let by = self.delete(&mut tx, &redone).await;
        let undone = self.take_out(&mut tx, &redone, by).await;
        let again =
            self.begin(&mut tx, OperationKind::Undo, (&redone).into(), deleted(false), Some(undone)).await;
        trash::put_task(&mut tx, self.owner, redone.id, again, self.clock.now()).await.unwrap();
        self.finish(&mut tx, again, deleted(true), Some(undone)).await;
        self.delete(&mut tx, &erased).await;
        tx.commit().await.unwrap();

        let mut tx = self.db.begin().await.unwrap();
        let by = self.begin(&mut tx, OperationKind::Purge, (&erased).into(), deleted(true), None).await;
        erase::task(&mut tx, self.owner, erased.id, by, self.clock.now()).await.unwrap();
        let after = Circumstances { erased: Some(true), ..deleted(true) };
        self.finish(&mut tx, by, after, None).await;
        let by = self.begin(&mut tx, OperationKind::Purge, (&leaving).into(), deleted(false), None).await;
        trash::put_task(&mut tx, self.owner, leaving.id, by, self.clock.now()).await.unwrap();
        self.tell(&mut tx, by, None).await;
        tx.commit().await.unwrap();

        self.drop_contracts().await;
        self.checkpoints_by_hand(done, live).await;
    }

    /// A contract that is deleted with its task, and one that is erased.
    async fn drop_contracts(&self) {
        for (name, is_erased) in [("dropped", false), ("gone", true)] {
            let contract = self.contract(name).await;
            let mut tx = self.db.begin().await.unwrap();
            let (task, _) = self.task(&mut tx, name, Some(contract)).await;
            tx.commit().await.unwrap();
            let mut tx = self.db.begin().await.unwrap();
            let on = On(None, Some(contract));
            let by = self.begin(&mut tx, OperationKind::Delete, on, deleted(false), None).await;
            let moved =
                trash::put_contract(&mut tx, self.owner, contract, by, self.clock.now()).await.unwrap();
            assert_eq!(moved, [task.id]);
            self.finish(&mut tx, by, Circumstances { tasks: Some(moved), ..deleted(true) }, None).await;
            if is_erased {
                let by = self.begin(&mut tx, OperationKind::Purge, on, deleted(true), None).await;
                erase::task(&mut tx, self.owner, task.id, by, self.clock.now()).await.unwrap();
                erase::contract(&mut tx, self.owner, contract, by).await.unwrap();
                self.finish(&mut tx, by, Circumstances { erased: Some(true), ..deleted(true) }, None).await;
            }
            tx.commit().await.unwrap();
            let mut tx = self.db.read().await.unwrap();
            assert_eq!(contracts::get(&mut tx, self.owner, contract).await.unwrap(), None);
        }
    }

    /// Begins a branch where the conversation began, and has it go on there.
    async fn move_back(&self, tx: &mut Tx, task: &Task) {
        let by = self.begin(tx, OperationKind::Restore, task.into(), Circumstances::default(), None).await;
        let base = Position { branch: task.conversation, seq: 0 };
        let branch = Branch {
            id: self.clock.new_id(),
            base: Some(base),
            head_seq: base.seq,
            reason: BranchReason::Restored,
            created_at: self.clock.now(),
        };
        conversations::insert(tx, self.owner, task.id, &branch).await.unwrap();
        tasks::set_conversation(tx, self.owner, task.id, branch.id, self.clock.now()).await.unwrap();
        let after = Circumstances { conversation: Some(branch.head().into()), ..Circumstances::default() };
        self.finish(tx, by, after, None).await;
    }

    /// One that is undone, one that failed, one that was abandoned, and one that is about to be made.
    async fn checkpoints_by_hand(&self, (done, two): (&Task, &Run), (live, run): (&Task, &Run)) {
        let mut tx = self.db.begin().await.unwrap();
        let last = checkpoints::latest(&mut tx, self.owner, done.id).await.unwrap().unwrap();
        let by =
            self.begin(&mut tx, OperationKind::Checkpoint, done.into(), Circumstances::default(), None).await;
        let made = self.checkpoint(&mut tx, two, last.position, 4, Some(last.made.id), true).await;
        self.finish(&mut tx, by, kept(made, true), None).await;
        let undo = self.begin(&mut tx, OperationKind::Undo, done.into(), kept(made, true), Some(by)).await;
        let made = checkpoints::by_id(&mut tx, self.owner, made).await.unwrap().unwrap();
        checkpoints::put_away(&mut tx, &made, Some(undo), self.clock.now()).await.unwrap();
        self.finish(&mut tx, undo, kept(made.made.id, false), Some(by)).await;
        tx.commit().await.unwrap();

        let mut tx = self.db.begin().await.unwrap();
        for ending in [Ending::Failed("the daemon made none".into()), Ending::Abandoned("it is gone".into())]
        {
            let by = self
                .begin(&mut tx, OperationKind::Checkpoint, done.into(), Circumstances::default(), None)
                .await;
            assert!(operations::finish(&mut tx, self.owner, by, &ending, self.clock.now()).await.unwrap());
        }
        let by =
            self.begin(&mut tx, OperationKind::Checkpoint, live.into(), Circumstances::default(), None).await;
        self.tell(&mut tx, by, Some(run)).await;
        tx.commit().await.unwrap();
    }

    /// A daemon is told to do something for an operation.
    async fn tell(&self, tx: &mut Tx, by: OperationId, run: Option<&Run>) {
        let command = NewCommand {
            id: self.clock.new_id(),
            owner: self.owner,
            daemon: self.daemon,
            run: run.map(|run| run.id),
            operation: Some(by),
            body: b"{}".to_vec(),
            created_at: self.clock.now(),
        };
        commands::queue(tx, &command).await.unwrap();
    }

    /// Requests that are done once: one that was answered, and one that is carried out.
    pub(super) async fn requests(&self) {
        let mut tx = self.db.begin().await.unwrap();
        let (lease, remembered) = (Duration::from_secs(30), Duration::from_secs(60));
        for (key, is_answered) in [("answered", true), ("begun", false)] {
            let asked = Asked { owner: self.owner, route: "POST /tasks", key, request: &[7; 32] };
            let attempt: AttemptId = self.clock.new_id();
            idempotency::claim(&mut tx, asked, attempt, lease, remembered).await.unwrap();
            let answer = idempotency::Answer { status: 201, etag: None, body: b"{}".to_vec() };
            if is_answered {
                assert!(idempotency::keep_answer(&mut tx, self.owner, attempt, &answer).await.unwrap());
            }
        }
        tx.commit().await.unwrap();
    }
}

/// Whether the database has an operation of each kind, and in each state.
pub(super) async fn are_of_each_kind(db: &Db, owner: OwnerId) {
    let mut tx = db.read().await.unwrap();
    let seek = Seek { order: Order::Oldest, after: None, limit: 100 };
    let all = operations::list(&mut tx, owner, &Filter::default(), seek, None).await.unwrap().rows;
    assert!(OperationKind::ALL.iter().all(|kind| all.iter().any(|one| one.kind == *kind)));
    assert!(OperationState::ALL.iter().all(|state| all.iter().any(|one| one.state == *state)));
}
