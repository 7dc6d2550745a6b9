//! Operations, the trash, and erasing for good.

use crate::lab::{Lab, all, walk};
use makima_model::{
    BlobRef, Branch, BranchReason, CheckpointKind, CheckpointMade, Circumstances, CommitPrefix, ContractId,
    EventKind, Operation, OperationKind, OperationState, Origin, OwnerId, Position, PrincipalId,
    SnapshotType, TaskId,
};
use makima_store::{
    Checkpoint, Noun, Order, Reader, Snapshot, StoreError, Task, blobs, checkpoints, contracts,
    conversations, counters, erase,
    events::{self, NewHistory},
    operations::{self, Ending, Filter},
    snapshots, tasks, trash,
};
use serde_json::json;

fn operation(lab: &Lab, owner: OwnerId, task: Option<TaskId>, contract: Option<ContractId>) -> Operation {
    Operation {
        id: lab.clock.new_id(),
        owner,
        kind: OperationKind::Delete,
        state: OperationState::Prepared,
        task,
        contract,
        principal: PrincipalId::from(owner.uuid()),
        origin: Origin::Api,
        request: json!({ "why": "nul \0" }),
        before: Circumstances { deleted: Some(false), ..Circumstances::default() },
        after: None,
        undoes: None,
        undone_by: None,
        error: None,
        created_at: lab.now(),
        finished_at: None,
    }
}

async fn prepare(lab: &Lab, operation: &Operation) -> Result<(), StoreError> {
    let mut tx = lab.begin().await;
    operations::insert(&mut tx, operation).await?;
    tx.commit().await
}

async fn finish(lab: &Lab, operation: &Operation, ending: &Ending) -> bool {
    let mut tx = lab.begin().await;
    let finished =
        operations::finish(&mut tx, operation.owner, operation.id, ending, lab.now()).await.unwrap();
    tx.commit().await.unwrap();
    finished
}

fn done() -> Ending {
    let after = Circumstances { deleted: Some(true), ..Circumstances::default() };
    Ending::Done { before: None, after }
}

/// A task in a contract's trash, by an operation that is done.
async fn in_trash(lab: &Lab, task: &Task) -> Operation {
    let by = operation(lab, task.owner, Some(task.id), task.contract);
    prepare(lab, &by).await.unwrap();
    let mut tx = lab.begin().await;
    trash::put_task(&mut tx, task.owner, task.id, by.id, lab.now()).await.unwrap();
    tx.commit().await.unwrap();
    finish(lab, &by, &done()).await;
    by
}

async fn erased(lab: &Lab, task: &Task) -> Vec<TaskId> {
    let by = in_trash(lab, task).await;
    let mut tx = lab.begin().await;
    let heirs = erase::task(&mut tx, task.owner, task.id, by.id, lab.now()).await.unwrap();
    tx.commit().await.unwrap();
    heirs
}

async fn count(lab: &Lab, owner: OwnerId, scope: sqlx::types::Uuid, noun: Noun) -> i64 {
    counters::count(&mut lab.read().await, owner, scope, noun, None, None).await.unwrap()
}

async fn texts(lab: &Lab, owner: OwnerId, branch: &Branch) -> Vec<String> {
    let lineage = conversations::lineage(&mut lab.read().await, owner, branch.id).await.unwrap();
    let mut reader = Reader::new(&lab.db, owner, &lineage, branch.head(), 0..branch.head_seq).unwrap();
    let mut texts = Vec::new();
    loop {
        let piece = reader.next().await.unwrap();
        if piece.is_empty() {
            return texts;
        }
        texts.extend(piece.into_iter().map(|stored| stored.message.content));
    }
}

/// A task whose conversation goes on from another's.
async fn fork(lab: &Lab, base: Position, owner: OwnerId) -> (Task, Branch) {
    let task = lab.task(owner).await;
    let branch = Branch {
        id: lab.clock.new_id(),
        base: Some(base),
        head_seq: base.seq,
        reason: BranchReason::Restored,
        created_at: lab.now(),
    };
    let mut tx = lab.begin().await;
    conversations::insert(&mut tx, owner, task.id, &branch).await.unwrap();
    tasks::set_conversation(&mut tx, owner, task.id, branch.id, lab.now()).await.unwrap();
    tx.commit().await.unwrap();
    (task, branch)
}

fn with_patch(lab: &Lab, task: &Task, patch: &BlobRef) -> Checkpoint {
    Checkpoint {
        owner: task.owner,
        task: task.id,
        run: None,
        position: Position { branch: task.conversation, seq: 0 },
        snapshot: None,
        made: CheckpointMade {
            id: lab.clock.new_id(),
            number: 1,
            kind: CheckpointKind::Manual,
            turn: None,
            at: lab.now(),
            commit_sha: "1".repeat(40),
            branch_name: "makima/x".into(),
            message: "kept".into(),
            previous: None,
            files_changed: Vec::new(),
            lines_added: 0,
            lines_removed: 0,
            not_held: Vec::new(),
            patch: Some(patch.clone()),
        },
    }
}

on_both_engines! {
    async fn one_operation_is_open_on_a_task_and_on_a_contract(lab: Lab) {
        let owner = lab.owner().await;
        let (task, contract) = (lab.task(owner).await.id, lab.contract(owner).await.id);
        let first = operation(&lab, owner, Some(task), Some(contract));
        prepare(&lab, &first).await.unwrap();
        let second = operation(&lab, owner, Some(task), Some(contract));
        assert!(matches!(prepare(&lab, &second).await, Err(StoreError::OperationOpen)));
        let whole = operation(&lab, owner, None, Some(contract));
        prepare(&lab, &whole).await.unwrap();
        let again = operation(&lab, owner, None, Some(contract));
        assert!(matches!(prepare(&lab, &again).await, Err(StoreError::OperationOpen)));
        let open = operations::open_on(&mut lab.read().await, owner, task, None).await.unwrap().unwrap();
        assert_eq!((open.id, open.request), (first.id, json!({ "why": "nul \u{fffd}" })));
        let within = operations::open_within(&mut lab.read().await, owner, contract).await.unwrap();
        assert_eq!(within.unwrap().id, first.id);
        assert_eq!(operations::open(&mut lab.read().await).await.unwrap(), [(owner, first.id), (owner, whole.id)]);

        assert!(finish(&lab, &first, &done()).await);
        assert!(!finish(&lab, &first, &Ending::Failed("late".into())).await);
        prepare(&lab, &second).await.unwrap();
        assert!(finish(&lab, &second, &Ending::Failed("no".into())).await);
        let mut tx = lab.begin().await;
        let kept = operations::lock(&mut tx, owner, first.id).await.unwrap().unwrap();
        assert_eq!((kept.state, kept.after.unwrap().deleted), (OperationState::Done, Some(true)));
        assert!(operations::set_undone_by(&mut tx, owner, first.id, second.id).await.unwrap());
        assert!(!operations::set_undone_by(&mut tx, owner, first.id, whole.id).await.unwrap());
        tx.commit().await.unwrap();
        let kept = operations::get(&mut lab.read().await, owner, first.id).await.unwrap().unwrap();
        assert_eq!(kept.undone_by, Some(second.id));
        let stranger = lab.owner().await;
        assert_eq!(operations::get(&mut lab.read().await, stranger, first.id).await.unwrap(), None);
    }

    async fn operations_are_listed_by_what_holds_of_them(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await.id;
        let mut made = Vec::new();
        for n in 0..5 {
            let on = if n % 2 == 0 { Some(task) } else { None };
            let operation = operation(&lab, owner, on, None);
            prepare(&lab, &operation).await.unwrap();
            finish(&lab, &operation, &if n == 4 { Ending::Failed("no".into()) } else { done() }).await;
            made.push(operation.id);
        }
        let listed = async |filter: Filter, total: i64, order: Order| {
            walk(order, 2, total, async |seek| {
                operations::list(&mut lab.read().await, owner, &filter, seek, None).await.unwrap()
            })
            .await
            .into_iter()
            .map(|operation| operation.id)
            .collect::<Vec<_>>()
        };
        assert_eq!(listed(Filter::default(), 5, Order::Oldest).await, made);
        let of_task = Filter { task: Some(task), ..Filter::default() };
        assert_eq!(listed(of_task, 3, Order::Newest).await, [made[4], made[2], made[0]]);
        let failed = Filter { state: vec![OperationState::Failed], ..Filter::default() };
        assert_eq!(listed(failed, 1, Order::Newest).await, [made[4]]);
        let undos = Filter { kind: vec![OperationKind::Undo], ..Filter::default() };
        assert!(listed(undos, 0, Order::Newest).await.is_empty());
    }

    async fn the_trash_hides_and_gives_back_what_one_operation_put_there(lab: Lab) {
        let owner = lab.owner().await;
        let contract = lab.contract(owner).await;
        let mut of_contract = Vec::new();
        for _ in 0..3 {
            let task = Task { contract: Some(contract.id), ..lab.new_task(owner) };
            of_contract.push(lab.insert_task(task).await);
        }
        in_trash(&lab, &of_contract[0]).await;
        let counted = async || {
            let tasks = tasks::list(&mut lab.read().await, owner, None, all()).await.unwrap();
            let contracts =
                contracts::list(&mut lab.read().await, owner, &contracts::Filter::default(), all(), None).await.unwrap();
            assert_eq!(tasks.total, tasks.rows.len() as i64);
            assert_eq!(contracts.total, contracts.rows.len() as i64);
            (tasks.total, contracts.total, count(&lab, owner, contract.id.uuid(), Noun::Task).await)
        };
        assert_eq!(counted().await, (2, 1, 2));
        let by = operation(&lab, owner, None, Some(contract.id));
        prepare(&lab, &by).await.unwrap();
        let mut tx = lab.begin().await;
        let moved = trash::put_contract(&mut tx, owner, contract.id, by.id, lab.now()).await.unwrap();
        assert_eq!(moved.len(), 2);
        tx.commit().await.unwrap();
        assert_eq!(counted().await, (0, 0, 0));
        let mut tx = lab.begin().await;
        assert_eq!(contracts::get(&mut tx, owner, contract.id).await.unwrap(), None);
        assert_eq!(contracts::lock(&mut tx, owner, contract.id).await.unwrap(), None);
        assert_eq!(tasks::get(&mut tx, owner, moved[0]).await.unwrap(), None);
        assert!(tasks::kept(&mut tx, owner, moved[0]).await.unwrap().is_some());
        assert_eq!(tasks::placeable(&mut tx, owner).await.unwrap(), []);
        assert_eq!(trash::of_task(&mut tx, owner, moved[0]).await.unwrap(), Some(by.id));
        assert_eq!(trash::of_contract(&mut tx, owner, contract.id).await.unwrap(), Some(by.id));
        assert_eq!(trash::tasks_of_contract(&mut tx, owner, contract.id).await.unwrap().len(), 3);
        assert_eq!(trash::take_out(&mut tx, owner, by.id).await.unwrap(), moved);
        tx.commit().await.unwrap();
        assert_eq!(counted().await, (2, 1, 2));
    }

    async fn what_others_need_of_an_erased_conversation_becomes_theirs(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let messages: Vec<_> = (0..5).map(|n| lab.said(format!("message {n}"))).collect();
        lab.append(owner, task.conversation, &messages).await;
        let (other, branch) = fork(&lab, Position { branch: task.conversation, seq: 3 }, owner).await;
        lab.append(owner, branch.id, &[lab.said("own")]).await;
        let branch = Branch { head_seq: 4, ..branch };
        let before = texts(&lab, owner, &branch).await;
        assert_eq!(before, ["message 0", "message 1", "message 2", "own"]);
        assert_eq!(erased(&lab, &task).await, [other.id]);
        assert_eq!(texts(&lab, owner, &branch).await, before);
        assert_eq!(count(&lab, owner, task.id.uuid(), Noun::Message).await, 0);
        assert_eq!(count(&lab, owner, other.id.uuid(), Noun::Message).await, 4);
        // What nobody needs is gone, and what was handed over is erased with its heir.
        let mut tx = lab.read().await;
        assert_eq!(conversations::find(&mut tx, owner, messages[3].id).await.unwrap(), None);
        assert!(conversations::find(&mut tx, owner, messages[2].id).await.unwrap().is_some());
        drop(tx);
        assert!(erased(&lab, &other).await.is_empty());
        let mut tx = lab.read().await;
        assert_eq!(conversations::find(&mut tx, owner, messages[2].id).await.unwrap(), None);
    }

    async fn an_erased_task_leaves_no_row_and_every_count_right(lab: Lab) {
        let owner = lab.owner().await;
        let contract = lab.contract(owner).await;
        let task = lab.insert_task(Task { contract: Some(contract.id), ..lab.new_task(owner) }).await;
        let child = lab.insert_task(Task { parent: Some(task.id), continue_from: Some(task.id), ..lab.new_task(owner) }).await;
        let daemon = lab.daemon(owner).await;
        lab.run(&task, daemon, 1).await;
        lab.append(owner, task.conversation, &[lab.said("a")]).await;
        let history = |task: Option<TaskId>| NewHistory {
            id: lab.clock.new_id(),
            owner,
            contract: Some(contract.id),
            task,
            kind: EventKind::Task,
            subtype: "task_turn".into(),
            phase: Some(contract.phase),
            data: json!({}),
            created_at: lab.now(),
        };
        let mut tx = lab.begin().await;
        events::append_history(&mut tx, history(Some(task.id)));
        events::append_history(&mut tx, history(None));
        let snapshot = Snapshot {
            id: lab.clock.new_id(),
            owner,
            task: task.id,
            checkpoint: None,
            kind: SnapshotType::Manual,
            position: Position { branch: task.conversation, seq: 1 },
            metadata: None,
            created_at: lab.now(),
        };
        snapshots::insert(&mut tx, &snapshot).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(count(&lab, owner, contract.id.uuid(), Noun::History).await, 2);

        assert!(erased(&lab, &task).await.is_empty());
        let mut tx = lab.read().await;
        assert_eq!(tasks::kept(&mut tx, owner, task.id).await.unwrap(), None);
        assert_eq!(snapshots::get(&mut tx, owner, snapshot.id).await.unwrap(), None);
        let child = tasks::get(&mut tx, owner, child.id).await.unwrap().unwrap();
        assert_eq!((child.parent, child.continue_from), (None, None));
        let feed = events::after(&mut tx, owner, 0, makima_store::FeedScope::Owner, 100).await.unwrap();
        assert_eq!(feed.len(), 1);
        drop(tx);
        assert_eq!(count(&lab, owner, contract.id.uuid(), Noun::History).await, 1);
        assert_eq!(count(&lab, owner, owner.uuid(), Noun::History).await, 1);
        assert_eq!(count(&lab, owner, contract.id.uuid(), Noun::Task).await, 0);
        assert_eq!(count(&lab, owner, owner.uuid(), Noun::Task).await, 1);
        for noun in [Noun::Snapshot, Noun::Message, Noun::History] {
            assert_eq!(count(&lab, owner, task.id.uuid(), noun).await, 0);
        }
        // Of what was done to it no more is kept than that it was.
        let page = operations::list(&mut lab.read().await, owner, &Filter::default(), all(), None).await.unwrap();
        assert_eq!(page.rows.iter().map(|row| row.kind).collect::<Vec<_>>(), [OperationKind::Delete]);
    }

    async fn a_blob_goes_once_no_checkpoint_has_it(lab: Lab) {
        let owner = lab.owner().await;
        let (one, two) = (lab.task(owner).await, lab.task(owner).await);
        let shared = BlobRef { hash: "5".repeat(64), bytes: 3 };
        let mut tx = lab.begin().await;
        blobs::put(&mut tx, owner, &shared, lab.now()).await.unwrap();
        for task in [&one, &two] {
            checkpoints::insert(&mut tx, &with_patch(&lab, task, &shared)).await.unwrap();
        }
        tx.commit().await.unwrap();
        erased(&lab, &one).await;
        let mut tx = lab.read().await;
        assert!(blobs::get(&mut tx, owner, &shared.hash).await.unwrap().is_some());
        assert!(blobs::erased(&mut tx).await.unwrap().is_empty());
        drop(tx);
        erased(&lab, &two).await;
        let mut tx = lab.begin().await;
        assert_eq!(blobs::get(&mut tx, owner, &shared.hash).await.unwrap(), None);
        assert!(!blobs::is_kept(&mut tx, &shared.hash).await.unwrap());
        assert_eq!(blobs::erased(&mut tx).await.unwrap(), std::slice::from_ref(&shared.hash));
        blobs::swept(&mut tx, &shared.hash).await.unwrap();
        assert!(blobs::erased(&mut tx).await.unwrap().is_empty());
    }

    async fn a_checkpoint_that_is_put_away_is_in_no_list_and_keeps_its_number(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        let patch = BlobRef { hash: "5".repeat(64), bytes: 3 };
        let first = with_patch(&lab, &task, &patch);
        let mut second = with_patch(&lab, &task, &patch);
        (second.made.number, second.made.commit_sha) = (2, "2".repeat(40));
        let by = operation(&lab, owner, Some(task.id), None);
        prepare(&lab, &by).await.unwrap();
        let mut tx = lab.begin().await;
        for checkpoint in [&first, &second] {
            checkpoints::insert(&mut tx, checkpoint).await.unwrap();
        }
        checkpoints::put_away(&mut tx, &second, Some(by.id), lab.now()).await.unwrap();
        assert_eq!(checkpoints::by_id(&mut tx, owner, second.made.id).await.unwrap(), None);
        assert_eq!(checkpoints::by_number(&mut tx, owner, task.id, 2).await.unwrap(), None);
        let commit = CommitPrefix::parse("2222222").unwrap();
        assert_eq!(checkpoints::of_commit(&mut tx, owner, task.id, &commit).await.unwrap(), []);
        assert_eq!(checkpoints::latest(&mut tx, owner, task.id).await.unwrap().unwrap().made.id, first.made.id);
        let page = checkpoints::list(&mut tx, owner, task.id, all()).await.unwrap();
        assert_eq!((page.total, page.rows.len()), (1, 1));
        // It comes again from its daemon, and the next one gets another number.
        assert_eq!(checkpoints::insert(&mut tx, &second).await.unwrap(), None);
        let mut third = with_patch(&lab, &task, &patch);
        third.made.number = 2;
        assert_eq!(checkpoints::insert(&mut tx, &third).await.unwrap(), Some(3));
        checkpoints::put_away(&mut tx, &second, None, lab.now()).await.unwrap();
        let page = checkpoints::list(&mut tx, owner, task.id, all()).await.unwrap();
        assert_eq!((page.total, page.rows.len()), (3, 3));
        let task = tasks::get(&mut tx, owner, task.id).await.unwrap().unwrap();
        assert_eq!(task.last_checkpoint_sha, Some(third.made.commit_sha));
    }
}
